"""Onnxruntime with compiled kernels in the place of the file's function bodies."""

from __future__ import annotations

import onnx

from onnx2snn_runtime.backend import BACKENDS, BackendOptions, Executable
from onnx2snn_runtime.backends.stock import StockExecutable, for_stock, is_cpu_alone
from onnx2snn_runtime.backends.stock import load as load_stock
from onnx2snn_runtime.native.library import instructions, usable_library
from onnx2snn_runtime.packed import with_packed_spikes

#: The instruction set that multiplies tiles, and the one that has no products of bytes.
TILED, PORTABLE = "amx", "portable"


def has_kernels(options: BackendOptions) -> bool:
    """Whether there are compiled kernels here that these options let a session use."""
    return is_cpu_alone(options) and usable_library() is not None


@BACKENDS.register("native")
def load(model: onnx.ModelProto, options: BackendOptions) -> Executable:
    """The model in an onnxruntime session that prefers the kernels.

    Ops without a kernel keep their function bodies; so do all where there is no usable library
    (the log says so), or where a provider other than the CPU's is asked for, since the kernels
    would take its tensors back to the CPU. Layers of integer weights run packed where the
    processor multiplies bytes; with AMX, so do layers of float weights that drive neurons.
    """
    if not has_kernels(options):
        return load_stock(model, options)
    kernels = usable_library()
    assert kernels is not None, "has_kernels says so"
    name = instructions(kernels)
    if name == PORTABLE:
        return StockExecutable(for_stock(model, options), options, kernels)
    tiles = name == TILED
    model = with_packed_spikes(model, threads=options.threads, tiles=tiles, floats=tiles)
    return StockExecutable(model, options, kernels)
