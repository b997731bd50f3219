"""Float layers with their activation inside, as onnxruntime's optimizer saves them.

::

    FusedConv(x, W, b[, z]; activation)   ──▶   activation(Conv(x, W, b) [+ z])
    FusedGemm(a, B, C; activation)        ──▶   activation(Gemm(a, B, C))

The layouts of its later stage (domain com.microsoft.nchwc) are made for one processor: such a file
is refused, the one that it was made from is not.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_graphsurgeon as gs

from onnx2snn.canonical import CanonicalGraph
from onnx2snn.frontend.dialect import DIALECTS, Dialect, refuse
from onnx2snn.frontend.pairs import append
from onnx2snn.graphs import input_at, new_constant, remove

#: Attributes of the activations, in the order of ``activation_params`` or by their own names.
PARAMETERS: dict[str, tuple[str, ...]] = {
    "Relu": (),
    "Sigmoid": (),
    "Tanh": (),
    "LeakyRelu": ("alpha",),
    "HardSigmoid": ("alpha", "beta"),
    "Clip": ("min", "max"),
}


def lower(canonical: CanonicalGraph) -> None:
    """Take the activations out of the layers."""
    for node in FUSED.nodes_of(canonical):
        kind = str(node.attrs.get("activation", ""))
        if kind not in PARAMETERS:
            remedy = "save the network before onnxruntime optimizes it"
            refuse(canonical, node, f"its activation '{kind}' is not supported", remedy)
        _take_apart(canonical.graph, node, kind)


def _take_apart(graph: gs.Graph, node: gs.Node, kind: str) -> None:
    name, result = node.name, node.outputs[0]
    op, inputs, addend = node.op.removeprefix("Fused"), list(node.inputs[:3]), input_at(node, 3)
    attrs = {k: v for k, v in node.attrs.items() if not k.startswith("activation")}
    parameters = _parameters(node.attrs, kind)
    remove(graph, node)
    value = append(graph, op, name, inputs, attrs=attrs)
    if addend is not None:
        value = append(graph, "Add", f"{name}_sum", [value, addend])
    operands = [value]
    if kind == "Clip":
        ends = {k: np.array(v, dtype=np.float32) for k, v in parameters.items()}
        operands += [new_constant(graph, f"{name}_{k}", v) for k, v in ends.items()]
        parameters = {}
    append(graph, kind, f"{name}_{kind.lower()}", operands, result, parameters)


def _parameters(attrs: dict[str, Any], kind: str) -> dict[str, float]:
    names = PARAMETERS[kind]
    given = attrs.get("activation_params") or [attrs.get(f"activation_{n}") for n in names]
    return {n: float(v) for n, v in zip(names, given, strict=False) if v is not None}


FUSED = DIALECTS.register("fused")(
    Dialect(
        "onnxruntime's fused layers",
        {"com.microsoft:FusedConv": 2, "com.microsoft:FusedGemm": 3},
        lower,
    )
)
