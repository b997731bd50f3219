"""The library's front door: inspect and convert.

``load → normalise → find sites → calibrate → plan → emit → verify``, each one function.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from math import inf
from numbers import Integral
from typing import TYPE_CHECKING, Any, TypeAlias

import onnx

from onnx2snn.calibration import (
    Dataset,
    Preprocessing,
    SiteStatistics,
    collect_statistics,
    open_dataset,
    synthetic_dataset,
)
from onnx2snn.calibration.clipped import ClippedNetwork
from onnx2snn.calibration.dataset import DataSource
from onnx2snn.calibration.ranges import answer_range, tensor_ranges
from onnx2snn.canonical import CanonicalGraph, SourceInfo
from onnx2snn.emit import coded_inputs, emit, rounded_corrections
from onnx2snn.emit.encoding import ENCODINGS
from onnx2snn.emit.neuron import fits
from onnx2snn.emit.readout import READOUTS, default_delay
from onnx2snn.emit.weight_bits import LEAST_WEIGHT_BITS, MOST_WEIGHT_BITS
from onnx2snn.errors import (
    BackendError,
    CalibrationError,
    ConfigError,
    ModelFileError,
    PlanError,
    RegistryError,
    StrictError,
    UnsupportedModelError,
    computing,
    naming,
)
from onnx2snn.exact import convert_exactly
from onnx2snn.exact.quantize import LEAST_BITS, MOST_BITS, side_tensors
from onnx2snn.exact.quantize import quantize as make_quantized
from onnx2snn.files import write_bytes
from onnx2snn.frontend import canonicalise, read_source
from onnx2snn.methods import (
    BIASES,
    POTENTIALS,
    RECIPES,
    THRESHOLDS,
    TUNINGS,
    WEIGHTS,
    calibrate,
    calibrates,
    plan_neurons,
    sites_without_threshold,
)
from onnx2snn.methods.contest import hold_contest, report
from onnx2snn.methods.planner import AUTO
from onnx2snn.plan import (
    ActivationSite,
    ConversionConfig,
    ConversionPlan,
    Diagnostic,
)
from onnx2snn.sites import Region, classify, find_sites, islands, refusals
from onnx2snn.sites.input_range import input_range
from onnx2snn.sites.operations import Workload, multiply_accumulates
from onnx2snn.sites.output_population import insert_output_populations, output_places
from onnx2snn.sites.segments import find_segments
from onnx2snn_runtime.inputs import TensorInfo, tensor_info

if TYPE_CHECKING:
    import onnx_graphsurgeon as gs

    Source: TypeAlias = str | os.PathLike[str] | onnx.ModelProto | gs.Graph

#: Called with (what is done, steps done, steps in all).
Progress: TypeAlias = Callable[[str, int, int], None]

log = logging.getLogger("onnx2snn")

CHOICES = {
    "granularity": ("channel", "layer"),
    "reset": ("subtract", "zero"),
    "avgpool": ("spiking", "linear"),
    "augment": ("none", "flip-crop"),
    "neuron": ("if", "signed-if", "asg", "ca-lif", "ca-lif-unrounded", "lif"),
    "arithmetic": ("rational", "ort"),
}
DEFAULT_TIMESTEPS = 8
DEFAULT_RANGE = (0.0, 1.0)
MOST_TIMESTEPS = 2**31 - 1
#: Errors that are about the source model, whichever room finds them.
ABOUT_THE_MODEL = (ModelFileError, UnsupportedModelError, CalibrationError, BackendError)


@dataclass(frozen=True)
class Inspection:
    """What was found in a model, before anything is converted.

    Attributes:
        source: file, dialects, operators, inputs and outputs.
        sites: where populations will stand.
        regions: by canonical node name: "site", "time" or "analog".
        operators: by canonical node name.
        diagnostics: errors for what cannot be converted, and the reasons of choices.
        macs: multiply-accumulates for one sample, by the canonical name of each layer with
            weights; None where a size is unknown.
    """

    source: SourceInfo
    sites: tuple[ActivationSite, ...]
    regions: dict[str, str]
    operators: dict[str, str]
    diagnostics: tuple[Diagnostic, ...]
    macs: Mapping[str, int | None] = field(default_factory=dict)

    @property
    def convertible(self) -> bool:
        """Whether nothing stands in the way."""
        return not any(d.severity == "error" for d in self.diagnostics)

    @property
    def workload(self) -> Workload:
        """Multiply-accumulates for one sample, and where they happen."""
        return Workload.of(self.macs, self.regions)


@dataclass(frozen=True)
class ConversionResult:
    """A spiking network and how it came about.

    Attributes:
        model: the spiking ONNX model.
        plan: what was planned, diagnostics included.
        source: what the source model was.
        quantized: the quantized network that the spiking one equals, where it was made on the way.
    """

    model: onnx.ModelProto
    plan: ConversionPlan
    source: SourceInfo
    quantized: onnx.ModelProto | None = None

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """What the user should know."""
        return self.plan.diagnostics

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model; the file is complete or not there.

        Raises:
            OutputFileError: the folder is missing or full.
        """
        write_bytes(path, self.model.SerializeToString())


def inspect(
    source: Source, *, avgpool: str = "spiking", keep_analog: Sequence[str] = ()
) -> Inspection:
    """What a model is made of and what will become of it.

    Args:
        source: path, ModelProto, or GraphSurgeon graph.
        avgpool: as for :func:`convert`.
        keep_analog: as for :func:`convert`.

    Raises:
        ModelFileError: it cannot be read.
        UnsupportedModelError: it is written in an unknown dialect.
    """
    config = ConversionConfig(avgpool=avgpool, keep_analog=tuple(keep_analog))
    canonical = _load(source)
    diagnostics: list[Diagnostic] = []
    with naming(canonical.source.file, *ABOUT_THE_MODEL), computing():
        sites, regions = _survey(canonical, config, diagnostics)
    return Inspection(
        source=canonical.source,
        sites=sites,
        regions={name: region.value for name, region in regions.items()},
        operators={n.name: n.op for n in canonical.graph.nodes},
        diagnostics=tuple(canonical.diagnostics + diagnostics),
        macs=multiply_accumulates(canonical.graph),
    )


def convert(
    source: Source,
    timesteps: int | None = None,
    *,
    recipe: str = AUTO,
    arithmetic: str | None = None,
    quantize: int | None = None,
    threshold: str | None = None,
    granularity: str | None = None,
    percentile: float | None = None,
    v_init: str | None = None,
    bias: str | None = None,
    weights: str | None = None,
    tuning: str | None = None,
    augment: str | None = None,
    neuron: str | None = None,
    leak: float | None = None,
    encoding: str | None = None,
    reset: str | None = None,
    avgpool: str | None = None,
    readout: str | None = None,
    readout_delay: int | None = None,
    output_range: tuple[float, float] | None = None,
    weight_bits: int | None = None,
    keep_analog: Sequence[str] = (),
    calibration_data: DataSource | None = None,
    preprocessing: Preprocessing | None = None,
    input_range: tuple[float, float] | None = None,
    samples: int = 256,
    seed: int = 0,
    strict: bool = False,
    plan: ConversionPlan | None = None,
    progress: Progress | None = None,
) -> ConversionResult:
    """Turn a trained network into a spiking network.

    Args:
        source: path, ModelProto, or GraphSurgeon graph; it is not changed.
        timesteps: T, the length of the simulation window, at least 1; by default 8, and for exact
            recipes what is guaranteed to suffice.
        recipe: a named combination of stages; the options below override its parts. "auto" takes
            all stages of "regression" where there are calibration data, T is at most 64, and none
            of those stages is given.
        arithmetic: of exact recipes: "rational" (default) or "ort": whose integers are meant, those
            of exact arithmetic or those of onnxruntime's float32 requantization.
        quantize: of exact recipes: quantize a float network to so many bits first, 2 to 8, with
            the calibration data; None for not.
        threshold: "auto" (default), or a threshold method: without data "quantizer",
            "quantizer-normal", "gaussian", "bound"; on data "mmse", "percentile", "max", "rnl",
            "rnl-layer";
            layer by layer "search", "ctt", "spike-norm", "rmp". "auto" takes the least squared
            error on calibration data if there are any; else the ranges of the model's quantizers,
            else batch norm's statistics, else the activations' upper bounds, else synthetic data,
            with a warning.
        granularity: one threshold for each "channel" (default) or "layer".
        percentile: for the threshold method of that name, in percent, 99.9 by default.
        v_init: initial potential: "half" of the threshold (default), "zero", or with calibration
            data "calibrate", "ic-weights", "ic-data", "ic-compensated".
        bias: "none" (default), "shift", or with calibration data "calibrate".
        weights: "none" (default), or with calibration data "calibrate-ls", "calibrate-sgd".
        tuning: "none" (default), or with calibration data "distill": all layers together, after
            they were calibrated one by one; on samples that were held out the best is kept.
        augment: of calibration samples that are images, [N, C, H, W]: "none" (default), or
            "flip-crop": layers are also calibrated on mirrored copies, and tuned on images
            mirrored and shifted at random. The source is the teacher, so no labels are needed.
        neuron: neuron model of activations: "if" (default), "signed-if" (takes spikes back), "asg"
            (evenly spread spikes, a layer waits for the window of the one before); of recipe
            gao2023 "ca-lif", and for comparison "ca-lif-unrounded" and "lif"; elsewhere "lif"
            loses a share of its potential in every step, and takes stages without a walk.
        leak: of "lif" neurons: that share, above 0 and below 1; thresholds are lowered for it.
        encoding: how the input enters time: "direct" as a constant current (default), or as spikes:
            "rate", "isi", "poisson", "ice". Spikes cover the range of the input, which is
            ``input_range``, or what the model says, or what the calibration data show.
        reset: "subtract" the threshold (default), or to "zero".
        avgpool: "spiking" (default) gives average pools neurons of their own; "linear" keeps them
            as synapses, which is exact and usually more accurate.
        readout: how answers leave time: "mean" current of the last layer (default), the same
            "delayed", without the first steps, or the "count" of spikes of neurons behind it.
        readout_delay: of a delayed readout: steps left out; by default half the window.
        output_range: of a counting readout: smallest and largest output that spikes stand for; by
            default what the calibration data show.
        weight_bits: round the weights of the spiking network to so many bits, 4 to 8, with a scale
            for each output channel; by default they are float32. Biases and potentials that are
            calibrated see the rounded weights. Weights that are integers times one scale already
            keep their integers.
        keep_analog: names of nodes that stay as they are, on means over the window.
        calibration_data: path of an .npz, an array, or arrays by input name.
        preprocessing: of the calibration data.
        input_range: smallest and largest input value, for synthetic calibration and encodings.
        samples: of the calibration data, at most.
        seed: for whatever is drawn at random.
        strict: turn warnings into errors.
        plan: emit this plan instead of making one; other options but ``strict`` are its own.
        progress: called with (what is done, steps done, steps in all).

    Returns:
        The model, the plan and its diagnostics.

    Raises:
        ModelFileError: the source cannot be read.
        UnsupportedModelError: it holds nodes that cannot be converted, or no activation.
        ConfigError: an option is out of its range.
        DataError: the calibration data do not fit.
        CalibrationError: the threshold method cannot be applied.
        PlanError: the plan belongs to another model.
        StrictError: there are warnings, in strict mode.
    """
    stages = {
        "threshold": threshold,
        "granularity": granularity,
        "percentile": percentile,
        "v_init": v_init,
        "bias": bias,
        "weights": weights,
        "tuning": tuning,
        "augment": augment,
        "neuron": neuron,
        "leak": leak,
        "encoding": encoding,
        "reset": reset,
        "avgpool": avgpool,
        "arithmetic": arithmetic,
        "weight_bits": weight_bits,
        "readout": readout,
        "readout_delay": readout_delay,
        "output_range": output_range,
    }
    given = {name: value for name, value in stages.items() if value is not None}
    if plan is None:
        config = _configure(
            recipe,
            given,
            has_data=calibration_data is not None,
            quantize=0 if quantize is None else quantize,
            timesteps=DEFAULT_TIMESTEPS if timesteps is None else timesteps,
            keep_analog=tuple(keep_analog),
            input_range=input_range,
            samples=samples,
            seed=seed,
        )
    else:
        config = plan.config
        timesteps = config.timesteps
        if config.quantize:
            raise PlanError(
                "is of a network that was quantized on the way",
                remedy="keep that with --save-quantized, and convert it",
            )
    emission = RECIPES.get(config.recipe).emission
    if emission and not config.quantize and (calibration_data is not None or config.keep_analog):
        idle = "calibration_data" if calibration_data is not None else "keep_analog"
        raise ConfigError(
            f"recipe {config.recipe} takes no {idle}",
            remedy="leave it out, or quantize a float network with it",
        )
    quantized = None
    canonical = _load(source, keep_integers=bool(emission) and not config.quantize)
    with naming(canonical.source.file, *ABOUT_THE_MODEL), computing():
        if config.quantize:
            quantized = _quantized(canonical, config, calibration_data, preprocessing, progress)
            canonical = canonicalise(quantized, canonical.source.file, keep_integers=True)
        if emission:
            plan, model = _exactly(canonical, config, emission, timesteps, plan)
        elif plan is None:
            plan = _make_plan(canonical, config, calibration_data, preprocessing, progress)
            plan, model = _emitted(canonical, plan)
        else:
            plan, model = _emitted(canonical, _fitted(canonical, plan))
        if strict:
            _refuse_warnings(plan, canonical.source.file)
        _verify(model)
    return ConversionResult(model, plan, canonical.source, quantized)


def _configure(
    recipe: str, given: Mapping[str, Any], *, has_data: bool, **fixed: Any
) -> ConversionConfig:
    """The recipe's stages, those given in their place, and the rest.

    Raises:
        ConfigError: a value is out of its range, or the recipe has no such stage.
    """
    chosen = RECIPES.get(recipe)
    own = {"arithmetic"} if chosen.is_exact or not chosen.emission else {"neuron"}
    idle = sorted(set(given) - own if chosen.emission else set(given) & own)
    if fixed["quantize"] and not chosen.emission:
        idle.append("quantize")
    if idle:
        remedy = "leave it out" if chosen.emission else "it belongs to the exact recipes"
        if "weight_bits" in idle:
            remedy += "; the weights stay the integers that they are"
        raise ConfigError(f"recipe {recipe} takes no {', '.join(idle)}", remedy=remedy)
    stages = chosen.chosen(given, timesteps=fixed["timesteps"], has_data=has_data)
    config = ConversionConfig(recipe=recipe, **stages, **fixed)
    config = replace(config, percentile=float(config.percentile), leak=float(config.leak))
    _check_config(config)
    if recipe != AUTO and not fixed["quantize"] and not has_data and _needs_data(config):
        raise CalibrationError(
            f"recipe {recipe} needs {chosen.needs}",
            remedy="pass --calibration-data, or convert with recipe auto, which can do without",
        )
    if READOUTS.get(config.readout).delays and "readout_delay" not in stages:
        config = replace(config, readout_delay=default_delay(config.timesteps))
    return config


def _quantized(
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
    found, _ = _survey(canonical, levels, diagnostics)
    _refuse_errors(canonical, diagnostics)
    sites = tuple(s for s in found if not s.is_pool)
    statistics = _statistics(
        canonical, sites, levels, calibration_data, preprocessing, diagnostics, progress
    )
    neurons, _ = plan_neurons(sites, statistics, levels, diagnostics)
    thresholds = {n.site: float(n.threshold.max()) for n in neurons if n.threshold is not None}
    model = canonical.to_model()
    dataset = _dataset(canonical, model, levels, calibration_data, preprocessing)
    ranges = tensor_ranges(model, side_tensors(canonical, sites), dataset, progress=progress)
    canonical.diagnostics.extend(d for d in diagnostics if d.severity == "warning")
    return make_quantized(canonical, sites, thresholds, ranges, config.quantize)


def _emitted(
    canonical: CanonicalGraph, plan: ConversionPlan
) -> tuple[ConversionPlan, onnx.ModelProto]:
    model, said = emit(canonical, plan)
    log.info("spiking graph of %d nodes for T = %d", len(model.graph.node), plan.config.timesteps)
    return replace(plan, diagnostics=_distinct((*plan.diagnostics, *said))), model


def _exactly(
    canonical: CanonicalGraph,
    config: ConversionConfig,
    emission: str,
    timesteps: int | None,
    given: ConversionPlan | None,
) -> tuple[ConversionPlan, onnx.ModelProto]:
    """An exact network; a given plan must be the one that is made again."""
    if given is not None:
        _check_planned(config)
    plan, model = convert_exactly(canonical, config, emission, timesteps)
    if given is not None and (
        given.source_digest != plan.source_digest
        or list(map(_facts, given.sites)) != list(map(_facts, plan.sites))
    ):
        raise PlanError("was made for another model", remedy="make the plan again for this model")
    return plan, model


def _check_planned(config: ConversionConfig) -> None:
    """The options of a plan, which anybody may have edited.

    Raises:
        PlanError: one is out of its range.
    """
    try:
        _check_config(config)
    except (ConfigError, RegistryError) as error:
        raise PlanError(error.what, remedy=error.remedy) from error


def _load(source: Source, *, keep_integers: bool = False) -> CanonicalGraph:
    file = os.fspath(source) if isinstance(source, (str, os.PathLike)) else None
    with naming(file, *ABOUT_THE_MODEL), computing():
        try:
            return canonicalise(*read_source(source), keep_integers=keep_integers)
        except UnicodeError as error:  # damaged names; protobuf does not look at them
            raise ModelFileError(
                "holds text that is not UTF-8", remedy="export the network again"
            ) from error


def _fitted(canonical: CanonicalGraph, plan: ConversionPlan) -> ConversionPlan:
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
        _check_config(plan.config)
        sites, _ = _survey(canonical, plan.config, diagnostics)
    except (ConfigError, RegistryError) as error:
        raise PlanError(error.what, remedy=error.remedy or remedy) from error
    _refuse_errors(canonical, diagnostics)
    if list(map(_facts, sites)) != list(map(_facts, plan.sites)):
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


def _facts(site: ActivationSite) -> ActivationSite:
    """What is the same wherever it is computed: all but arrays of numbers."""
    return replace(site, mean=None, std=None, places=None)


def _make_plan(
    canonical: CanonicalGraph,
    config: ConversionConfig,
    calibration_data: DataSource | None,
    preprocessing: Preprocessing | None,
    progress: Progress | None,
) -> ConversionPlan:
    diagnostics = list(canonical.diagnostics)
    encoding = ENCODINGS.get(config.encoding)
    if encoding.is_spikes:
        coded = _coded_range(canonical, config, calibration_data, preprocessing, diagnostics)
        config = replace(config, input_range=coded)
    if READOUTS.get(config.readout).counts and config.output_range is None:
        answers = _answer_range(canonical, config, calibration_data, preprocessing, diagnostics)
        config = replace(config, output_range=answers)
    sites, _ = _survey(canonical, config, diagnostics)
    log.info("canonical graph of %d nodes, %d sites", len(canonical.graph.nodes), len(sites))
    _refuse_errors(canonical, diagnostics)
    statistics = _statistics(
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
        dataset = _walkable(canonical, config, calibration_data, preprocessing)
        plan = _calibrated(canonical, plan, statistics, dataset, diagnostics, progress)
    return replace(plan, diagnostics=tuple(diagnostics))


def _calibrated(
    canonical: CanonicalGraph,
    plan: ConversionPlan,
    statistics: Mapping[str, SiteStatistics],
    dataset: Dataset,
    diagnostics: list[Diagnostic],
    progress: Progress | None,
) -> ConversionPlan:
    """The plan with all stages that look at what really arrives."""
    encoders, coded = coded_inputs(canonical, plan)
    segments = find_segments(canonical, plan.sites, plan.config.keep_analog, coded)
    config, scores = hold_contest(
        segments, plan.sites, statistics, dataset, plan.config, progress, encoders
    )
    if scores:
        diagnostics.append(report(scores))
        neurons, _ = plan_neurons(plan.sites, statistics, config, [])
        plan = replace(plan, config=config, neurons=neurons)
    stages = partial(calibrate, segments, dataset=dataset, progress=progress, encoders=encoders)
    found = stages(plan.neurons, config=config, diagnostics=diagnostics)
    plan = replace(plan, neurons=found.neurons, corrections=found.corrections, timesteps_fixed=True)
    # Weights are rounded with thresholds in them, so those and the weights come first.
    later = replace(config, threshold=AUTO, weights="none", tuning="none")
    if config.weight_bits and calibrates(later):
        rounded = tuple(rounded_corrections(canonical, plan).values())
        found = stages(plan.neurons, config=later, diagnostics=[], corrections=rounded)
        plan = replace(plan, neurons=found.neurons)
    return plan


def _coded_range(
    canonical: CanonicalGraph,
    config: ConversionConfig,
    calibration_data: DataSource | None,
    preprocessing: Preprocessing | None,
    diagnostics: list[Diagnostic],
) -> tuple[float, float]:
    """The range of inputs that spikes stand for."""
    known = config.input_range or input_range(canonical)
    if known is not None:
        return known
    if calibration_data is not None:
        model = canonical.to_model()
        dataset = _dataset(canonical, model, config, calibration_data, preprocessing)
        found = tensor_ranges(model, [i.name for i in model.graph.input], dataset)
        low, high = min(r[0] for r in found.values()), max(r[1] for r in found.values())
        if low < high:
            return low, high
    low, high = DEFAULT_RANGE
    diagnostics.append(
        Diagnostic(
            "INPUT_RANGE_ASSUMED",
            "warning",
            "",
            f"encoding '{config.encoding}' takes inputs to lie in [{low:g}, {high:g}]",
            "neither the model nor data say what they are",
            "pass --input-range or --calibration-data",
        )
    )
    return DEFAULT_RANGE


def _answer_range(
    canonical: CanonicalGraph,
    config: ConversionConfig,
    calibration_data: DataSource | None,
    preprocessing: Preprocessing | None,
    diagnostics: list[Diagnostic],
) -> tuple[float, float]:
    """The range of outputs that counted spikes stand for."""
    found: list[Diagnostic] = []
    sites, _ = _survey(canonical, config, found)
    _refuse_errors(canonical, found)
    places = output_places(canonical, sites)
    model = canonical.to_model()
    dataset = _dataset(canonical, model, config, calibration_data, preprocessing)
    if calibration_data is None:
        diagnostics.append(
            Diagnostic(
                "SYNTHETIC_OUTPUT_RANGE",
                "warning",
                "",
                "the range of counted outputs comes from synthetic inputs",
                "no data were given",
                "pass --calibration-data, or convert with --readout mean",
            )
        )
    return answer_range(model, places, dataset) if places else DEFAULT_RANGE


def _walkable(
    canonical: CanonicalGraph,
    config: ConversionConfig,
    calibration_data: DataSource | None,
    preprocessing: Preprocessing | None,
) -> Dataset:
    """The calibration data; made-up inputs are no ground to correct layers on.

    Raises:
        CalibrationError: there are none.
    """
    if calibration_data is None:
        raise CalibrationError(
            f"threshold '{config.threshold}', v_init '{config.v_init}', bias '{config.bias}', "
            f"weights '{config.weights}' and tuning '{config.tuning}' together need calibration "
            "data",
            remedy="pass --calibration-data, or convert with recipe auto",
        )
    return _dataset(canonical, canonical.to_model(), config, calibration_data, preprocessing)


def _survey(
    canonical: CanonicalGraph, config: ConversionConfig, diagnostics: list[Diagnostic]
) -> tuple[tuple[ActivationSite, ...], dict[str, Region]]:
    kept = frozenset(config.keep_analog)
    names = {n.name for n in canonical.graph.nodes}
    for name in kept - names:
        raise ConfigError(
            f"there is no node '{name}' to keep analog",
            file=canonical.source.file,
            remedy="'onnx2snn inspect' lists the nodes",
        )
    sites = find_sites(canonical, avgpool=config.avgpool, keep_analog=kept, diagnostics=diagnostics)
    if config.output_range is not None:
        answers = insert_output_populations(canonical, sites, *config.output_range)
        again = find_sites(canonical, avgpool=config.avgpool, keep_analog=kept, diagnostics=[])
        sites = tuple(replace(s, kind="readout") if s.name in answers else s for s in again)
    regions = classify(canonical.graph, sites, kept)
    diagnostics.extend(refusals(canonical.graph, regions, kept))
    diagnostics.extend(islands(canonical.graph, regions, kept))
    if not sites:
        diagnostics.append(
            Diagnostic(
                "NO_ACTIVATION",
                "error",
                "",
                "holds no activation that neurons can replace",
                remedy="known are Relu, Clip and quantizers",
            )
        )
    return sites, regions


def _statistics(
    canonical: CanonicalGraph,
    sites: tuple[ActivationSite, ...],
    config: ConversionConfig,
    calibration_data: DataSource | None,
    preprocessing: Preprocessing | None,
    diagnostics: list[Diagnostic],
    progress: Progress | None,
) -> dict[str, SiteStatistics]:
    """Statistics from data if there are any, else synthetic ones for the sites in need."""
    model = canonical.to_model()
    if calibration_data is not None:
        dataset = _dataset(canonical, model, config, calibration_data, preprocessing)
        needing = [s for s in sites if not s.is_pool]
    else:
        needing = sites_without_threshold(sites, config)
        if not needing or not _uses_data(config):
            return {}
        value_range = config.input_range or input_range(canonical) or DEFAULT_RANGE
        dataset = _dataset(canonical, model, config, None, None)
        diagnostics.append(_synthetic_warning(len(needing), value_range, config))
    log.info("statistics of %d sites on %d samples of %s", len(needing), len(dataset), dataset.name)
    found = collect_statistics(
        model, needing, dataset, percentile=config.percentile, progress=progress
    )
    search = None if config.threshold == AUTO else THRESHOLDS.get(config.threshold).share
    if search is None:
        return found
    shares = search(ClippedNetwork(model, needing, dataset), found, config)
    low, high = min(shares.values()), max(shares.values())
    diagnostics.append(
        Diagnostic(
            "SHARE_FOUND",
            "info",
            "",
            f"thresholds lie at {low:.3g}{f' to {high:.3g}' if low < high else ''} of the largest "
            "activations",
            f"the share of least loss of method '{config.threshold}'",
        )
    )
    return {name: replace(known, share=shares[name]) for name, known in found.items()}


def _dataset(
    canonical: CanonicalGraph,
    model: onnx.ModelProto,
    config: ConversionConfig,
    calibration_data: DataSource | None,
    preprocessing: Preprocessing | None,
) -> Dataset:
    """The calibration data; made-up ones where there are none."""
    infos = _input_infos(model)
    if calibration_data is None:
        value_range = config.input_range or input_range(canonical) or DEFAULT_RANGE
        return synthetic_dataset(infos, value_range, config.seed)
    dataset = open_dataset(calibration_data, infos, preprocessing)
    return dataset.subset(config.samples, config.seed)


def _needs_data(config: ConversionConfig) -> bool:
    """Whether a chosen stage is nothing without calibration data."""
    return calibrates(config) or (config.threshold != AUTO and _uses_data(config))


def _uses_data(config: ConversionConfig) -> bool:
    return config.threshold == AUTO or THRESHOLDS.get(config.threshold).needs_data


def _synthetic_warning(
    count: int, value_range: tuple[float, float], config: ConversionConfig
) -> Diagnostic:
    low, high = value_range
    if config.threshold == AUTO:
        why = "the model has no quantizers and no batch norm there"
    else:
        why = f"the threshold method '{config.threshold}' needs data"
    return Diagnostic(
        "SYNTHETIC_CALIBRATION",
        "warning",
        "",
        f"thresholds of {count} populations come from synthetic inputs in [{low:g}, {high:g}]",
        f"{why}, and no data were given",
        "pass --calibration-data with some hundred training samples, or at least --input-range",
    )


def _input_infos(model: onnx.ModelProto) -> tuple[TensorInfo, ...]:
    return tuple(tensor_info(i) for i in model.graph.input)


def _refuse_errors(canonical: CanonicalGraph, diagnostics: Sequence[Diagnostic]) -> None:
    errors = [d for d in diagnostics if d.severity == "error"]
    file = canonical.source.file
    if errors:
        first = errors[0]
        more = ", ".join(e.node for e in errors[1:6] if e.node)
        rest = f" (also {more}{' and others' if len(errors) > 6 else ''})" if more else ""
        raise UnsupportedModelError(
            first.what + rest, file=file, node=first.node or None, remedy=first.remedy
        )


def _refuse_warnings(plan: ConversionPlan, file: str | None) -> None:
    warnings = [d for d in plan.diagnostics if d.severity == "warning"]
    if warnings:
        raise StrictError(str(warnings[0]), file=file)


def _distinct(diagnostics: Sequence[Diagnostic]) -> tuple[Diagnostic, ...]:
    return tuple(dict.fromkeys(diagnostics))


def _check_config(config: ConversionConfig) -> None:
    for name, least, most in (
        ("timesteps", 1, MOST_TIMESTEPS),
        ("samples", 1, inf),
        ("seed", 0, inf),
        ("quantize", LEAST_BITS if config.quantize else 0, MOST_BITS),
        ("readout_delay", 0, inf),
        ("weight_bits", LEAST_WEIGHT_BITS if config.weight_bits else 0, MOST_WEIGHT_BITS),
    ):
        value = getattr(config, name)
        if not isinstance(value, Integral) or not least <= int(value) <= most:
            limit = "" if most == inf else f" and at most {most}"
            raise ConfigError(
                f"{name} must be a whole number of at least {least}{limit}, not {value}"
            )
    if not 0 < config.percentile <= 100:
        raise ConfigError(f"percentile must be in (0, 100], not {config.percentile}")
    for name in ("input_range", "output_range"):
        ends = getattr(config, name)
        if ends is not None and not -inf < ends[0] < ends[1] < inf:
            raise ConfigError(f"{name} must be a smaller and a larger number, both finite")
    for name, choices in CHOICES.items():
        if getattr(config, name) not in choices:
            raise ConfigError(f"{name} must be one of {', '.join(choices)}")
    neurons = RECIPES.get(config.recipe).neurons
    if config.neuron not in neurons:
        raise ConfigError(
            f"recipe {config.recipe} has no neurons '{config.neuron}'",
            remedy=f"it has {', '.join(neurons)}",
        )
    leaks = config.neuron == "lif" and not RECIPES.get(config.recipe).emission
    if leaks != (config.leak != 0) or not 0 <= config.leak < 1:
        raise ConfigError(
            f"leak {config.leak:g} does not fit neurons '{config.neuron}'",
            remedy="give 'lif' neurons a leak above 0 and below 1, others none",
        )
    if config.threshold != AUTO:
        THRESHOLDS.get(config.threshold)
    POTENTIALS.get(config.v_init)
    BIASES.get(config.bias)
    ENCODINGS.get(config.encoding)
    WEIGHTS.get(config.weights)
    TUNINGS.get(config.tuning)
    _check_readout(config)


def _check_readout(config: ConversionConfig) -> None:
    delays = READOUTS.get(config.readout).delays
    if config.readout_delay and not delays:
        raise ConfigError(
            f"readout '{config.readout}' leaves no steps out",
            remedy="choose readout 'delayed' with readout_delay",
        )
    if config.output_range is not None and not READOUTS.get(config.readout).counts:
        raise ConfigError(
            f"readout '{config.readout}' counts no spikes, so it takes no output_range",
            remedy="leave it out, or choose readout 'count'",
        )
    if delays and config.readout_delay >= config.timesteps:
        raise ConfigError(
            f"readout_delay {config.readout_delay} leaves nothing of {config.timesteps} steps",
            remedy=f"leave out at most {config.timesteps - 1}",
        )


def _verify(model: onnx.ModelProto) -> None:
    """The file passes what other tools will put it through."""
    try:
        onnx.checker.check_model(model, full_check=True)
        onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise ModelFileError(
            f"the converted network is not valid ONNX ({str(error).strip().splitlines()[0]})",
            remedy="this is a defect of onnx2snn; please report it with the model",
        ) from error


__all__ = ["ConversionResult", "Inspection", "convert", "inspect"]
