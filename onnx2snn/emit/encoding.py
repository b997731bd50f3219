"""How the network's inputs enter time.

A constant current commutes with linear operators, so it may stand behind the first layers. Spikes
stand in front of them, behind what only scales or moves values::

    input ─▶ (x − mean)/std ─▶ encoder ─▶ spikes ─▶ Mul(A) ─▶ [+ low] ─▶ first layer

Every encoding but "direct" covers a range of values: the range of the input, carried to where the
encoder stands.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import onnx_graphsurgeon as gs

from onnx2snn.calibration.signals import Train
from onnx2snn.emit.offset import add_offset
from onnx2snn.emit.prefix import Place, Range, find_places
from onnx2snn.emit.state import Emission
from onnx2snn.errors import PlanError
from onnx2snn.graphs import Array, consumers, new_constant
from onnx2snn.plan import ConversionConfig
from onnx2snn.sites import Region
from onnx2snn_runtime.opspec import DOMAIN
from onnx2snn_runtime.registry import Registry

#: From values [N, ...] and their range to spikes, for a plan's options.
Code: TypeAlias = Callable[[Array, Range, ConversionConfig], Train]


@dataclass(frozen=True, eq=False)
class Encoding:
    """A way to enter time.

    Attributes:
        name: as users write it.
        summary: one line.
        write: puts its nodes behind a tensor; gives the tensor in time that stands for the same
            values.
        citation: authors and year; empty where there is none to name.
        is_spikes: whether it stands before the first layers, and needs a range.
        fixes_timesteps: whether what it writes is made for one T.
        prepare: takes out of the network what the encoder will do instead.
        code: what its nodes compute, for calibration; None where the value itself enters.
    """

    name: str
    summary: str
    write: Callable[[Emission, gs.Variable, Range], gs.Variable]
    citation: str = ""
    is_spikes: bool = True
    fixes_timesteps: bool = False
    prepare: Callable[[Emission], None] | None = None
    code: Code | None = None


#: The ops whose spikes are of one unit.
SPIKE_CODES = frozenset({"RateEncode", "IsiEncode", "PoissonEncode", "ChannelExpand"})

ENCODINGS: Registry[Encoding] = Registry("encoding", "onnx2snn.emit.encodings")


def insert_encoders(emission: Emission) -> None:
    """Let spikes into the network in front of its first layers, if the plan says so.

    Raises:
        UnsupportedModelError: something that spikes cannot pass stands in between.
        PlanError: the plan does not say what the input ranges over.
    """
    encoding = ENCODINGS.get(emission.plan.config.encoding)
    for place in coded_places(emission):
        readers = readers_in_time(emission, place.tensor)
        coded = encoding.write(emission, place.tensor, place.range)
        for reader in readers:
            reader.inputs = [coded if t is place.tensor else t for t in reader.inputs]
    emission.graph.toposort()


def coded_places(emission: Emission) -> list[Place]:
    """Where the plan's encoding lets spikes in; the layers behind are in time from now on.

    Raises:
        UnsupportedModelError, PlanError: as :func:`insert_encoders`.
    """
    config = emission.plan.config
    encoding = ENCODINGS.get(config.encoding)
    if not encoding.is_spikes:
        return []
    if config.input_range is None:
        raise PlanError(
            f"encoding '{config.encoding}' needs an input_range",
            remedy="write the smallest and largest input into the plan's config",
        )
    if encoding.prepare is not None:
        encoding.prepare(emission)
    return find_places(emission, config.input_range)


def readers_in_time(emission: Emission, tensor: gs.Variable) -> list[gs.Node]:
    """The nodes that will receive the spikes of a tensor, its encoder left out."""
    return [
        n
        for n in consumers(tensor)
        if emission.regions[n.name] is not Region.ANALOG and n.op not in SPIKE_CODES
    ]


def spikes_of(
    emission: Emission,
    tensor: gs.Variable,
    op: str,
    inputs: list[gs.Tensor],
    attrs: dict[str, object],
    *,
    states: tuple[list[gs.Tensor], list[gs.Tensor]] = ([], []),
    copies: int = 1,
) -> gs.Variable:
    """The spikes of a new encoder.

    Args:
        emission: the graph, changed.
        tensor: whose values are coded; names and shapes come from it.
        op: the spiking op.
        inputs: of the op, up to the states.
        attrs: its attributes.
        states: what it starts from, and what it leaves.
        copies: how many times as many channels come out.
    """
    spikes = emission.variable(f"{tensor.name}.spikes", tensor, in_time=True)
    if copies > 1 and spikes.shape is not None:
        spikes.shape[1] = copies * spikes.shape[1]
    node = emission.add(
        op,
        f"{tensor.name}.encode",
        [*inputs, *states[0], emission.timesteps],
        [spikes, *states[1]],
        Region.TIME,
        domain=DOMAIN,
        attrs=attrs,
    )
    emission.docs[node.name] = f"The input as spikes ({emission.plan.config.encoding})."
    return spikes


def valued(
    emission: Emission, tensor: gs.Variable, spikes: gs.Variable, amplitude: Array, low: Array
) -> gs.Variable:
    """The values that spikes stand for: amplitude·spikes + low.

    The amplitude later moves into the weights behind. The offset moves into their bias at once,
    where the readers of ``tensor`` are layers.
    """
    product = gs.Variable(f"{tensor.name}.valued", np.float32, spikes.shape)
    scale = new_constant(emission.graph, f"{tensor.name}.amplitude", amplitude.astype(np.float32))
    emission.amplitudes.append(
        emission.add("Mul", f"{tensor.name}.scale", [spikes, scale], [product], Region.TIME)
    )
    if not low.any():
        return product
    return add_offset(emission, tensor, readers_in_time(emission, tensor), product, low)


def range_inputs(emission: Emission, tensor: gs.Variable, covered: Range) -> list[gs.Tensor]:
    """The constants ``low`` and ``high``."""
    return [
        new_constant(emission.graph, f"{tensor.name}.{name}", values.astype(np.float32))
        for name, values in (("low", covered.low), ("high", covered.high))
    ]
