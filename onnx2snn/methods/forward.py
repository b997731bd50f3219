"""What a planned network answers, by the walk alone: to compare plans before one is emitted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from onnx2snn.calibration.corrected import by_layer
from onnx2snn.calibration.descent import Observation
from onnx2snn.calibration.pools import pool_train
from onnx2snn.calibration.populations import rows_of_window
from onnx2snn.calibration.runnable import ONE_THREAD
from onnx2snn.calibration.signals import Array, Constant, Encode, Graded, Signal, Train
from onnx2snn.calibration.walker import View, Walk
from onnx2snn.methods.work import Outcome, Work
from onnx2snn.plan import LayerCorrection, NeuronPlan
from onnx2snn.segment import Segment

#: From the shape of a population, [N, ...], to some of its neurons.
Choose: TypeAlias = Callable[[tuple[int, ...]], npt.NDArray[np.bool_]]


def simulate_plan(
    segments: Sequence[Segment],
    neurons: Iterable[NeuronPlan],
    corrections: Iterable[LayerCorrection],
    inputs: Mapping[str, Array],
    timesteps: int,
    encoders: Mapping[str, Encode] = MappingProxyType({}),
) -> dict[str, tuple[Array, Array]]:
    """For every result of the network: what the source answers, and what the plan does.

    Args:
        segments: the network, cut at its populations.
        neurons: one for each site.
        corrections: of layers.
        inputs: [N, ...] by name.
        timesteps: T.
        encoders: of what enters time as spikes, by name.
    """
    by_site = {n.site: n for n in neurons}
    walk = Walk(segments, inputs, timesteps, _rows(by_site, timesteps), encoders)
    return {
        view.segment.name: (view.wanted, signal.mean(slice(None)))
        for view, signal, _ in _settled(walk, by_site, corrections)
        if view.segment.is_result
    }


def observe_plan(
    segments: Sequence[Segment],
    neurons: Iterable[NeuronPlan],
    corrections: Iterable[LayerCorrection],
    inputs: Mapping[str, Array],
    timesteps: int,
    encoders: Mapping[str, Encode] = MappingProxyType({}),
    choose: Choose | None = None,
    *,
    in_time: bool = False,
) -> Observation:
    """What every population of a planned network receives and answers.

    Args:
        segments: the network, cut at its populations.
        neurons: one for each site.
        corrections: of layers.
        inputs: [N, ...] by name.
        timesteps: T.
        encoders: of what enters time as spikes, by name.
        choose: neurons whose mean answer is not rounded to whole spikes.
        in_time: tell of every step, not of means over the window.
    """
    by_site = {n.site: n for n in neurons}
    steps = _rows(by_site, timesteps)
    walk = Walk(segments, inputs, timesteps, steps, encoders, has_source=False, options=ONE_THREAD)
    rows = _every_step if in_time else _only_means
    values = {name: rows(signal) for name, signal in walk.signals.items()}
    answers, slopes = {}, {}
    for view, signal, work in _settled(walk, by_site, corrections, choose):
        segment = view.segment
        if work is not None:
            values[segment.target] = rows(signal)
            answers[segment.target] = signal.mean(slice(None))
            slopes[segment.name] = work.slopes(in_time=in_time)
        elif segment.is_result:
            answers[segment.error] = view.means()[segment.error]
    return Observation(values, answers, slopes)


def _every_step(signal: Signal) -> Array:
    return signal.rows(slice(None))


def _only_means(signal: Signal) -> Array:
    return signal.mean(slice(None))[None]


def _rows(neurons: Mapping[str, NeuronPlan], timesteps: int) -> int:
    return min((rows_of_window(n.neuron, timesteps) for n in neurons.values()), default=timesteps)


def _settled(
    walk: Walk,
    neurons: Mapping[str, NeuronPlan],
    corrections: Iterable[LayerCorrection],
    choose: Choose | None = None,
) -> Iterator[tuple[View, Signal, Work | None]]:
    """Every segment, what it answers, and the population, if it has neurons of its own."""
    walk.corrections.update(by_layer(corrections))
    # A pool that spikes cannot pass on anything else.
    pooled = {n for s in walk.segments if s.site and s.site.is_pool for n in s.inputs}
    for view in walk:
        signal: Signal
        work = None
        if view.site is None:
            signal = Constant(view.means()[view.segment.output], walk.steps)
        elif view.site.is_pool:
            signal = pool_train(view, neurons[view.site.name], walk.steps)
        else:
            work = Work(view, view.site, neurons[view.site.name])
            train = Train(work.outcome.spikes, work.amplitude, view.site.lower)
            signal = train
            if choose is not None and view.segment.target not in pooled:
                signal = unrounded(train, work.outcome, choose)
        walk.settle(view, signal)
        yield view, signal, work


def unrounded(train: Train, outcome: Outcome, choose: Choose) -> Graded:
    """Chosen neurons answer their mean current unrounded, between silence and the largest rate.

    When they fire stays as it was: the difference is spread over all steps.

    Args:
        train: of the population.
        outcome: the same, and the current that it answers.
        choose: the neurons.
    """
    means = outcome.rate * train.amplitude
    missing = np.clip(outcome.drive, 0, train.amplitude)
    missing -= means
    missing *= choose(means.shape)
    values = train.rows(slice(None))
    values += missing
    means += missing
    means += np.float32(train.lower)
    return Graded(values, means)


def agreement(results: Mapping[str, tuple[Array, Array]]) -> float:
    """Share of samples on which the largest outputs are the same, over all results."""
    shares = [
        np.mean(source.reshape(len(source), -1).argmax(1) == plan.reshape(len(plan), -1).argmax(1))
        for source, plan in results.values()
    ]
    return float(np.mean(shares))


def output_error(results: Mapping[str, tuple[Array, Array]]) -> float:
    """Squared error of the plan, relative to the variance of the source's answers; their mean."""
    errors = [
        float(np.square(plan - source, dtype=np.float64).mean() / max(source.var(), 1e-12))
        for source, plan in results.values()
    ]
    return float(np.mean(errors)) if errors else 0.0
