"""Encoders where values enter time, readouts where they leave it.

::

    analog ─▶ DirectEncode ─▶ time          time ─▶ SpikeDecode(mean) ─▶ analog
"""

from __future__ import annotations

import numpy as np
import onnx_graphsurgeon as gs

from onnx2snn.emit.encoding import SPIKE_CODES
from onnx2snn.emit.encodings import direct
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
            and n.op not in SPIKE_CODES
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
    other = direct.write(emission, tensor) if to_time else _read_out(emission, tensor)
    for reader in readers:
        for i, candidate in enumerate(reader.inputs):
            if candidate is tensor:
                reader.inputs[i] = other
    for i in outputs:
        tensor.name, other.name = other.name, tensor.name
        emission.graph.outputs[i] = other


def _read_out(emission: Emission, tensor: gs.Variable) -> gs.Variable:
    """The mean of a tensor over the window."""
    (maker,) = tensor.inputs
    anchor = tensor.name if emission.regions[maker.name] is Region.SITE else maker.name
    delay = 0 if _leads_back(emission, tensor) else emission.plan.config.readout_delay
    mean = emission.variable(f"{tensor.name}.decoded", tensor, in_time=False)
    node = insert_readout(emission, f"{anchor}.decode", tensor, mean, mode="mean", delay=delay)
    told = f" without its first {delay} steps" if delay else ""
    emission.docs[node.name] = f"Readout: the mean over the window{told}."
    return mean


def _leads_back(emission: Emission, tensor: gs.Variable) -> bool:
    """Whether neurons depend on what is computed from the mean: an island, and no answer."""
    seen: set[str] = set()
    stack = [n for n in consumers(tensor) if emission.regions[n.name] is Region.ANALOG]
    while stack:
        node = stack.pop()
        if emission.regions[node.name] is not Region.ANALOG:
            return True
        if node.name not in seen:
            seen.add(node.name)
            stack.extend(reader for t in node.outputs for reader in consumers(t))
    return False


def insert_readout(
    emission: Emission,
    name: str,
    tensor: gs.Variable,
    answer: gs.Variable,
    *,
    mode: str,
    delay: int = 0,
) -> gs.Node:
    """Add a SpikeDecode that starts from nothing, with no step done.

    Args:
        emission: the graph, changed.
        name: of the node.
        tensor: what is read, in time.
        answer: what it amounts to, out of time.
        mode: as SpikeDecode has it.
        delay: steps at the beginning that do not count.

    Returns:
        The node.
    """
    graph = emission.graph
    before = [
        new_constant(graph, f"{name}.acc_init", np.zeros(1, dtype=np.float32)),
        gs.Constant(unique_name(graph, f"{name}.t_init"), np.zeros((), dtype=np.int64)),
    ]
    acc = emission.variable(f"{name}.acc_final", answer, in_time=False)
    steps = gs.Variable(unique_name(graph, f"{name}.t_final"), dtype=np.int64, shape=[])
    return emission.add(
        "SpikeDecode",
        name,
        [tensor, *before, emission.timesteps],
        [answer, acc, steps],
        Region.TIME,
        domain=DOMAIN,
        attrs={"mode": mode, "cumulative": 0, "delay": delay},
    )


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
