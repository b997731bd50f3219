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
#: Bytes of the largest tensor in time that a core's second-level cache keeps for the next node.
#: Measured: beyond it, a row takes 1.6 times as long where spikes are floats, 1.1 times packed.
CACHE = 2 * 2**20
#: Rows that a matrix product wants at once, however large they are: below, wide networks (VGG-16)
#: wait for their weights.
ENOUGH_ROWS = 32


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
        largest_row: of the largest tensor in time, for every step of every sample.
    """

    per_row: int
    per_sample: int
    largest_row: int = 0

    def samples_in(self, memory: int, steps: int) -> int:
        """Samples that fit with so many steps, at least 1."""
        return max(1, int(memory // (self.per_row * steps + self.per_sample)))

    def steps_in(self, memory: int, samples: int) -> int:
        """Steps that fit with so many samples, at least 1."""
        return max(1, int((memory - samples * self.per_sample) // (samples * self.per_row)))

    def rows_in_cache(self, threads: int) -> int:
        """Rows (steps of samples) at once beyond which tensors leave the processor's caches."""
        return max(ENOUGH_ROWS, threads * CACHE // max(1, self.largest_row))


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
    largest = max((bytes_of.get(name, 0) for name in in_time), default=0)
    return Footprint(round(OVERHEAD * max(rows)), round(per_sample), largest)


def choose_slices(
    need: Footprint,
    memory: int,
    samples: int,
    timesteps: int,
    *,
    batch: int | None,
    window: int | None,
    can_cut: bool,
    threads: int = 1,
    most_steps: int | None = None,
) -> Slices:
    """What to simulate at once: as much as memory holds, and no more than is fast.

    Args:
        need: what the model needs.
        memory: bytes that may be used; one step of one sample is always simulated.
        samples: how many there are.
        timesteps: T.
        batch: samples at once, if that is decided.
        window: steps at once, if that is decided.
        can_cut: whether the window can be cut at all.
        threads: that share the work; each brings caches.
        most_steps: beyond which more samples at once gain more; None: as long as there are steps.
    """
    short = most_steps is not None and window is None and can_cut
    if most_steps is not None and short:
        timesteps = even_steps(timesteps, most_steps)
    enough = 1 if short else ENOUGH_SAMPLES
    slices = _fitting(need, memory, samples, timesteps, batch, window, can_cut, enough)
    if not need.per_row:
        return slices
    rows, steps, at_once = need.rows_in_cache(threads), slices.steps, slices.samples
    if batch is None:
        at_once = min(at_once, max(1, rows // steps))
    if window is None and can_cut and not short:
        steps = min(steps, max(1, rows // at_once))
    return Slices(at_once, steps)


def even_steps(timesteps: int, most: int) -> int:
    """Steps of the windows, none longer than ``most``, into which T is cut most evenly."""
    windows = -(-timesteps // most)
    return -(-timesteps // windows)


def _fitting(
    need: Footprint,
    memory: int,
    samples: int,
    timesteps: int,
    batch: int | None,
    window: int | None,
    can_cut: bool,
    enough: int,
) -> Slices:
    """What fits into memory: the whole window if that leaves enough samples, else a part."""
    if window is not None or not can_cut:
        steps = min(window or timesteps, timesteps)
        fits = need.samples_in(memory, steps) if need.per_row else UNKNOWN_SAMPLES
        return Slices(batch or min(fits, samples), steps)
    if not need.per_row:
        return Slices(batch or UNKNOWN_SAMPLES, min(UNKNOWN_STEPS, timesteps))
    at_once = batch or min(samples, max(enough, need.samples_in(memory, timesteps)))
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
