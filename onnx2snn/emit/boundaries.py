"""Encoders where values enter time, readouts where they leave it.

::

    analog ─▶ DirectEncode ─▶ time          time ─▶ SpikeDecode(mean) ─▶ analog
"""

from __future__ import annotations

import numpy as np
import onnx_graphsurgeon as gs

from onnx2snn.emit.state import ROWS, Emission
from onnx2snn.graphs import consumers, label, new_constant, remove, rewire, unique_name
from onnx2snn.plan import Diagnostic
from onnx2snn.sites import Region
from onnx2snn.sites.activation import PASSIVE_QUANTIZER
from onnx2snn_runtime.opspec import DOMAIN


def remove_passive_quantizers(emission: Emission) -> None:
    """Quantizers that are no activation only round; rates do not need their grid."""
    graph = emission.graph
    removed = 0
    for node in list(graph.nodes):
        if node.op in PASSIVE_QUANTIZER and emission.regions[node.name] is Region.TIME:
            removed += node.op == "QuantizeLinear"
            rewire(graph, node.outputs[0], node.inputs[0])
            remove(graph, node)
    if removed:
        emission.diagnostics.append(
            Diagnostic(
                "QUANTIZERS_DROPPED",
                "info",
                "",
                f"{removed} quantizers between populations are left out",
                "they round currents and pooled values, which rates do not need",
            )
        )


def insert_boundaries(emission: Emission) -> None:
    """Put an encoder or a readout wherever a tensor is read in the other region."""
    graph = emission.graph
    _declare_time(emission)
    for tensor in list(graph.tensors().values()):
        if not isinstance(tensor, gs.Variable) or tensor is emission.timesteps:
            continue
        here = _is_time(emission, tensor)
        readers = [
            n
            for n in consumers(tensor)
            if (emission.regions[n.name] is not Region.ANALOG) is not here
        ]
        outputs = [i for i, o in enumerate(graph.outputs) if o is tensor and here]
        if readers or outputs:
            _cross(emission, tensor, readers, outputs, to_time=not here)


def _is_time(emission: Emission, tensor: gs.Variable) -> bool:
    return bool(tensor.inputs) and emission.regions[tensor.inputs[0].name] is not Region.ANALOG


def _declare_time(emission: Emission) -> None:
    """Axis 0 of what lives in time has one row for each step and sample."""
    for node in emission.graph.nodes:
        if emission.regions[node.name] is Region.ANALOG:
            continue
        for i, tensor in enumerate(node.outputs):
            is_state = node.domain == DOMAIN and i > 0
            if tensor.shape is not None and not is_state:
                tensor.shape = [ROWS, *tensor.shape[1:]]


def _cross(
    emission: Emission,
    tensor: gs.Variable,
    readers: list[gs.Node],
    outputs: list[int],
    *,
    to_time: bool,
) -> None:
    op, suffix = ("DirectEncode", "encode") if to_time else ("SpikeDecode", "decode")
    attrs: dict[str, object] = {} if to_time else {"mode": "mean", "cumulative": 0}
    other = emission.variable(f"{tensor.name}.{suffix}d", tensor, in_time=to_time)
    if any(emission.regions[r.name] is Region.SITE for r in tensor.inputs) or to_time:
        anchor = tensor.name
    else:
        anchor = tensor.inputs[0].name
    for reader in readers:
        for i, candidate in enumerate(reader.inputs):
            if candidate is tensor:
                reader.inputs[i] = other
    for i in outputs:
        tensor.name, other.name = other.name, tensor.name
        emission.graph.outputs[i] = other
    states = ([], []) if to_time else readout_states(emission, f"{anchor}.{suffix}", other)
    node = emission.add(
        op,
        f"{anchor}.{suffix}",
        [tensor, *states[0], emission.timesteps],
        [other, *states[1]],
        Region.TIME,
        domain=DOMAIN,
        attrs=attrs,
    )
    emission.docs[node.name] = (
        "The value is a constant current at every time step."
        if to_time
        else "Readout: the mean over the window."
    )


def readout_states(
    emission: Emission, name: str, answer: gs.Variable
) -> tuple[list[gs.Constant], list[gs.Variable]]:
    """What a readout starts from (nothing, no step done), and what it leaves."""
    graph = emission.graph
    before = [
        new_constant(graph, f"{name}.acc_init", np.zeros(1, dtype=np.float32)),
        gs.Constant(unique_name(graph, f"{name}.t_init"), np.zeros((), dtype=np.int64)),
    ]
    acc = emission.variable(f"{name}.acc_final", answer, in_time=False)
    steps = gs.Variable(unique_name(graph, f"{name}.t_final"), dtype=np.int64, shape=[])
    return before, [acc, steps]


def report_analog(emission: Emission, keep_analog: tuple[str, ...]) -> None:
    """Say which nodes stay analog on the user's demand."""
    for node in emission.graph.nodes:
        if node.name in keep_analog:
            emission.diagnostics.append(
                Diagnostic(
                    "KEPT_ANALOG",
                    "info",
                    label(node),
                    "stays as it is, on means over the window",
                    "asked for by --keep-analog",
                )
            )
