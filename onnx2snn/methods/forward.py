"""What a planned network answers, by the walk alone: to compare plans before one is emitted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

import numpy as np

from onnx2snn.calibration.pools import pool_train
from onnx2snn.calibration.populations import AVERAGED
from onnx2snn.calibration.walker import Array, Constant, Corrected, Encode, Signal, Train, Walk
from onnx2snn.methods.work import Work
from onnx2snn.plan import LayerCorrection, NeuronPlan
from onnx2snn.segment import Segment


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
    averaged = any(n.neuron in AVERAGED for n in by_site.values())
    walk = Walk(segments, inputs, timesteps, 1 if averaged else timesteps, encoders)
    walk.corrections.update({c.layer: Corrected(c.weight, c.bias) for c in corrections})
    results = {}
    for view in walk:
        signal: Signal
        if view.site is None:
            signal = Constant(view.means()[view.segment.output], walk.steps)
        elif view.site.is_pool:
            signal = pool_train(view, by_site[view.site.name], walk.steps)
        else:
            work = Work(view, view.site, by_site[view.site.name])
            signal = Train(work.outcome.spikes, work.amplitude, view.site.lower)
        walk.settle(view, signal)
        if view.segment.is_result:
            results[view.segment.name] = (view.wanted, signal.mean(slice(None)))
    return results


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
