"""Passes over the canonical graph: one per file, each leaves the network's function as it is.

``BEFORE_BATCH_IS_FREE`` run while a fixed batch of the source is still in the shapes;
``PASSES`` run in this order after that. ``EXACT_PASSES`` run in their place for exact networks:
they leave the integers of quantized weights, and the order of roundings, as they are.
"""

from onnx2snn.passes.clip_from_extrema import clip_from_extrema
from onnx2snn.passes.constant_operands import constant_operands
from onnx2snn.passes.expand_hard_sigmoid import expand_hard_sigmoid
from onnx2snn.passes.explicit_padding import explicit_padding
from onnx2snn.passes.fold_batch_norm import fold_batch_norm
from onnx2snn.passes.fold_quantized_constants import fold_quantized_constants
from onnx2snn.passes.free_reshape import free_reshape
from onnx2snn.passes.free_resize import free_resize
from onnx2snn.passes.fuse_bias import fuse_bias
from onnx2snn.passes.global_pool import global_pool
from onnx2snn.passes.normalise_gemm import normalise_gemm
from onnx2snn.passes.pool_after_activation import pool_after_activation
from onnx2snn.passes.remove_identity import remove_identity
from onnx2snn.passes.split_leaky_relu import split_leaky_relu
from onnx2snn.passes.split_to_slices import split_to_slices
from onnx2snn.passes.sums_of_two import sums_of_two

BEFORE_BATCH_IS_FREE = (remove_identity, free_reshape, free_resize)
PASSES = (
    split_to_slices,
    sums_of_two,
    expand_hard_sigmoid,
    clip_from_extrema,
    split_leaky_relu,
    constant_operands,
    remove_identity,
    global_pool,
    explicit_padding,
    normalise_gemm,
    fuse_bias,
    fold_batch_norm,
    pool_after_activation,
)
EXACT_PASSES = (
    split_to_slices,
    sums_of_two,
    clip_from_extrema,
    remove_identity,
    global_pool,
    explicit_padding,
    fold_batch_norm,
)

__all__ = ["BEFORE_BATCH_IS_FREE", "EXACT_PASSES", "PASSES", "fold_quantized_constants"]
