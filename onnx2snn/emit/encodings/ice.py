"""ice: input channel expansion, rate codes of T, T + 1 and T − 1 levels side by side.

A network trained with it joins 3·phi quantized copies of its input; the op takes their place. In
any other network the first layer is widened, so that it sees the mean of the copies. At T = 1 the
third copy is silent, and the mean is that of the other two.
"""

from __future__ import annotations

import numpy as np
import onnx_graphsurgeon as gs

from onnx2snn.calibration.signals import Train
from onnx2snn.emit.encoding import (
    ENCODINGS,
    Encoding,
    range_inputs,
    readers_in_time,
    spikes_of,
    valued,
)
from onnx2snn.emit.prefix import Range, leading_to_neurons
from onnx2snn.emit.state import Emission
from onnx2snn.errors import UnsupportedModelError
from onnx2snn.graphs import (
    Array,
    constant,
    data_inputs,
    input_at,
    label,
    new_constant,
    producer,
    rank,
    remove,
    rewire,
)
from onnx2snn.plan import ConversionConfig
from onnx2snn_runtime.opspec import OPS

COPIES = 3
#: They make values out of several.
MIXING = frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul", "AveragePool", "Concat"})


def write(emission: Emission, tensor: gs.Variable, covered: Range) -> gs.Variable:
    """Put a ChannelExpand behind a tensor and widen the layers that read it.

    Raises:
        UnsupportedModelError: a reader is no layer with dense weights.
    """
    readers = readers_in_time(emission, tensor)
    copies = {_copies(node, tensor) for node in readers}
    if len(copies) > 1 or any(n != 1 and n % COPIES for n in copies):
        raise _no_place(readers[0])
    trained = max(copies)
    shares: tuple[float, ...] = (1.0,) * trained
    if trained == 1:
        for node in readers:
            _widen(emission, node)
        shares = _shares(emission.plan.config.timesteps)
    inputs = [tensor, *range_inputs(emission, tensor, covered)]
    attrs: dict[str, object] = {"phi": len(shares) // COPIES, "quantize": "nearest"}
    spikes = spikes_of(emission, tensor, "ChannelExpand", inputs, attrs, copies=len(shares))
    amplitude = _beside(tensor, covered.high - covered.low, shares)
    return valued(emission, tensor, spikes, amplitude, _beside(tensor, covered.low, shares))


def code(values: Array, covered: Range, config: ConversionConfig) -> Train:
    """What a widened layer receives: the mean of the copies."""
    T = config.timesteps
    op = OPS.get("ChannelExpand")
    (rows,) = op.window(values, covered.low, covered.high, np.array(T), phi=1)
    copies = rows.reshape(T, len(values), COPIES, *values.shape[1:])
    mean = np.tensordot(copies, np.array(_shares(T), dtype=np.float32), axes=(2, 0))
    return Train(mean.astype(np.float32), covered.high - covered.low, covered.low)


def _shares(timesteps: int) -> tuple[float, ...]:
    """What each copy counts: the third is silent at T = 1."""
    return (0.5, 0.5, 0.0) if timesteps == 1 else (1 / COPIES,) * COPIES


def take_out_copies(emission: Emission) -> None:
    """Let the first layer of a network trained with expansion read the input itself.

    Such a network joins 3·phi quantized copies along the channels. That the layer has weights for
    3·phi times the channels then tells phi.
    """
    graph = emission.graph
    for node in leading_to_neurons(emission):
        if node.op == "Concat" and len(node.inputs) % COPIES == 0:
            source = _copied(node)
            if source is not None:
                rewire(graph, node.outputs[0], source)
                remove(graph, node)


def _copied(node: gs.Node) -> gs.Variable | None:
    """The tensor of which all inputs are copies, each made value by value."""
    if node.attrs.get("axis") != 1:
        return None
    lines = [_origins(t) for t in node.inputs]
    for tensor in lines[0]:
        if all(any(t is tensor for t in line) for line in lines[1:]):
            alike = all(t.shape is not None and t.shape == tensor.shape for t in node.inputs)
            return tensor if alike else None
    return None


def _origins(tensor: gs.Tensor) -> list[gs.Variable]:
    """The tensors on the way back to where a value comes from, as long as there is one way."""
    line = [tensor]
    while True:
        maker = producer(line[-1])
        if maker is None or maker.op in MIXING or len(data_inputs(maker)) != 1:
            return line
        line.append(maker.inputs[data_inputs(maker)[0]])


def _beside(tensor: gs.Variable, values: Array, shares: tuple[float, ...]) -> Array:
    """Values of the channels of every copy, each multiplied by the copy's share."""
    assert tensor.shape is not None
    shape = np.broadcast_shapes(values.shape, (1,) * (len(tensor.shape) - 1))
    every = np.broadcast_to(values, (tensor.shape[1], *shape[1:]))
    return np.concatenate([every * share for share in shares]).astype(np.float32)


def _copies(node: gs.Node, tensor: gs.Variable) -> int:
    """For how many copies of a tensor's channels a layer has weights.

    Raises:
        UnsupportedModelError: it is no layer with dense weights.
    """
    weights = constant(input_at(node, 1))
    dense = node.op == "Conv" and node.attrs.get("group", 1) == 1
    dense = dense or (node.op in {"Gemm", "MatMul"} and rank(tensor) == 2)
    known = tensor.shape is not None and isinstance(tensor.shape[1], (int, np.integer))
    if weights is None or not known or not dense or node.inputs[0] is not tensor:
        raise _no_place(node)
    return int(weights.shape[_input_axis(node)] // tensor.shape[1])


def _no_place(node: gs.Node) -> UnsupportedModelError:
    return UnsupportedModelError(
        "receives the expanded input, but has no dense weights for its channels",
        file=None,
        node=label(node),
        remedy="convert with --encoding rate",
    )


def _input_axis(node: gs.Node) -> int:
    return 1 if node.op == "Conv" else 0


def _widen(emission: Emission, node: gs.Node) -> None:
    """Repeat the weights for every copy."""
    weights = constant(node.inputs[1])
    wide = np.concatenate([weights] * COPIES, axis=_input_axis(node))
    node.inputs[1] = new_constant(emission.graph, f"{node.name}_widened", wide)


ENCODINGS.register("ice")(
    Encoding(
        "ice",
        "input channel expansion: rate codes of T, T + 1 and T − 1 levels side by side",
        write,
        "Yan et al. 2022",
        fixes_timesteps=True,
        prepare=take_out_copies,
        code=code,
    )
)
