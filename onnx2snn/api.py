"""The library's front door: inspect and convert.

``load → normalise → find sites → calibrate → plan → emit → verify``, each one function.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import onnx

from onnx2snn.calibration import Preprocessing
from onnx2snn.calibration.dataset import DataSource
from onnx2snn.canonical import CanonicalGraph, SourceInfo
from onnx2snn.checkpoint import Checkpoint
from onnx2snn.emit import emit
from onnx2snn.errors import ConfigError, ModelFileError, PlanError, computing, naming
from onnx2snn.exact import convert_exactly
from onnx2snn.files import write_bytes
from onnx2snn.frontend import canonicalise
from onnx2snn.methods import RECIPES, calibrates
from onnx2snn.methods.planner import AUTO
from onnx2snn.plan import ActivationSite, ConversionConfig, ConversionPlan, Diagnostic, Progress
from onnx2snn.sites.operations import Workload, multiply_accumulates
from onnx2snn.steps.planning import fit_plan, make_plan, quantize_network, site_facts
from onnx2snn.steps.settings import DEFAULT_TIMESTEPS, check_planned, configure
from onnx2snn.steps.survey import ABOUT_THE_MODEL, distinct, load_source, refuse_warnings, survey

if TYPE_CHECKING:
    from onnx2snn.steps.survey import Source

log = logging.getLogger("onnx2snn")


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
    canonical = load_source(source)
    diagnostics: list[Diagnostic] = []
    with naming(canonical.source.file, *ABOUT_THE_MODEL), computing():
        sites, regions = survey(canonical, config, diagnostics)
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
    checkpoint: Checkpoint | None = None,
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
        checkpoint: keeps what layer-by-layer calibration has found, and goes on from it if it was
            interrupted; by default nothing is kept.
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
        CheckpointError: the checkpoint is damaged or of another calibration.
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
        config = configure(
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
    if checkpoint is not None and (plan is not None or emission or not calibrates(config)):
        raise ConfigError(
            "a checkpoint is of no use: nothing is calibrated layer by layer here",
            remedy="leave it out, or take a recipe that does, with calibration data",
        )
    quantized = None
    canonical = load_source(source, keep_integers=bool(emission) and not config.quantize)
    with naming(canonical.source.file, *ABOUT_THE_MODEL), computing():
        if config.quantize:
            quantized = quantize_network(
                canonical, config, calibration_data, preprocessing, progress
            )
            canonical = canonicalise(quantized, canonical.source.file, keep_integers=True)
        if emission:
            plan, model = _exactly(canonical, config, emission, timesteps, plan)
        elif plan is None:
            plan = make_plan(
                canonical, config, calibration_data, preprocessing, progress, checkpoint
            )
            plan, model = _emitted(canonical, plan)
        else:
            plan, model = _emitted(canonical, fit_plan(canonical, plan))
        if strict:
            refuse_warnings(plan, canonical.source.file)
        _verify(model)
    return ConversionResult(model, plan, canonical.source, quantized)


def _emitted(
    canonical: CanonicalGraph, plan: ConversionPlan
) -> tuple[ConversionPlan, onnx.ModelProto]:
    model, said = emit(canonical, plan)
    log.info("spiking graph of %d nodes for T = %d", len(model.graph.node), plan.config.timesteps)
    return replace(plan, diagnostics=distinct((*plan.diagnostics, *said))), model


def _exactly(
    canonical: CanonicalGraph,
    config: ConversionConfig,
    emission: str,
    timesteps: int | None,
    given: ConversionPlan | None,
) -> tuple[ConversionPlan, onnx.ModelProto]:
    """An exact network; a given plan must be the one that is made again."""
    if given is not None:
        check_planned(config)
    plan, model = convert_exactly(canonical, config, emission, timesteps)
    if given is not None and (
        given.source_digest != plan.source_digest
        or list(map(site_facts, given.sites)) != list(map(site_facts, plan.sites))
    ):
        raise PlanError("was made for another model", remedy="make the plan again for this model")
    return plan, model


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
