"""How many steps of how many samples fit into memory."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import prod

import numpy as np
import onnx
from onnx import helper

from onnx2snn_runtime.time_axis import spiking_nodes, tensors_in_time

GIB = 2**30
#: What onnxruntime takes for every byte of tensors that are alive: copies in its own layouts,
#: the buffers of Scan, and gaps in its arena. Measured up to 2.7 on VGG-16 and ResNet-20.
OVERHEAD = 3.0
#: Samples simulated at once where the file declares no shapes, and steps if it can be cut.
UNKNOWN_SAMPLES, UNKNOWN_STEPS = 16, 16
#: Below so many samples at once it pays to cut the window instead.
ENOUGH_SAMPLES = 16


@dataclass(frozen=True)
class Slices:
    """What is simulated at once: samples, and steps of each."""

    samples: int
    steps: int


@dataclass(frozen=True)
class Footprint:
    """Bytes that a simulation needs.

    Attributes:
        per_row: for every step of every sample; 0 where the file declares no shapes.
        per_sample: for every sample, however many steps: states, and what is analog.
    """

    per_row: int
    per_sample: int

    def samples_in(self, memory: int, steps: int) -> int:
        """Samples that fit with so many steps, at least 1."""
        return max(1, int(memory // (self.per_row * steps + self.per_sample)))

    def steps_in(self, memory: int, samples: int) -> int:
        """Steps that fit with so many samples, at least 1."""
        return max(1, int((memory - samples * self.per_sample) // (samples * self.per_row)))


def footprint(model: onnx.ModelProto) -> Footprint:
    """The memory that a model needs, going by the shapes that it declares.

    Tensors live from the node that makes them to the last one that reads them; the largest sum
    counts. States live on.
    """
    bytes_of = _declared_bytes(model)
    in_time = tensors_in_time(model)
    states = sum(
        bytes_of.get(node.output[after], 0)
        for node, spec in spiking_nodes(model)
        for _, after in spec.states()
    )
    rows, samples = [0], [0]
    for alive in _alive(model):
        rows.append(sum(bytes_of.get(name, 0) for name in alive & in_time))
        samples.append(sum(bytes_of.get(name, 0) for name in alive - in_time))
    # States are fed, held and given back.
    per_sample = OVERHEAD * max(samples) + 2 * states
    return Footprint(round(OVERHEAD * max(rows)), round(per_sample))


def choose_slices(
    need: Footprint,
    memory: int,
    samples: int,
    timesteps: int,
    *,
    batch: int | None,
    window: int | None,
    can_cut: bool,
) -> Slices:
    """What to simulate at once: the whole window if that leaves enough samples, else a part.

    Args:
        need: what the model needs.
        memory: bytes that may be used; one step of one sample is always simulated.
        samples: how many there are.
        timesteps: T.
        batch: samples at once, if that is decided.
        window: steps at once, if that is decided.
        can_cut: whether the window can be cut at all.
    """
    if window is not None or not can_cut:
        steps = min(window or timesteps, timesteps)
        fits = need.samples_in(memory, steps) if need.per_row else UNKNOWN_SAMPLES
        return Slices(batch or min(fits, samples), steps)
    if not need.per_row:
        return Slices(batch or UNKNOWN_SAMPLES, min(UNKNOWN_STEPS, timesteps))
    at_once = batch or min(samples, max(ENOUGH_SAMPLES, need.samples_in(memory, timesteps)))
    at_once = batch or min(at_once, need.samples_in(memory, 1))
    return Slices(at_once, min(timesteps, need.steps_in(memory, at_once)))


def _declared_bytes(model: onnx.ModelProto) -> dict[str, int]:
    """Bytes of one row of every tensor, as far as its lengths are known."""
    found = {}
    for value in (*model.graph.value_info, *model.graph.input, *model.graph.output):
        tensor = value.type.tensor_type
        if tensor.elem_type and tensor.HasField("shape"):
            lengths = [d.dim_value for d in tensor.shape.dim[1:] if d.dim_value > 0]
            kind = np.dtype(helper.tensor_dtype_to_np_dtype(tensor.elem_type))
            found[value.name] = prod(lengths) * kind.itemsize
    return found


def _alive(model: onnx.ModelProto) -> Iterable[set[str]]:
    """The tensors that are alive while each node runs."""
    last_use = {name: i for i, node in enumerate(model.graph.node) for name in node.input}
    last_use |= {o.name: len(model.graph.node) for o in model.graph.output}
    constants = {t.name for t in model.graph.initializer}
    alive = {i.name for i in model.graph.input} - constants
    for i, node in enumerate(model.graph.node):
        alive.update(node.output)
        yield alive
        alive = {name for name in alive if last_use.get(name, i) > i}
