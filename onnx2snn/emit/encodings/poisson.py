"""poisson: random spikes, with the value's place in the range as probability.

The op draws its numbers from the seed and a sample's index. The index here is a sum over the
sample itself, in integers: so the same image gives the same train in every batch, order and
program, and nobody has to feed anything but the image.
"""

from __future__ import annotations

import numpy as np
import onnx_graphsurgeon as gs
from onnx import TensorProto

from onnx2snn.calibration.signals import Train
from onnx2snn.emit.encoding import ENCODINGS, Encoding, range_inputs, spikes_of, valued
from onnx2snn.emit.prefix import Range
from onnx2snn.emit.state import Emission
from onnx2snn.graphs import Array, new_constant, rank, unique_name
from onnx2snn.plan import ConversionConfig
from onnx2snn.sites import Region
from onnx2snn_runtime.opspec import OPS, split_time

#: Steps between 0 and 1 that make a difference to the index.
RESOLUTION = 2.0**16


def write(emission: Emission, tensor: gs.Variable, covered: Range) -> gs.Variable:
    """Put a PoissonEncode behind a tensor, and what it reads in front of it."""
    graph = emission.graph
    share = _share(emission, tensor, covered)
    start = gs.Constant(unique_name(graph, f"{tensor.name}.t_init"), np.zeros((), dtype=np.int64))
    after = gs.Variable(unique_name(graph, f"{tensor.name}.t_final"), np.int64, [])
    spikes = spikes_of(
        emission,
        tensor,
        "PoissonEncode",
        [share, _index(emission, tensor, share)],
        {"seed": emission.plan.config.seed},
        states=([start], [after]),
    )
    return valued(emission, tensor, spikes, covered.high - covered.low, covered.low)


def _share(emission: Emission, tensor: gs.Variable, covered: Range) -> gs.Variable:
    """The value's place in the range, 0 to 1 inside of it."""
    name = tensor.name
    low, _ = range_inputs(emission, tensor, covered)
    extent = (covered.high - covered.low).astype(np.float32)
    width = new_constant(emission.graph, f"{name}.width", extent)
    above = emission.variable(f"{name}.above_low", tensor, in_time=False)
    share = emission.variable(f"{name}.share", tensor, in_time=False)
    emission.add("Sub", f"{name}.from_low", [tensor, low], [above], Region.ANALOG)
    emission.add("Div", f"{name}.to_share", [above, width], [share], Region.ANALOG)
    return share


def _index(emission: Emission, tensor: gs.Variable, share: gs.Variable) -> gs.Variable:
    """An int64 number [N] of each sample, from its values alone."""
    graph, name = emission.graph, tensor.name
    fine = emission.variable(f"{name}.fine", tensor, in_time=False)
    whole = emission.variable(f"{name}.whole", tensor, in_time=False)
    whole.dtype = np.int64
    index = gs.Variable(unique_name(graph, f"{name}.index"), np.int64, [emission.batch])
    factor = new_constant(graph, f"{name}.resolution", np.array([RESOLUTION], dtype=np.float32))
    axes = new_constant(graph, f"{name}.axes", np.arange(1, rank(tensor) or 1, dtype=np.int64))
    emission.add("Mul", f"{name}.to_fine", [share, factor], [fine], Region.ANALOG)
    emission.add(
        "Cast",
        f"{name}.to_whole",
        [fine],
        [whole],
        Region.ANALOG,
        attrs={"to": int(TensorProto.INT64)},
    )
    emission.add(
        "ReduceSum",
        f"{name}.to_index",
        [whole, axes],
        [index],
        Region.ANALOG,
        attrs={"keepdims": 0},
    )
    return index


def code(values: Array, covered: Range, config: ConversionConfig) -> Train:
    """What the nodes compute."""
    low, extent = covered.low, covered.high - covered.low
    share = ((values - low) / extent).astype(np.float32)
    whole = (share * np.float32(RESOLUTION)).astype(np.int64)
    index = whole.reshape(len(whole), -1).sum(axis=1)
    start, T = np.array(0), np.array(config.timesteps)
    rows, _ = OPS.get("PoissonEncode").window(share, index, start, T, seed=config.seed)
    return Train(split_time(rows, config.timesteps).astype(np.int8), extent, low)


ENCODINGS.register("poisson")(
    Encoding("poisson", "random spikes, with the value as probability", write, code=code)
)
