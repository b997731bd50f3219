"""The steps of emission, and the file around the graph."""

from __future__ import annotations

import json
from dataclasses import asdict
from functools import partial
from importlib.metadata import PackageNotFoundError, version

import numpy as np
import onnx
from onnx import helper, numpy_helper

from onnx2snn.calibration.signals import Array, Encode, Train
from onnx2snn.canonical import CanonicalGraph, export
from onnx2snn.emit.amplitudes import push_amplitudes
from onnx2snn.emit.boundaries import insert_boundaries, remove_passive_quantizers, report_analog
from onnx2snn.emit.corrections import apply_corrections, insert_biases
from onnx2snn.emit.encoding import ENCODINGS, Code, coded_places, insert_encoders
from onnx2snn.emit.neuron import replace_sites
from onnx2snn.emit.prefix import Range
from onnx2snn.emit.state import Emission
from onnx2snn.emit.weight_bits import round_weights, rounded_layers, weights_of
from onnx2snn.errors import PlanError
from onnx2snn.plan import (
    SCHEMA_VERSION,
    ConversionConfig,
    ConversionPlan,
    Diagnostic,
    LayerCorrection,
)
from onnx2snn.sites import classify
from onnx2snn_runtime.opspec import DOMAIN, DOMAIN_VERSION, functions_for
from onnx2snn_runtime.time_axis import TIMESTEPS

METADATA_PREFIX = "org.onnx2snn."


def emit(
    canonical: CanonicalGraph, plan: ConversionPlan
) -> tuple[onnx.ModelProto, tuple[Diagnostic, ...]]:
    """The spiking model of a plan, and what the way there has to say.

    Raises:
        PlanError: the plan does not belong to this network.
        UnsupportedModelError: a pool cannot spike.
    """
    emission = _written(canonical, plan)
    if plan.config.weight_bits:
        round_weights(emission)
    model = assemble(emission, canonical)
    return model, tuple(emission.diagnostics)


def rounded_corrections(
    canonical: CanonicalGraph, plan: ConversionPlan
) -> dict[str, LayerCorrection]:
    """Corrections as the plan's ``weight_bits`` round them, by layer, for calibration to see.

    Raises:
        PlanError, UnsupportedModelError: as :func:`emit`.
    """
    before = weights_of(canonical.graph) | {c.layer: c.weight for c in plan.corrections}
    return rounded_layers(before, plan.corrections, _written(canonical, plan))


def coded_inputs(
    canonical: CanonicalGraph, plan: ConversionPlan
) -> tuple[dict[str, Encode], frozenset[str]]:
    """What enters time as spikes, for calibration to see.

    Returns:
        By the name of the tensor, how its values are coded; and the layers behind, which are in
        time only for that.

    Raises:
        PlanError, UnsupportedModelError: as :func:`emit`.
    """
    emission = _populated(canonical, plan)
    before = dict(emission.regions)
    code = ENCODINGS.get(plan.config.encoding).code
    found: dict[str, Encode] = {}
    for place in coded_places(emission):
        assert code is not None
        found[place.tensor.name] = partial(_coded, code, place.range, plan.config)
    moved = {n for n, r in emission.regions.items() if r is not before.get(n, r)}
    return found, frozenset(moved)


def _coded(code: Code, covered: Range, config: ConversionConfig, values: Array) -> Train:
    return code(values, covered, config)


def _written(canonical: CanonicalGraph, plan: ConversionPlan) -> Emission:
    """The finished spiking graph, weights as float32."""
    emission = _populated(canonical, plan)
    insert_encoders(emission)
    insert_boundaries(emission)
    push_amplitudes(emission)
    emission.graph.cleanup().toposort()
    return emission


def _populated(canonical: CanonicalGraph, plan: ConversionPlan) -> Emission:
    """The graph with populations, before anything enters or leaves time."""
    _check_plan(canonical, plan)
    graph = canonical.graph.copy()
    graph.import_domains = list(graph.import_domains)  # shared otherwise, and export adds ours
    apply_corrections(graph, plan.corrections)
    insert_biases(graph, plan.sites, plan.neurons)
    regions = classify(graph, plan.sites, plan.config.keep_analog)
    emission = Emission(graph, plan, dict(regions))
    report_analog(emission, plan.config.keep_analog)
    replace_sites(emission)
    remove_passive_quantizers(emission)
    graph.toposort()
    return emission


def tool_version() -> str:
    """This package's version."""
    try:
        return version("onnx2snn")
    except PackageNotFoundError:
        return "unknown"


def _check_plan(canonical: CanonicalGraph, plan: ConversionPlan) -> None:
    remedy = "make the plan again for this model"
    if plan.source_digest != canonical.source.digest:
        raise PlanError("was made for another model", remedy=remedy)
    nodes = {n.name for n in canonical.graph.nodes}
    for site, neuron in zip(plan.sites, plan.neurons, strict=False):
        node = f"'{site.name}'"
        if neuron.site != site.name or not set(site.nodes) <= nodes:
            raise PlanError("sites and neurons do not fit the model", node=node, remedy=remedy)
        for name in ("threshold", "v_init", "amplitude", "leak", "bias"):
            values = getattr(neuron, name)
            if values is None:
                continue
            if not np.isfinite(values).all() or (name == "threshold" and (values <= 0).any()):
                raise PlanError(f"{name} must be finite, a threshold positive", node=node)
            if values.size > 1 and (
                values.ndim != site.rank - 1 or values.shape[0] not in {1, site.channels}
            ):
                raise PlanError(
                    f"{name} does not fit: it is one value, or an array of {site.rank - 1} axes "
                    f"whose first has length 1 or {site.channels}",
                    node=node,
                )
    if len(plan.sites) != len(plan.neurons):
        raise PlanError("sites and neurons differ in number", remedy=remedy)


def assemble(emission: Emission, canonical: CanonicalGraph) -> onnx.ModelProto:
    """The file around a finished spiking graph."""
    graph, plan, source = emission.graph, emission.plan, canonical.source
    graph.inputs.append(emission.timesteps)
    model = export(graph)
    ops = sorted({n.op for n in graph.nodes if n.domain == DOMAIN})
    model.functions.extend(functions_for(ops, graph.opset))
    del model.opset_import[:]
    model.opset_import.extend(
        [helper.make_opsetid("", graph.opset), helper.make_opsetid(DOMAIN, DOMAIN_VERSION)]
    )
    _set_timesteps(model, plan)
    model.producer_name, model.producer_version = "onnx2snn", tool_version()
    model.domain, model.model_version = source.domain, source.model_version
    model.doc_string = source.doc_string
    model.graph.doc_string = source.graph_doc_string
    value_docs = {v.name: v.doc_string for v in (*source.inputs, *source.outputs)}
    for value in (*model.graph.input, *model.graph.output):
        value.doc_string = value_docs.get(value.name, "")
    docs = source.node_docs | emission.docs
    for node in model.graph.node:
        node.doc_string = docs.get(node.name, "")
    helper.set_model_props(model, source.metadata | _provenance(plan, source.producer))
    return model


def _set_timesteps(model: onnx.ModelProto, plan: ConversionPlan) -> None:
    """``timesteps`` is an initializer, and an optional input too where T is free."""
    value = np.array(plan.config.timesteps, dtype=np.int64)
    model.graph.initializer.append(numpy_helper.from_array(value, TIMESTEPS))
    inputs = [i for i in model.graph.input if i.name != TIMESTEPS]
    del model.graph.input[:]
    model.graph.input.extend(inputs)
    if not plan.timesteps_fixed:
        model.graph.input.append(
            helper.make_tensor_value_info(TIMESTEPS, onnx.TensorProto.INT64, [])
        )


def _provenance(plan: ConversionPlan, producer: str) -> dict[str, str]:
    entries = {
        "source_digest": plan.source_digest,
        "source_producer": producer,
        "plan_schema": str(SCHEMA_VERSION),
        "config": json.dumps(asdict(plan.config)),
        "timesteps": "fixed" if plan.timesteps_fixed else "free",
    }
    return {METADATA_PREFIX + k: v for k, v in entries.items() if v}
