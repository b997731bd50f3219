"""The compiled kernels, alone in onnxruntime, in every instruction set."""

import ctypes
import os
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from onnx2snn_runtime.native.compile import find_compiler
from onnx2snn_runtime.native.library import SWITCH, usable_library

SANITIZED = "ONNX2SNN_SANITIZED_LIBRARY"
INSTRUCTIONS = ("portable", "avx2", "avx512", "avx512vnni", "amx")


@pytest.fixture(scope="session")
def library():
    """The path of the kernels. Missing ones are an error where they could have been made."""
    if SANITIZED in os.environ:  # sanitize.py tests a library of its own
        return Path(os.environ[SANITIZED])
    path = usable_library()
    if path is None:
        if find_compiler() and os.environ.get(SWITCH) != "0":
            pytest.fail("there is a C++ compiler but no usable kernels: install the package again")
        pytest.skip("this installation has no compiled kernels")
    return path


@pytest.fixture(scope="session")
def handle(library):
    """The library for direct calls."""
    handle = ctypes.CDLL(str(library))
    handle.onnx2snn_instructions.restype = ctypes.c_char_p
    handle.onnx2snn_use_instructions.argtypes = [ctypes.c_char_p]
    return handle


@pytest.fixture(params=INSTRUCTIONS)
def instructions(request, handle):
    """Every instruction set that this processor has, in turn."""
    before = handle.onnx2snn_instructions()
    if not handle.onnx2snn_use_instructions(request.param.encode()):
        pytest.skip(f"this processor has no {request.param}")
    yield request.param
    handle.onnx2snn_use_instructions(before)


class NativeBench:
    """Computes cases with the kernels; keeps sessions as the bench of the other ways does."""

    def __init__(self, library, bench):
        self._library, self._bench, self._kept = library, bench, {}

    def load(self, model, threads=1):
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        options.intra_op_num_threads = threads
        options.register_custom_ops_library(str(self._library))
        return onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )

    def run(self, case, threads=1):
        """The kernel's outputs; the model holds no function bodies, so nothing else can run."""
        attributes = tuple((k, str(v)) for k, v in sorted(case.attributes.items()))
        arrays = tuple((a.ndim, a.dtype) for a in case.inputs)
        key = (case.spec.name, attributes, arrays, threads)
        if key not in self._kept:
            model = self._bench.model(case)
            del model.functions[:]
            self._kept[key] = self.load(model, threads)
        return self._kept[key].run(None, case.feeds)

    def agree(self, case, same_bits, threads=1):
        """Assert that the kernel gives the bits of the definition."""
        with np.errstate(all="ignore"):  # extremes are meant
            expected, got = case.window(), self.run(case, threads)
        for param, a, b in zip(case.spec.outputs, got, expected, strict=True):
            assert same_bits(a, b), (param.name, a, b)


@pytest.fixture(scope="session")
def native(library, bench):
    return NativeBench(library, bench)
