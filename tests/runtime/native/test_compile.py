"""Making the library."""

import shutil
import subprocess

import pytest

from onnx2snn_runtime.native import compile as compile_module
from onnx2snn_runtime.native.compile import (
    COMPILERS,
    SOURCES,
    compile_library,
    expected_stamp,
    find_compiler,
    stamp_of,
)


def make_tool(folder, name, script):
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize("name", COMPILERS)
def test_compilers_by_name(tmp_path, monkeypatch, name):
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_compiler() is None
    tool = make_tool(tmp_path, name, "")
    assert find_compiler() == str(tool)


def test_the_environment_names_the_compiler(tmp_path, monkeypatch):
    make_tool(tmp_path, "c++", "")
    tool = make_tool(tmp_path, "special-c++", "")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("CXX", "special-c++")
    assert find_compiler() == str(tool)
    monkeypatch.setenv("CXX", "missing-c++")
    assert find_compiler() is None


def test_the_stamp_follows_sources_names_flags_and_library(tmp_path, monkeypatch):
    folder, library = tmp_path / "sources", tmp_path / "kernels.so"
    library.write_text("kernels")
    shutil.copytree(SOURCES, folder, ignore=shutil.ignore_patterns("*.so", "__pycache__"))
    seen = [expected_stamp(library, folder)]
    assert seen == [expected_stamp(library)]
    (folder / "notes.txt").write_text("nothing that is compiled")
    assert expected_stamp(library, folder) == seen[0]
    (folder / "loops.inc").write_text((folder / "loops.inc").read_text() + "\n")
    seen.append(expected_stamp(library, folder))
    (folder / "op.h").rename(folder / "operator.h")
    seen.append(expected_stamp(library, folder))
    library.write_text("other kernels")
    seen.append(expected_stamp(library, folder))
    monkeypatch.setattr(compile_module, "FLAGS", ("-O0",))
    seen.append(expected_stamp(library, folder))
    assert len(set(seen)) == len(seen)


def test_a_failed_compilation_leaves_nothing(tmp_path):
    target = tmp_path / "kernels.so"
    target.write_text("the one before")
    tool = make_tool(tmp_path, "c++", 'for last; do :; done; echo part > "$last"; exit 1')
    with pytest.raises(subprocess.CalledProcessError):
        compile_library(target, str(tool))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["c++", "kernels.so"]
    assert target.read_text() == "the one before"


def test_the_compiler_is_told(tmp_path):
    tool = make_tool(tmp_path, "c++", 'for last; do :; done; echo "$@" > "$last"')
    compile_library(tmp_path / "kernels.so", str(tool), ["-extra"])
    library = tmp_path / "kernels.so"
    assert stamp_of(library).read_text() == expected_stamp(library)
    told = library.read_text().split()
    assert {"-ffp-contract=off", "-fwrapv", "-extra"} <= set(told)
    assert str(SOURCES / "ops" / "integrate_fire.cpp") in told
    assert not any(word.startswith("-march") for word in told)
