"""A plan for a network, and whether a given one belongs to it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from functools import partial

import onnx
from threadpoolctl import threadpool_limits

from onnx2snn.calibration import Dataset, Preprocessing, SiteStatistics
from onnx2snn.calibration.dataset import DataSource
from onnx2snn.calibration.ranges import tensor_ranges
from onnx2snn.canonical import CanonicalGraph
from onnx2snn.checkpoint import Checkpoint, Place
from onnx2snn.emit import coded_inputs, rounded_corrections
from onnx2snn.emit.encoding import ENCODINGS
from onnx2snn.emit.neuron import fits
from onnx2snn.emit.readout import READOUTS
from onnx2snn.errors import ConfigError, PlanError, RegistryError
from onnx2snn.exact.quantize import quantize as make_quantized
from onnx2snn.exact.quantize import side_tensors
from onnx2snn.methods import calibrate, calibrates, plan_neurons
from onnx2snn.methods.contest import hold_contest, report
from onnx2snn.methods.planner import AUTO
from onnx2snn.plan import ActivationSite, ConversionConfig, ConversionPlan, Diagnostic, Progress
from onnx2snn.sites.segments import find_segments
from onnx2snn.steps.data import (
    coded_range,
    counted_range,
    data_to_walk,
    open_calibration,
    site_statistics,
)
from onnx2snn.steps.identity import calibration_identity
from onnx2snn.steps.settings import CHOICES, check_config
from onnx2snn.steps.survey import refuse_errors, survey

log = logging.getLogger("onnx2snn")


def make_plan(
    canonical: CanonicalGraph,
    config: ConversionConfig,
    calibration_data: DataSource | None,
    preprocessing: Preprocessing | None,
    progress: Progress | None,
    checkpoint: Checkpoint | None,
) -> ConversionPlan:
    """Sites, thresholds and everything that calibration finds."""
    diagnostics = list(canonical.diagnostics)
    encoding = ENCODINGS.get(config.encoding)
    if encoding.is_spikes:
        coded = coded_range(canonical, config, calibration_data, preprocessing, diagnostics)
        config = replace(config, input_range=coded)
    if READOUTS.get(config.readout).counts and config.output_range is None:
        answers = counted_range(canonical, config, calibration_data, preprocessing, diagnostics)
        config = replace(config, output_range=answers)
    sites, _ = survey(canonical, config, diagnostics)
    log.info("canonical graph of %d nodes, %d sites", len(canonical.graph.nodes), len(sites))
    refuse_errors(canonical, diagnostics)
    if checkpoint is not None:
        dataset = data_to_walk(canonical, config, calibration_data, preprocessing)
        checkpoint.begin(calibration_identity(canonical, config, dataset))
    statistics = site_statistics(
        canonical, sites, config, calibration_data, preprocessing, diagnostics, progress
    )
    neurons, fixed = plan_neurons(sites, statistics, config, diagnostics)
    plan = ConversionPlan(
        source_digest=canonical.source.digest,
        config=config,
        sites=sites,
        neurons=neurons,
        timesteps_fixed=fixed or encoding.fixes_timesteps,
    )
    if calibrates(config):
        dataset = data_to_walk(canonical, config, calibration_data, preprocessing)
        place = Place(checkpoint)
        # Matrices are small: threads of BLAS would wait busily for most of the time.
        with threadpool_limits(1, user_api="blas"):
            plan = _calibrated(canonical, plan, statistics, dataset, diagnostics, progress, place)
    return replace(plan, diagnostics=tuple(diagnostics))


def _calibrated(
    canonical: CanonicalGraph,
    plan: ConversionPlan,
    statistics: Mapping[str, SiteStatistics],
    dataset: Dataset,
    diagnostics: list[Diagnostic],
    progress: Progress | None,
    place: Place,
) -> ConversionPlan:
    """The plan with all stages that look at what really arrives."""
    encoders, coded = coded_inputs(canonical, plan)
    segments = find_segments(canonical, plan.sites, plan.config.keep_analog, coded)
    config, scores = hold_contest(
        segments,
        plan.sites,
        statistics,
        dataset,
        plan.config,
        progress,
        encoders,
        place / "contest",
    )
    if scores:
        diagnostics.append(report(scores))
        neurons, _ = plan_neurons(plan.sites, statistics, config, [])
        plan = replace(plan, config=config, neurons=neurons)
    stages = partial(calibrate, segments, dataset=dataset, progress=progress, encoders=encoders)
    found = stages(plan.neurons, config=config, diagnostics=diagnostics, place=place / "layers")
    plan = replace(plan, neurons=found.neurons, corrections=found.corrections, timesteps_fixed=True)
    # Weights are rounded with thresholds in them, so those and the weights come first.
    later = replace(config, threshold=AUTO, weights="none", tuning="none")
    if config.weight_bits and calibrates(later):
        rounded = tuple(rounded_corrections(canonical, plan).values())
        again = place / "rounded"
        found = stages(plan.neurons, config=later, diagnostics=[], corrections=rounded, place=again)
        plan = replace(plan, neurons=found.neurons)
    return plan


def fit_plan(canonical: CanonicalGraph, plan: ConversionPlan) -> ConversionPlan:
    """A given plan, with what it says of the model taken from the model itself.

    Raises:
        PlanError: it was made for another model, its options cannot be, or its sites are not the
            model's.
    """
    remedy = "make the plan again for this model"
    if plan.source_digest != canonical.source.digest:
        raise PlanError("was made for another model", remedy=remedy)
    diagnostics: list[Diagnostic] = []
    if (
        READOUTS.find(plan.config.readout)
        and READOUTS.get(plan.config.readout).counts
        and (plan.config.output_range is None)
    ):
        raise PlanError("counts spikes without an output_range", remedy=remedy)
    try:
        check_config(plan.config)
        sites, _ = survey(canonical, plan.config, diagnostics)
    except (ConfigError, RegistryError) as error:
        raise PlanError(error.what, remedy=error.remedy or remedy) from error
    refuse_errors(canonical, diagnostics)
    if list(map(site_facts, sites)) != list(map(site_facts, plan.sites)):
        raise PlanError(
            "has other sites than the model", remedy=f"change neurons only, or {remedy}"
        )
    if [s.name for s in sites] != [n.site for n in plan.neurons]:
        raise PlanError("does not have one neuron for each site, in their order", remedy=remedy)
    for site, neuron in zip(sites, plan.neurons, strict=True):
        absent = (neuron.threshold is None, neuron.amplitude is None)
        if not fits(site, neuron.neuron) or absent != (site.kind == "max_pool", site.is_pool):
            raise PlanError(
                f"neuron '{neuron.neuron}' does not fit a {site.kind}, or its threshold or "
                "amplitude is missing",
                node=f"'{site.name}'",
                remedy=remedy,
            )
        if neuron.reset not in CHOICES["reset"]:
            raise PlanError(
                f"reset is '{neuron.reset}'",
                node=f"'{site.name}'",
                remedy=f"known are {', '.join(CHOICES['reset'])}",
            )
    return replace(plan, sites=sites)


def site_facts(site: ActivationSite) -> ActivationSite:
    """What is the same wherever it is computed: all but arrays of numbers."""
    return replace(site, mean=None, std=None, places=None)


def quantize_network(
    canonical: CanonicalGraph,
    config: ConversionConfig,
    calibration_data: DataSource | None,
    preprocessing: Preprocessing | None,
    progress: Progress | None,
) -> onnx.ModelProto:
    """A quantized network of a float one; thresholds are the best for its levels."""
    levels = replace(
        config, timesteps=2**config.quantize - 1, granularity="layer", avgpool="linear"
    )
    diagnostics: list[Diagnostic] = []
    found, _ = survey(canonical, levels, diagnostics)
    refuse_errors(canonical, diagnostics)
    sites = tuple(s for s in found if not s.is_pool)
    statistics = site_statistics(
        canonical, sites, levels, calibration_data, preprocessing, diagnostics, progress
    )
    neurons, _ = plan_neurons(sites, statistics, levels, diagnostics)
    thresholds = {n.site: float(n.threshold.max()) for n in neurons if n.threshold is not None}
    model = canonical.to_model()
    dataset = open_calibration(canonical, model, levels, calibration_data, preprocessing)
    ranges = tensor_ranges(model, side_tensors(canonical, sites), dataset, progress=progress)
    canonical.diagnostics.extend(d for d in diagnostics if d.severity == "warning")
    return make_quantized(canonical, sites, thresholds, ranges, config.quantize)
