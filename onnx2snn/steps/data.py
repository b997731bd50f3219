"""Calibration data and what is read off them: statistics, ranges of inputs and answers."""

from __future__ import annotations

import logging
from dataclasses import replace

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
from onnx2snn.canonical import CanonicalGraph
from onnx2snn.errors import CalibrationError
from onnx2snn.methods import THRESHOLDS, sites_without_threshold
from onnx2snn.methods.planner import AUTO
from onnx2snn.plan import ActivationSite, ConversionConfig, Diagnostic, Progress
from onnx2snn.sites.input_range import input_range
from onnx2snn.sites.output_population import output_places
from onnx2snn.steps.settings import uses_data
from onnx2snn.steps.survey import refuse_errors, survey
from onnx2snn_runtime.inputs import TensorInfo, tensor_info

log = logging.getLogger("onnx2snn")


DEFAULT_RANGE = (0.0, 1.0)


def open_calibration(
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


def data_to_walk(
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
    return open_calibration(
        canonical, canonical.to_model(), config, calibration_data, preprocessing
    )


def site_statistics(
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
        dataset = open_calibration(canonical, model, config, calibration_data, preprocessing)
        needing = [s for s in sites if not s.is_pool]
    else:
        needing = sites_without_threshold(sites, config)
        if not needing or not uses_data(config):
            return {}
        value_range = config.input_range or input_range(canonical) or DEFAULT_RANGE
        dataset = open_calibration(canonical, model, config, None, None)
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


def coded_range(
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
        dataset = open_calibration(canonical, model, config, calibration_data, preprocessing)
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


def counted_range(
    canonical: CanonicalGraph,
    config: ConversionConfig,
    calibration_data: DataSource | None,
    preprocessing: Preprocessing | None,
    diagnostics: list[Diagnostic],
) -> tuple[float, float]:
    """The range of outputs that counted spikes stand for."""
    found: list[Diagnostic] = []
    sites, _ = survey(canonical, config, found)
    refuse_errors(canonical, found)
    places = output_places(canonical, sites)
    model = canonical.to_model()
    dataset = open_calibration(canonical, model, config, calibration_data, preprocessing)
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
