"""Runs the tests of the kernels with the address and undefined behaviour sanitizers.

    python tests/runtime/native/sanitize.py

Exits with the tests' status; with 0, saying so, where no compiler offers the sanitizers.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from onnx2snn_runtime.native.compile import compile_library, find_compiler

FLAGS = ("-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=undefined")
NAMES = ("test_counts.py", "test_kernels.py", "test_packed.py")
TESTS = [Path(__file__).with_name(name) for name in NAMES]


def library_of(compiler, name):
    """A library that comes with the compiler; None where it has none of that name."""
    found = subprocess.run(
        [compiler, f"-print-file-name={name}"], check=True, capture_output=True, text=True
    )
    path = Path(found.stdout.strip())
    return path if path.is_absolute() and path.exists() else None


def main():
    compiler = find_compiler()
    # The sanitizer must be in the process before all others; it looks for the C++ exceptions.
    preloaded = compiler and [library_of(compiler, n) for n in ("libasan.so", "libstdc++.so")]
    if not preloaded or None in preloaded:
        print("skipped: no C++ compiler with the address sanitizer")
        return 0
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / "sanitized.so"
        compile_library(library, compiler, FLAGS)
        environment = os.environ | {
            "LD_PRELOAD": " ".join(map(str, preloaded)),
            # Python and onnxruntime keep memory until the process ends.
            "ASAN_OPTIONS": "detect_leaks=0:detect_odr_violation=0",
            "UBSAN_OPTIONS": "print_stacktrace=1",
            "ONNX2SNN_SANITIZED_LIBRARY": str(library),
            "PYTHONMALLOC": "malloc",
        }
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *map(str, TESTS)]
        return subprocess.run(command, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
