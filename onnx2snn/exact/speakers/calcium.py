"""Calcium-gated neurons (Gao 2023): the quantizer's integer as a count of signed spikes, nearly.

The window has L steps and a rounding row behind them. One spike is worth S·m/L, with S the
quantizer's scale and m its largest magnitude (127 for int8), so that L spikes say m. In the units
u of the integer accumulator::

    theta = S·m/(L·u)         S_y/(S_w·S_x), whatever L, where m is the same everywhere
    leak  = −offset/(u·L)     for each of the L steps: bias, zero points

Nothing clips above, a potential beyond 3·theta/2 keeps a rest after rounding, and ties depend on
the order of spikes: how equal the network is to its source is measured, not proved.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import inf

import numpy as np
import onnx_graphsurgeon as gs
from onnx import TensorProto

from onnx2snn.emit.state import Emission
from onnx2snn.errors import ConfigError
from onnx2snn.exact import quantizer as quantizers
from onnx2snn.exact.monotone import Clipped
from onnx2snn.exact.quantizer import Quantizer
from onnx2snn.exact.signal import NotExact, Signal, by_channel, paired
from onnx2snn.exact.speaker import SPEAKERS, read_out
from onnx2snn.graphs import Array, consumers, data_inputs, new_constant, producer, rank
from onnx2snn.plan import ActivationSite, ConversionConfig, Diagnostic, NeuronPlan
from onnx2snn.sites import Region
from onnx2snn_runtime.opspec import DOMAIN

#: Neuron models, and whether their window ends with a rounding row.
MODELS = {"ca-lif": True, "ca-lif-unrounded": False, "lif": False}


@dataclass
class Calcium:
    """CalciumIntegrateFire; without gate and rounding for comparison LeakyIntegrateFire.

    Attributes:
        config: for the recipe's name and the neuron model.
        steps: L, the steps of the code.
    """

    config: ConversionConfig
    steps: int = 0

    code = "count"
    arithmetic = "float"
    needs_timesteps = True

    @property
    def silent(self) -> int:
        """Rows behind the code."""
        return int(MODELS[self.config.neuron])

    def begin(self, nodes: Sequence[gs.Node], timesteps: int | None) -> None:
        """Fix L: as asked for, or the largest code of a quantizer."""
        if timesteps is None:
            self.steps = max((_magnitude_of(n) for n in nodes), default=1)
            return
        self.steps = timesteps - self.silent
        if self.steps < 1:
            raise ConfigError(
                f"recipe {self.config.recipe} needs T of at least 2, not {timesteps}",
                remedy="the last step is the rounding row; leave out -T, or give a larger one",
            )

    def encode(
        self, emission: Emission, reader: gs.Node, found: Quantizer, codes: gs.Variable
    ) -> Signal:
        """IsiEncode of whole numbers: of the codes, scaled to L and rounded."""
        graph, values = emission.graph, reader.outputs[0]
        base = f"{reader.name}.code"
        numbers = self._counts(emission, base, values, found, codes)
        spikes = emission.variable(f"{base}.spikes", values, in_time=True)
        largest = np.array([self.steps], dtype=np.float32)
        node = emission.add(
            "IsiEncode",
            f"{reader.name}.encode",
            [numbers, new_constant(graph, f"{base}.largest", largest), emission.timesteps],
            [spikes],
            Region.TIME,
            domain=DOMAIN,
            attrs={"alpha": 1.0, "silent_steps": self.silent},
        )
        emission.docs[node.name] = "The quantizer's integers in time (isi)."
        return self.signal(spikes, found)

    def _counts(
        self,
        emission: Emission,
        base: str,
        values: gs.Variable,
        found: Quantizer,
        codes: gs.Variable,
    ) -> gs.Variable:
        """How many spikes each code gets, float32; IsiEncode alone would take the floor."""
        graph = emission.graph
        numbers = emission.variable(f"{base}.float", values, in_time=False)
        to_float: dict[str, object] = {"to": int(TensorProto.FLOAT)}
        emission.add("Cast", f"{base}.to_float", [codes], [numbers], Region.ANALOG, attrs=to_float)
        if magnitude(found) == self.steps:
            return numbers
        factor = np.array([self.steps / magnitude(found)], dtype=np.float32)
        scaled = emission.variable(f"{base}.scaled", values, in_time=False)
        counts = emission.variable(f"{base}.counts", values, in_time=False)
        share = new_constant(graph, f"{base}.share", factor)
        emission.add("Mul", f"{base}.scale", [numbers, share], [scaled], Region.ANALOG)
        emission.add("Round", f"{base}.round", [scaled], [counts], Region.ANALOG)
        return counts

    def signal(self, spikes: gs.Variable, found: Quantizer) -> Signal:
        """What is known of spikes that speak for a quantizer."""
        return Signal(
            spikes,
            tuple(s * Fraction(magnitude(found), self.steps) for s in found.scales),
            peak=1,
            reach=self.steps + self.silent,
            settled=self.steps + self.silent,
            is_population=True,
            quantizer=found,
        )

    def voice(self, node: gs.Node, found: Quantizer, source: Signal) -> CalciumVoice | None:
        """Thresholds and leak; gated where no code is negative, but for pools.

        The paper has neurons where activations are. A quantizer in front of a sum or an activation
        needs none, for currents add up in the neurons behind; nor does one that repeats another.
        """
        lower = _lower_bound(source)
        if source.is_linear and (_goes_on(node) or _repeats(found, source)):
            return None
        least = min(found.lowest - z for z in found.zero_points)
        maker = producer(node.inputs[0])
        is_pool = maker is not None and maker.op == "AveragePool"
        return CalciumVoice(self, found, source, gated=max(lower, least) >= 0 and not is_pool)

    def timesteps(
        self, settled: int, largest: int, asked: int | None, said: list[Diagnostic]
    ) -> int:
        """The code and the rounding row."""
        return self.steps + self.silent


@dataclass(frozen=True)
class CalciumVoice:
    """A population of calcium-gated neurons."""

    speaker: Calcium
    found: Quantizer
    source: Signal
    gated: bool

    @property
    def lowest(self) -> int:
        """Of a gated neuron zero."""
        return 0 if self.gated else -self.highest

    @property
    def highest(self) -> int:
        """What L spikes say."""
        return magnitude(self.found)

    @property
    def theta(self) -> Array:
        """What one spike is worth, in units of the current; one value or one for each channel."""
        steps, found = self.speaker.steps, self.found
        pairs = paired(found.scales, self.source.units)
        return _floats(s * self.highest / (u * steps) for s, u in pairs)

    @property
    def leak(self) -> Array:
        """What carries the bias, for each step of the code."""
        pairs = paired(self.source.offsets, self.source.units)
        return _floats(-o / (u * self.speaker.steps) for o, u in pairs)

    def insert(self, emission: Emission, name: str, like: gs.Tensor) -> Signal:
        """The population."""
        spikes = emission.variable(f"{name}.spikes", like, in_time=True)
        op, attrs, states = "CalciumIntegrateFire", self._attributes(), ["v", "s"]
        if self.speaker.config.neuron == "lif" and self.gated:
            op, attrs = "LeakyIntegrateFire", {"leak_mode": "linear", "reset": "subtract"}
            states = ["v"]
        ndim = rank(like)
        given = {"theta": by_channel(self.theta, ndim), "leak": by_channel(self.leak, ndim)}
        given |= {f"{s}_init": np.zeros(1, dtype=np.float32) for s in states}
        emission.add(
            op,
            name,
            [
                self.source.tensor,
                *(
                    new_constant(emission.graph, f"{name}.{k}", np.atleast_1d(v))
                    for k, v in given.items()
                ),
                emission.timesteps,
            ],
            [
                spikes,
                *(emission.variable(f"{name}.{s}_final", like, in_time=False) for s in states),
            ],
            Region.SITE,
            domain=DOMAIN,
            attrs=attrs,
        )
        emission.docs[name] = (
            f"Counts up to {self.highest}, the quantizer's largest integer; "
            f"{'gated' if self.gated else 'of both signs'}, "
            f"zero point {', '.join(map(str, self.found.zero_points))}."
        )
        return self.speaker.signal(spikes, self.found)

    def _attributes(self) -> dict[str, object]:
        return {"gated": int(self.gated), "rounding": self.speaker.silent}

    def give_back(
        self, emission: Emission, name: str, spikes: gs.Variable, integers: gs.Variable
    ) -> None:
        """The nearest integer, within the range of its type."""
        graph, found = emission.graph, self.found
        counts = read_out(emission, name, spikes, integers, "sum")
        scale = np.full(len(found.zero_points), self.speaker.steps / self.highest, dtype=np.float32)
        zero = np.array(found.zero_points, dtype=found.dtype)
        one = scale.size == 1
        emission.add(
            "QuantizeLinear",
            f"{name}.to_integer",
            [
                counts,
                new_constant(graph, f"{name}.per_count", scale.reshape(()) if one else scale),
                new_constant(graph, f"{name}.zero_point", zero.reshape(()) if one else zero),
            ],
            [integers],
            Region.ANALOG,
            attrs={"axis": 1},
        )

    def plan(self, site: ActivationSite) -> NeuronPlan:
        """The population for people."""
        neuron = self.speaker.config.neuron
        worth = [s * self.highest / self.speaker.steps for s in self.found.scales]
        ndim = site.rank
        return NeuronPlan(
            site=site.name,
            neuron="lif" if neuron == "lif" and self.gated else "ca-lif",
            threshold=np.atleast_1d(by_channel(self.theta, ndim)).astype(np.float32),
            v_init=np.zeros(1, dtype=np.float32),
            amplitude=np.atleast_1d(by_channel(_floats(worth), ndim)).astype(np.float32),
            provenance={
                "threshold": "scales of quantizers and weights",
                "leak": "bias",
                "gate": "positive" if self.gated else "none",
                "rounding": "last step" if self.speaker.silent else "none",
            },
            leak=np.atleast_1d(by_channel(self.leak, ndim)).astype(np.float32),
        )


def magnitude(found: Quantizer) -> int:
    """The largest code; of a two's complement type the lowest one is left out."""
    return max(1, *(max(found.highest - z, z - found.lowest - 1) for z in found.zero_points))


def _magnitude_of(node: gs.Node) -> int:
    if node.op != "QuantizeLinear":
        return 1
    try:
        return magnitude(quantizers.read(node))
    except NotExact:
        return 1


def _goes_on(node: gs.Node) -> bool:
    """Whether only sums of two computed tensors and activations read a quantizer."""
    readers = consumers(node.outputs[0])
    behind = [r for reader in readers for t in reader.outputs for r in consumers(t)]
    return (
        bool(behind)
        and all(r.op == "DequantizeLinear" for r in readers)
        and all(
            r.op in {"Relu", "Clip"} or (r.op in {"Add", "Sub"} and len(data_inputs(r)) == 2)
            for r in behind
        )
    )


def _repeats(found: Quantizer, source: Signal) -> bool:
    """Whether spikes arrive that already say this quantizer's integers."""
    earlier = source.quantizer
    return (
        source.is_population
        and earlier is not None
        and (earlier.scales, earlier.zero_points) == (found.scales, found.zero_points)
    )


def _lower_bound(source: Signal) -> float:
    """The largest lower bound of what stands in front of the quantizer.

    Raises:
        NotExact: neurons cannot do it.
    """
    bounds = []
    for function in source.functions:
        if not isinstance(function, Clipped) or function.lower > 0:
            raise NotExact("calcium-gated neurons know no activation but Relu and Clip around zero")
        bounds.append(float(function.lower))
    return max(bounds, default=-inf)


def _floats(values: Iterable[Fraction]) -> Array:
    return np.array([float(v) for v in values], dtype=np.float32)


SPEAKERS.register("calcium")(Calcium)
