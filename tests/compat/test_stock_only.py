"""The compatibility scripts: cases of every op, run by nothing but numpy and onnxruntime."""

import importlib.util
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import onnx2snn_runtime
from onnx2snn_runtime.opspec import OPS

HERE = Path(__file__).parent
#: Runs stock_only.py in an interpreter that cannot import onnx or anything of ours.
ALONE = """
import runpy, sys
sys.modules.update(dict.fromkeys(["onnx", "onnx2snn", "onnx2snn_runtime"]))
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def stock_only(*arguments):
    """Exit code and printed line of stock_only.py."""
    command = [sys.executable, "-c", ALONE, HERE / "stock_only.py", *arguments]
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, check=False)
    assert done.stderr == "", done.stderr
    assert done.stdout.count("\n") == 1, done.stdout
    return done.returncode, done.stdout.strip()


@pytest.fixture(scope="module")
def cases(tmp_path_factory):
    """The folder that make_cases.py fills."""
    folder = tmp_path_factory.mktemp("compat") / "cases"
    runtime = str(Path(onnx2snn_runtime.__file__).parents[1])
    path = os.pathsep.join(p for p in (runtime, os.environ.get("PYTHONPATH")) if p)
    done = subprocess.run(
        [sys.executable, "-W", "error", str(HERE / "make_cases.py"), str(folder)],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def network(cases):
    """Model file and arrays of the network case."""
    with np.load(cases / "network.npz") as data:
        return cases / "network.onnx", dict(data)


def saved(folder, arrays):
    path = folder / "data.npz"
    np.savez(path, **arrays)
    return path


def test_every_op_has_cases(cases):
    stems = [path.stem for path in cases.glob("*.onnx")]
    for spec in OPS:
        assert any(stem.split("_")[0] == spec.name for stem in stems), spec.name
    assert {"network", "network_fixed"} <= set(stems)


def test_all_cases_are_the_same(cases):
    models = sorted(cases.glob("*.onnx"))
    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(lambda m: stock_only(m, m.with_suffix(".npz")), models))
    assert len(results) > 10
    for model, (code, line) in zip(models, results, strict=True):
        assert code == 0, line
        times = "default" if model.stem == "network_fixed" else "default, 1, 2, 3, 12"
        assert line.startswith(f"same {model}: T = {times} (onnxruntime ")


@pytest.mark.parametrize(
    ("key", "label"), [("out.answer", "default"), ("out@3.answer", "3"), ("out@12.answer", "12")]
)
def test_sees_one_wrong_value(network, tmp_path, key, label):
    model, arrays = network
    arrays[key] = arrays[key].copy()
    arrays[key][1, 2] += 1
    code, line = stock_only(model, saved(tmp_path, arrays))
    assert code == 3
    assert line.startswith(
        f"DIFFERENT {model}: answer at T = {label} differs in 1 of 15 values by up to 1 ("
    )


def test_sees_another_input(network, tmp_path):
    model, arrays = network
    arrays["in.image"] = arrays["in.image"] + 1
    code, line = stock_only(model, saved(tmp_path, arrays))
    assert (code, line.split()[0]) == (3, "DIFFERENT")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda a: a.astype(np.float64), "not float64[5, 3]"),
        (lambda a: a[:4], "not float32[4, 3]"),
        (lambda a: -a, "differs in"),
        (lambda a: np.nextafter(a, np.float32(np.inf)), "differs in"),
    ],
    ids=["type", "shape", "sign", "one bit"],
)
def test_sees_other_differences(network, tmp_path, change, words):
    model, arrays = network
    arrays["out.answer"] = change(arrays["out.answer"])
    code, line = stock_only(model, saved(tmp_path, arrays))
    assert code == 3
    assert words in line


@pytest.mark.parametrize(("tolerance", "code"), [(0.5, 0), (0.1, 3)])
def test_tolerance(network, tmp_path, tolerance, code):
    model, arrays = network
    arrays["out@3.answer"] = arrays["out@3.answer"] + np.float32(0.25)
    data = saved(tmp_path, arrays)
    assert stock_only(model, data, "--tolerance", tolerance)[0] == code


def test_tolerance_allows_no_nan(network, tmp_path):
    model, arrays = network
    arrays["out.answer"] = np.full_like(arrays["out.answer"], np.nan)
    assert stock_only(model, saved(tmp_path, arrays), "--tolerance", 1e9)[0] == 3


def test_says_what_a_fixed_file_does_not_take(network, cases, tmp_path):
    """Answers at other T are left out for a file with a fixed T, and the line says so."""
    _, arrays = network
    code, line = stock_only(cases / "network_fixed.onnx", saved(tmp_path, arrays))
    assert code == 0
    assert "T = default; T is fixed, not compared: 1, 2, 3, 12" in line


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda a: a.pop("in.image"), "image"),
        (lambda a: [a.pop(k) for k in list(a) if k.startswith("out.")], "nothing to compare"),
        (lambda a: a.update(other=np.zeros(1)), "'other'"),
        (lambda a: a.update({"out.more": np.zeros(1)}), "more"),
    ],
    ids=["no input", "no output", "odd name", "unknown output"],
)
def test_unusable_data(network, tmp_path, change, words):
    model, arrays = network
    change(arrays)
    code, line = stock_only(model, saved(tmp_path, arrays))
    assert code == 3
    assert line.startswith(f"FAILED {model}: ")
    assert words in line


def test_missing_files(network, tmp_path):
    model, _ = network
    for arguments in ((tmp_path / "no.onnx", tmp_path / "no.npz"), (model, tmp_path / "no.npz")):
        code, line = stock_only(*arguments)
        assert (code, line.split()[0]) == (3, "FAILED")


def test_make_cases_insists_on_every_op(monkeypatch, tmp_path):
    found = importlib.util.spec_from_file_location("make_cases", HERE / "make_cases.py")
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    monkeypatch.delitem(module.CASES, "SpikeDecode")
    monkeypatch.setattr(sys, "argv", ["make_cases.py", str(tmp_path)])
    with pytest.raises(SystemExit, match="no cases for SpikeDecode"):
        module.main()
