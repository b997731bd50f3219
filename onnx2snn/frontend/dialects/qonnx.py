"""QONNX: quantizers of any bit width, as Brevitas, QKeras and FINN write them.

::

    Quant(x; scale, zero, bits)     ──▶   Clip(x) ─▶ Q ─▶ DQ        8 or 16 bits hold the integers
    Quant(constant)                 ──▶   integers ─▶ DQ
    BipolarQuant(x; s)  = x ≥ 0 ? s : −s
                                    ──▶   Clip(x − s, −2s, 0) ─▶ Q ─▶ DQ, scale 2s  ─▶  + s

Clip cuts to the ends of the narrow range, (q_min − zero)·scale and (q_max − zero)·scale. The two
levels of the bipolar quantizer are −1 and 0: x = 0 gives −½, which QuantizeLinear rounds to 0.

Source: the specification of QONNX (github.com/fastmachinelearning/qonnx, docs/qonnx-custom-ops).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx_graphsurgeon as gs

from onnx2snn.canonical import CanonicalGraph
from onnx2snn.frontend.dialect import DIALECTS, Dialect, refuse
from onnx2snn.frontend.pairs import Grid, append, clip, dequantize, quantize
from onnx2snn.graphs import Array, constant, input_at, label, new_constant, remove
from onnx2snn.plan import Diagnostic

DOMAINS = ("qonnx.custom_op.general", "onnx.brevitas", "finn.custom_op.general")
QUANT, BIPOLAR = frozenset({"Quant", "IntQuant"}), "BipolarQuant"
#: Known by name only.
REFUSED = frozenset({"Trunc", "FloatQuant"})
#: Half to even, under its two names.
ROUNDING = frozenset({"ROUND", "HALF_EVEN"})
MOST_BITS, MOST_BITS_OF_CONSTANTS = 16, 32
REMEDY = "export the network in QDQ form"


@dataclass(frozen=True)
class _Range:
    """The integers of a quantizer and the type that holds them."""

    lowest: int
    highest: int
    dtype: np.dtype[Any]

    @property
    def is_narrow(self) -> bool:
        """Whether the type holds more than these integers."""
        info = np.iinfo(self.dtype)
        return (self.lowest, self.highest) != (info.min, info.max)


def lower(canonical: CanonicalGraph) -> None:
    """Write every quantizer as QuantizeLinear and DequantizeLinear."""
    for node in QONNX.nodes_of(canonical):
        if node.op in REFUSED:
            refuse(canonical, node, f"{node.op} is not supported", REMEDY)
        elif node.op == BIPOLAR:
            _lower_bipolar(canonical, node)
        else:
            _lower_quant(canonical, node)


def _lower_quant(canonical: CanonicalGraph, node: gs.Node) -> None:
    mode = str(node.attrs.get("rounding_mode", "ROUND")).upper()
    if mode not in ROUNDING:
        refuse(canonical, node, f"rounding mode {mode} is not supported", "round half to even")
    scale, zero, bits = (_parameter(canonical, node, i) for i in (1, 2, 3))
    integers = _integer_range(canonical, node, bits)
    grid = _grid(canonical, node, scale, zero, integers.dtype)
    values = constant(node.inputs[0])
    if values is not None:
        if not _fits(values, scale, zero):
            refuse(canonical, node, "its scale does not fit its values", REMEDY)
        codes = _codes(values, scale, zero, integers)
        return _replace_constant(canonical.graph, node, codes, grid)
    if integers.dtype.itemsize > 2:
        what = f"activations of {int(bits.max())} bits, at most {MOST_BITS} are supported"
        refuse(canonical, node, what, "quantize to fewer bits, or leave the activations float")
    _report_ties(canonical, node, grid)
    return _replace_quantizer(canonical.graph, node, grid, integers)


def _parameter(canonical: CanonicalGraph, node: gs.Node, index: int) -> Array:
    values = constant(input_at(node, index))
    if values is None:
        refuse(canonical, node, "its scale, zero point or bit width is computed", REMEDY)
    return values


def _integer_range(canonical: CanonicalGraph, node: gs.Node, bits: Array) -> _Range:
    """The integers of this many bits, by the attributes ``signed`` and ``narrow``."""
    width = float(bits.reshape(-1)[0])
    if (bits != width).any() or width != int(width) or not 1 <= width <= MOST_BITS_OF_CONSTANTS:
        refuse(canonical, node, f"a bit width of {width:g} is not supported", REMEDY)
    signed, narrow = bool(node.attrs.get("signed", 1)), bool(node.attrs.get("narrow", 0))
    lowest = -(2 ** (int(width) - 1)) + narrow if signed else 0
    highest = 2 ** (int(width) - 1) - 1 if signed else 2 ** int(width) - 1 - narrow
    if lowest >= highest:
        refuse(canonical, node, "a narrow range of 1 bit has one value only", REMEDY)
    size = next(s for s in (8, 16, 32) if width <= s)
    # DequantizeLinear knows no uint32; what does not fit into int32 is refused by its range.
    return _Range(lowest, highest, np.dtype(f"{'u' if not signed and size < 32 else ''}int{size}"))


def _grid(
    canonical: CanonicalGraph, node: gs.Node, scale: Array, zero: Array, dtype: np.dtype[Any]
) -> Grid:
    info = np.iinfo(dtype)
    if (zero != np.round(zero)).any() or zero.min() < info.min or zero.max() > info.max:
        what = f"a zero point that is no {dtype.name} number is not supported"
        refuse(canonical, node, what, REMEDY)
    if dtype.itemsize > 2 and zero.any():
        refuse(canonical, node, "32 bits with a zero point are not supported", REMEDY)
    shape = np.broadcast_shapes(scale.shape, zero.shape)
    scale, zero = np.broadcast_to(scale, shape), np.broadcast_to(zero, shape).astype(dtype)
    if scale.size == 1:
        return Grid(scale.reshape(()), zero.reshape(()))
    axes = [i for i, length in enumerate(shape) if length != 1]
    if len(axes) != 1:
        refuse(canonical, node, "its scale differs along several axes", REMEDY)
    return Grid(scale.reshape(-1), zero.reshape(-1), axes[0] - len(shape))


def _fits(values: Array, *parameters: Array) -> bool:
    """Whether parameters broadcast to the values and not beyond."""
    try:
        return np.broadcast_shapes(values.shape, *(p.shape for p in parameters)) == values.shape
    except ValueError:
        return False


def _codes(values: Array, scale: Array, zero: Array, integers: _Range) -> Array:
    """The integers of constants, in float32 as the specification computes them."""
    scaled = values.astype(np.float32) / scale.astype(np.float32) + zero.astype(np.float32)
    scaled = scaled.astype(np.float64)  # which holds the ends of 32 bits
    return np.round(np.clip(scaled, integers.lowest, integers.highest)).astype(integers.dtype)


def _replace_constant(graph: gs.Graph, node: gs.Node, codes: Array, grid: Grid) -> None:
    name, target = node.name, node.outputs[0]
    integers = new_constant(graph, f"{node.inputs[0].name}_integers", codes)
    remove(graph, node)
    dequantize(graph, name, integers, grid, target)


def _replace_quantizer(graph: gs.Graph, node: gs.Node, grid: Grid, integers: _Range) -> None:
    name, source, target = node.name, node.inputs[0], node.outputs[0]
    remove(graph, node)
    if integers.is_narrow:
        ends = (integers.lowest, integers.highest)
        source = clip(graph, f"{name}_clip", source, grid, ends)
    codes = quantize(graph, name, source, grid)
    dequantize(graph, f"{name}_dequantize", codes, grid, target)


def _lower_bipolar(canonical: CanonicalGraph, node: gs.Node) -> None:
    graph = canonical.graph
    scale = _parameter(canonical, node, 1).astype(np.float32)
    values = constant(node.inputs[0])
    if values is not None:
        signs = np.where(values >= 0, 1, -1).astype(np.int8)
        grid = _grid(canonical, node, scale, np.zeros((), np.float32), signs.dtype)
        return _replace_constant(graph, node, signs, grid)
    grid = _grid(canonical, node, 2 * scale, np.zeros((), np.float32), np.dtype(np.int8))
    name, source, target = node.name, node.inputs[0], node.outputs[0]
    remove(graph, node)
    shift = new_constant(graph, f"{name}_level", scale.reshape(()) if scale.size == 1 else scale)
    shifted = append(graph, "Sub", f"{name}_shift", [source, shift])
    clipped = clip(graph, f"{name}_clip", shifted, grid, (-1, 0))
    levels = dequantize(graph, f"{name}_dequantize", quantize(graph, name, clipped, grid), grid)
    append(graph, "Add", f"{name}_back", [levels, shift], target)
    return None


def _report_ties(canonical: CanonicalGraph, node: gs.Node, grid: Grid) -> None:
    """QONNX adds the zero point before it rounds, QuantizeLinear behind."""
    if (grid.zero.astype(np.int64) % 2).any():
        canonical.diagnostics.append(
            Diagnostic(
                "QUANTIZER_TIES",
                "info",
                label(node),
                "values halfway between two levels go to the other one",
                why="its zero point is odd, and QuantizeLinear adds it after rounding half to even",
            )
        )


LEAST_INPUTS = dict.fromkeys(QUANT, 4) | {BIPOLAR: 2} | dict.fromkeys(REFUSED, 1)
QONNX = DIALECTS.register("qonnx")(
    Dialect("QONNX", {f"{d}:{op}": n for d in DOMAINS for op, n in LEAST_INPUTS.items()}, lower)
)
