"""The library of compiled kernels, if this installation has one that works here."""

from __future__ import annotations

import ctypes
import logging
import os
from functools import cache
from pathlib import Path

import onnxruntime

from onnx2snn_runtime.native.compile import LIBRARY, expected_stamp, stamp_of

LOG = logging.getLogger(__name__)

#: Set to 0 in the environment: the kernels are neither made nor used.
SWITCH = "ONNX2SNN_NATIVE"
#: Names an instruction set that is used instead of the best one that the processor has.
INSTRUCTIONS = "ONNX2SNN_INSTRUCTIONS"


@cache
def usable_library() -> Path | None:
    """The library's path; None where there is none that works. Says once, in the log, why not."""
    if os.environ.get(SWITCH) == "0":
        LOG.info("compiled kernels are switched off by %s=0: function bodies are used", SWITCH)
        return None
    if not LIBRARY.exists():
        LOG.info("there are no compiled kernels in this installation: function bodies are used")
        return None
    try:
        examine(LIBRARY)
        wanted = os.environ.get(INSTRUCTIONS)
        if wanted and not use_instructions(LIBRARY, wanted):
            LOG.warning("%s=%s: this processor or library has none such", INSTRUCTIONS, wanted)
    except Exception as error:  # dlopen's and onnxruntime's share no useful base class
        reason = " ".join(str(error).split())
        LOG.warning("compiled kernels cannot be used: %s: function bodies are used", reason)
        return None
    LOG.info("compiled kernels, instruction set %s", instructions(LIBRARY))
    return LIBRARY


def examine(path: Path) -> None:
    """See whether a library of kernels can be used.

    Raises:
        OSError: it was made from other sources or is damaged, or is not for this machine.
        Exception: this onnxruntime does not take it.
    """
    stamp = stamp_of(path)
    if not stamp.exists() or stamp.read_text() != expected_stamp(path):
        raise OSError(f"{path} is damaged or of other sources; install the package again")
    onnxruntime.SessionOptions().register_custom_ops_library(str(path))


def instructions(path: Path) -> str:
    """The instruction set in use: "amx", "avx512vnni", "avx512", "avx2" or "portable"."""
    function = ctypes.CDLL(str(path)).onnx2snn_instructions
    function.restype = ctypes.c_char_p
    name: str = function().decode()
    return name


def use_instructions(path: Path, name: str) -> bool:
    """Use another instruction set from now on; False where there is none of that name."""
    function = ctypes.CDLL(str(path)).onnx2snn_use_instructions
    function.argtypes = [ctypes.c_char_p]
    return bool(function(name.encode()))
