"""Layer by layer through the network: what arrives at each population from the ones before.

Segments come in topological order. Each is run by onnxruntime on the source's activations (the
reference), and on the spikes of populations that are settled already. The rule of the house::

    for view in walk:              # one segment after the other
        …                          # look at view.wanted, view.currents(), …
        walk.settle(view, signal)  # what later segments shall receive

Memory: a tensor is held as long as a later segment reads it, as float32 of the source (4 bytes)
and as int8 spikes (R bytes for each neuron and sample, R = T, or 4 where spikes are averages);
:func:`bytes_per_sample` tells the largest sum before the walk begins.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from types import MappingProxyType

import numpy as np
import onnx
from onnx import numpy_helper

from onnx2snn.calibration.corrected import Corrected, Runner
from onnx2snn.calibration.runnable import ALL_THREADS
from onnx2snn.calibration.signals import Array, Constant, Encode, Signal, Train, rates
from onnx2snn.errors import CalibrationError
from onnx2snn.plan import ActivationSite
from onnx2snn.segment import Layer, Segment
from onnx2snn_runtime.backend import BackendOptions

#: Rows [R·n, ...] that a segment is run on at once, about.
ROWS = 256
#: Bytes for each value of the segment at work, beside what is held: outputs of the reference, the
#: current's means, and arrays of stages.
AT_WORK = 40
#: Currents are kept for all stages of a population up to so many bytes; larger ones are computed
#: anew whenever they are looked at.
KEPT = 3 << 28


class View:
    """What is known at the end of one segment, before its population is settled.

    Attributes:
        segment: the piece of network.
        timesteps: T.
    """

    def __init__(self, walk: Walk, segment: Segment) -> None:
        self.segment = segment
        self.timesteps = walk.timesteps
        self._walk = walk
        self._signals = {n: walk.signals[n] for n in segment.inputs}
        self._kept: tuple[Mapping[str, Corrected] | None, list[tuple[slice, Array]]] | None = None
        self._values = {n: walk.values[n] for n in segment.inputs} if walk.has_source else {}

    @cached_property
    def _source(self) -> tuple[Array, Array, Array]:
        reference = Runner(self.segment.reference, {})
        names = (self.segment.output, self.segment.target, self.segment.error)
        parts = []
        for part in self._walk.parts(1):
            outputs = reference.run({n: v[part] for n, v in self._values.items()})
            parts.append([outputs[n] for n in names])
        ann, wanted, judged = (np.concatenate(values) for values in zip(*parts, strict=True))
        if not np.isfinite(ann).all():
            raise CalibrationError(
                "an activation is NaN or infinite on the calibration data",
                node=f"'{self.segment.name}'",
                remedy="check the data's preprocessing",
            )
        return ann, wanted, judged

    @property
    def ann(self) -> Array:
        """[N, ...] what the source network computes at ``segment.output``."""
        return self._source[0]

    @property
    def wanted(self) -> Array:
        """[N, ...] the activation behind it; ``ann`` where there is no population."""
        return self._source[1]

    @property
    def judged(self) -> Array:
        """[N, ...] what the source network computes at ``segment.error``."""
        return self._source[2]

    @property
    def site(self) -> ActivationSite | None:
        """The population at the end, if there is one."""
        return self.segment.site

    @property
    def is_exact(self) -> bool:
        """Whether nothing changes in time: then there is no error to correct."""
        return all(isinstance(s, Constant) for s in self._signals.values())

    def weights(self, layer: Layer) -> Corrected:
        """Weights and bias of a layer as they are now."""
        known = self._walk.corrections.get(layer.node)
        if known is not None:
            return known
        model = onnx.load_from_string(self.segment.model)
        constants = {t.name: t for t in model.graph.initializer}
        weight = numpy_helper.to_array(constants[layer.weight])
        bias = None if layer.bias is None else numpy_helper.to_array(constants[layer.bias])
        return Corrected(weight, bias)

    def means(self, corrections: Mapping[str, Corrected] | None = None) -> dict[str, Array]:
        """All outputs of the segment, and its inputs, for mean inputs.

        In time a segment is affine, so these are the means over the window.
        """
        runner = self._runner(corrections)
        parts = [
            runner.run({n: s.mean(part) for n, s in self._signals.items()})
            for part in self._walk.parts(1)
        ]
        return {name: np.concatenate([p[name] for p in parts]) for name in parts[0]}

    def currents(
        self, corrections: Mapping[str, Corrected] | None = None
    ) -> Iterator[tuple[slice, Array]]:
        """Part after part of the samples: ``segment.output`` at every step, [R, n, ...].

        Kept for the next time that they are asked for, with the very same corrections, if they are
        not too large.
        """
        if self._kept is not None and self._kept[0] is corrections:
            yield from self._kept[1]
            return
        self._kept = None
        runner = self._runner(corrections)
        made, room = [], KEPT
        for part in self._walk.parts(self._walk.steps):
            current = self._current(runner, part)
            room -= current.nbytes
            made.append((part, current))
            if room < 0:
                made.clear()
            yield part, current
        if room >= 0:
            self._kept = (corrections, made)

    def _current(self, runner: Runner, part: slice) -> Array:
        if not self.is_exact:
            return self._in_time(runner, {n: s.rows(part) for n, s in self._signals.items()})
        value = runner.run({n: s.mean(part) for n, s in self._signals.items()})[self.segment.output]
        return np.broadcast_to(value, (self._walk.steps, *value.shape))

    def saturated(self) -> Array:
        """``segment.output`` of one sample if every input fired at every step.

        Values that are no spikes are taken at their mean over the samples.
        """
        feeds = {
            n: s.full if isinstance(s, Train) else s.mean(slice(None)).mean(axis=0, keepdims=True)
            for n, s in self._signals.items()
        }
        values: Array = self._runner(None).run(feeds)[self.segment.output][0]
        return values

    def amplitudes(self) -> Array:
        """[C, 1, ...]: what a spike is worth behind operators that only move and pool spikes."""
        moved = self.saturated()
        worth: Array = moved.max(axis=tuple(range(1, moved.ndim)), keepdims=True)
        return worth

    def cumulated(self) -> Iterator[tuple[slice, Array]]:
        """As :meth:`currents`, for inputs summed up to every step."""
        runner = self._runner(None)
        for part in self._walk.parts(self._walk.steps):
            sums = {
                n: np.cumsum(s.rows(part), axis=0, dtype=np.float32)
                for n, s in self._signals.items()
            }
            yield part, self._in_time(runner, sums)

    def _in_time(self, runner: Runner, feeds: Mapping[str, Array]) -> Array:
        steps = self._walk.steps
        flat = {n: v.reshape(-1, *v.shape[2:]) for n, v in feeds.items()}
        values = runner.run(flat)[self.segment.output]
        return values.reshape(steps, -1, *values.shape[1:])

    def _runner(self, corrections: Mapping[str, Corrected] | None) -> Runner:
        every = {**self._walk.corrections, **(corrections or {})}
        return Runner(self.segment.model, every, self._walk.options)


class Walk:
    """The walk's state: what is known of every tensor that a later segment reads.

    Args:
        segments: in topological order.
        inputs: [N, ...] the network's inputs by name.
        timesteps: T.
        steps: R, rows of a window: T, or 1 where only means over the window matter.
        encoders: of inputs and analog values that enter time as spikes, by name; others are
            constant currents.
        has_source: whether the source network runs beside it; else views know nothing of it.
        options: how segments are run.
    """

    def __init__(
        self,
        segments: Sequence[Segment],
        inputs: Mapping[str, Array],
        timesteps: int,
        steps: int,
        encoders: Mapping[str, Encode] = MappingProxyType({}),
        *,
        has_source: bool = True,
        options: BackendOptions = ALL_THREADS,
    ) -> None:
        self.segments = segments
        self.has_source = has_source
        self.options = options
        self._encoders = encoders
        self.timesteps, self.steps = timesteps, steps
        self.samples = len(next(iter(inputs.values())))
        self.values: dict[str, Array] = dict(inputs)
        self.signals: dict[str, Signal] = {
            n: self._entering(n, Constant(v, steps)) for n, v in inputs.items()
        }
        self.corrections: dict[str, Corrected] = {}

    def parts(self, steps: int) -> list[slice]:
        """The samples in parts of about ROWS rows."""
        size = max(1, ROWS // steps)
        return [slice(i, i + size) for i in range(0, self.samples, size)]

    def __iter__(self) -> Iterator[View]:
        """One view after the other; each must be settled before the next."""
        for at, segment in enumerate(self.segments):
            yield View(self, segment)
            needed = {n for later in self.segments[at + 1 :] for n in later.inputs}
            for held in (self.values, self.signals):
                for name in held.keys() - needed:
                    del held[name]

    def settle(
        self, view: View, signal: Signal, corrections: Mapping[str, Corrected] | None = None
    ) -> None:
        """What later segments receive from the end of this one, and corrected layers."""
        self.corrections.update(corrections or {})
        if self.has_source:
            self.values[view.segment.target] = view.wanted
        self.signals[view.segment.target] = self._entering(view.segment.target, signal)

    def _entering(self, name: str, signal: Signal) -> Signal:
        """A value as its encoder lets it into time."""
        encode = self._encoders.get(name)
        if encode is None or not isinstance(signal, Constant):
            return signal
        train = encode(signal.values)
        averaged = self.steps == 1
        return replace(train, spikes=rates(train.spikes)[None]) if averaged else train


def bytes_per_sample(segments: Sequence[Segment], inputs: Mapping[str, Array], steps: int) -> int:
    """The most that a walk holds for each sample, by running the reference on one sample."""
    walk = Walk(segments, {n: v[:1] for n, v in inputs.items()}, 1, 1)
    most = 0
    for view in walk:
        held = sum(v.size for v in walk.values.values()) * (4 + max(steps, 4))
        most = max(most, held + view.ann.size * (AT_WORK + max(steps, 4)))
        walk.settle(view, Constant(view.wanted, 1))
    return most
