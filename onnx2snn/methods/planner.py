"""From sites and statistics to one neuron plan for each site."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from onnx2snn.calibration import SiteStatistics
from onnx2snn.errors import CalibrationError
from onnx2snn.methods.base import BIASES, POTENTIALS, THRESHOLDS, ThresholdMethod, Vector
from onnx2snn.plan import ActivationSite, ConversionConfig, Diagnostic, NeuronPlan

AUTO = "auto"
#: What "auto" takes, first what knows most. Statistics are there only if data were given, or as
#: the last resort.
AUTO_ORDER = ("mmse", "quantizer-normal", "gaussian", "bound")
#: The threshold of a channel that never fires; its amplitude is zero.
DEAD_THRESHOLD = 1.0


def sites_without_threshold(
    sites: Sequence[ActivationSite], config: ConversionConfig
) -> list[ActivationSite]:
    """The sites for which the chosen method needs statistics of activations."""
    return [s for s in sites if not s.is_pool and _choose(s, None, config) is None]


def plan_neurons(
    sites: Sequence[ActivationSite],
    statistics: Mapping[str, SiteStatistics],
    config: ConversionConfig,
    diagnostics: list[Diagnostic],
) -> tuple[tuple[NeuronPlan, ...], bool]:
    """A plan for each site, and whether any constant depends on T.

    Raises:
        CalibrationError: the chosen method cannot be applied to a site.
    """
    plans = []
    fixed = False
    for site in sites:
        if site.is_pool:
            plans.append(_plan_pool(site, config))
            continue
        chosen = _choose(site, statistics.get(site.name), config)
        if chosen is None:
            method = THRESHOLDS.get(config.threshold)
            raise CalibrationError(
                f"the threshold method '{method.name}' needs {method.needs}",
                node=f"'{site.name}'",
                remedy="choose another with --threshold, or 'auto'",
            )
        method, values = chosen
        shifted = BIASES.get(config.bias).shift != 0
        fixed = fixed or method.depends_on_timesteps or shifted
        plans.append(_plan_site(site, method, values, statistics.get(site.name), config))
        _report_dead(site, values, diagnostics)
    return tuple(plans), fixed


def _choose(
    site: ActivationSite, statistics: SiteStatistics | None, config: ConversionConfig
) -> tuple[ThresholdMethod, Vector] | None:
    if statistics is not None and statistics.synthetic:
        # Made-up inputs leave silent many channels that real ones would excite.
        config = replace(config, granularity="layer")
    names = AUTO_ORDER if config.threshold == AUTO else (config.threshold,)
    if site.counts_answers:
        names = ("bound",)
    for name in names:
        method = THRESHOLDS.get(name)
        values = method.compute(site, statistics, config)
        if values is not None:
            return method, values
    return None


def _plan_site(
    site: ActivationSite,
    method: ThresholdMethod,
    values: Vector,
    statistics: SiteStatistics | None,
    config: ConversionConfig,
) -> NeuronPlan:
    """The plan of one site.

    A leak λ lets a neuron that fires lose λ·θ'/2 a step, for its potential is θ'/2 on average: its
    rate is I/θ' − λ/2. At θ' = θ/(1 + λ) that is I/θ at half of the largest rate.
    """
    values = np.minimum(values, site.upper - site.lower)
    dead = ~(values > np.finfo(np.float32).tiny)
    threshold = np.where(dead, DEAD_THRESHOLD, values).astype(np.float32)
    amplitude = np.where(dead, 0.0, threshold).astype(np.float32)
    if config.leak:
        threshold = (threshold / np.float32(1 + config.leak)).astype(np.float32)
    if threshold.size > 1:
        shape = (-1, *([1] * (site.rank - 2)))
        threshold, amplitude = threshold.reshape(shape), amplitude.reshape(shape)
    potential, bias = POTENTIALS.get(config.v_init), BIASES.get(config.bias)
    source = method.name
    if method.needs_data and statistics is not None:
        source += f" of {statistics.samples} samples from {Path(statistics.data).name}"
    return NeuronPlan(
        site=site.name,
        neuron=config.neuron,
        threshold=threshold,
        v_init=threshold * np.float32(potential.fraction),
        amplitude=amplitude,
        reset=config.reset,
        provenance={"threshold": source, "v_init": potential.name},
        bias=threshold * np.float32(bias.shift / config.timesteps) if bias.shift else None,
        leak=np.full(1, 1 - config.leak, dtype=np.float32) if config.leak else None,
        leak_mode="factor" if config.leak else "linear",
    )


def _plan_pool(site: ActivationSite, config: ConversionConfig) -> NeuronPlan:
    if site.places is None:
        counts = np.zeros(1, dtype=np.float32)
        return NeuronPlan(site.name, "max_pool", threshold=None, v_init=counts, amplitude=None)
    potential = POTENTIALS.get(config.v_init)
    return NeuronPlan(
        site=site.name,
        neuron="average_pool",
        threshold=site.places,
        v_init=site.places * np.float32(potential.fraction),
        amplitude=None,
        provenance={"threshold": "places averaged", "v_init": potential.name},
    )


def _report_dead(site: ActivationSite, values: Vector, diagnostics: list[Diagnostic]) -> None:
    dead = int((~(values > np.finfo(np.float32).tiny)).sum())
    if dead:
        diagnostics.append(
            Diagnostic(
                "DEAD_CHANNELS",
                "info" if dead < values.size else "warning",
                f"'{site.name}'",
                f"{dead} of {values.size} channels never fire",
                "their activation is always zero, as far as is known",
            )
        )
