"""Makes the library of compiled kernels from the sources in this folder.

The build of the package loads this file by its path, where nothing is installed yet: it imports
the standard library only.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

SOURCES = Path(__file__).parent
LIBRARY = SOURCES / "onnx2snn_native.so"

COMPILERS = ("c++", "g++", "clang++")
#: Exact arithmetic: nothing is contracted to a fused multiply-add, and integers wrap as NumPy's.
FLAGS = (
    "-std=c++17",
    "-O3",
    "-fPIC",
    "-shared",
    "-fvisibility=hidden",
    "-ffp-contract=off",
    "-fwrapv",
    "-fno-math-errno",
    "-fno-trapping-math",
)


def find_compiler() -> str | None:
    """The path of a C++ compiler: ``CXX`` of the environment, else the first one there is."""
    named = os.environ.get("CXX")
    candidates = (shutil.which(name) for name in ([named] if named else COMPILERS))
    return next((path for path in candidates if path), None)


def expected_stamp(library: Path, folder: Path = SOURCES) -> str:
    """What a library's stamp must say: SHA-256 of the sources, the flags and the library itself.

    A library that was cut short crashes the process that opens it, and one of other sources gives
    wrong results: both are known by their stamp, without opening them.
    """
    digest = hashlib.sha256(" ".join(FLAGS).encode())
    files = (p for p in folder.rglob("*") if p.suffix in {".cpp", ".h", ".inc"})
    for path in sorted(files):
        digest.update(path.relative_to(folder).as_posix().encode())
        digest.update(path.read_bytes())
    digest.update(library.read_bytes())
    return digest.hexdigest()


def stamp_of(library: Path) -> Path:
    """The file beside a library that holds its stamp."""
    return library.with_suffix(".stamp")


def compile_library(target: Path, compiler: str, extra_flags: Sequence[str] = ()) -> None:
    """Compile the sources of this folder to ``target``, and stamp it.

    The library appears whole or not at all.

    Raises:
        OSError: the compiler cannot be started, or the target's folder cannot be written.
        subprocess.CalledProcessError: it found fault; ``stderr`` says what.
    """
    unfinished = target.with_name(f"{target.name}.{os.getpid()}")
    sources = map(str, sorted(SOURCES.rglob("*.cpp")))
    command = [compiler, *FLAGS, *extra_flags, *sources, "-o", str(unfinished)]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)
        unfinished.replace(target)
    finally:
        unfinished.unlink(missing_ok=True)
    stamp_of(target).write_text(expected_stamp(target))
