"""The way from a source model to the canonical graph."""

from __future__ import annotations

import hashlib

import numpy as np
import onnx
import onnx_graphsurgeon as gs
from onnx import shape_inference, version_converter
from onnx_graphsurgeon.logger import G_LOGGER

from onnx2snn.canonical import BATCH, CanonicalGraph, SourceInfo, export
from onnx2snn.errors import ModelFileError, UnsupportedModelError
from onnx2snn.frontend.dialect import DIALECTS
from onnx2snn.frontend.source import operator_counts
from onnx2snn.passes import (
    BEFORE_BATCH_IS_FREE,
    EXACT_PASSES,
    PASSES,
    fold_quantized_constants,
)

#: Function bodies are written for it, and onnxruntime 1.17 runs it.
LOWEST_TARGET_OPSET = 18
#: Attributes of Constant that hold plain numbers, and what they are.
PLAIN_CONSTANTS = {
    "value_float": np.float32,
    "value_floats": np.float32,
    "value_int": np.int64,
    "value_ints": np.int64,
}

# It has a logger of its own, which prints to the standard output.
G_LOGGER.severity = G_LOGGER.CRITICAL


def canonicalise(
    model: onnx.ModelProto, file: str | None = None, *, keep_integers: bool = False
) -> CanonicalGraph:
    """The canonical form of a source model, which is not changed.

    Args:
        model: the source.
        file: its name, for messages.
        keep_integers: leave quantized weights as integers behind a DequantizeLinear, for exact
            networks; else they become float weights, into which batch norm and biases are folded.

    Raises:
        ModelFileError: its opset cannot be lifted, or its shapes contradict each other.
    """
    source = _describe(model, file)
    lifted = _lift(model, file)
    canonical = CanonicalGraph(_import(lifted), source)
    graph = canonical.graph
    _name_nodes(graph)
    _fold_constants(graph, file)
    for name in DIALECTS.names():
        dialect = DIALECTS.get(name)
        if dialect.name in source.dialects:
            dialect.lower(canonical)
    if not keep_integers:
        fold_quantized_constants(canonical)
    for early in BEFORE_BATCH_IS_FREE:
        early(canonical)
    canonical.graph = _with_free_batch(graph, file)
    for step in EXACT_PASSES if keep_integers else PASSES:
        step(canonical)
    canonical.graph = _with_shapes(canonical.graph, file)
    return canonical


def _describe(model: onnx.ModelProto, file: str | None) -> SourceInfo:
    constants = {t.name for t in model.graph.initializer}
    return SourceInfo(
        file=file,
        digest=hashlib.sha256(model.SerializeToString(deterministic=True)).hexdigest(),
        opset=_opset(model),
        dialects=tuple(d.name for d in DIALECTS if d.occurs_in(model)) or ("float",),
        producer=" ".join(p for p in (model.producer_name, model.producer_version) if p),
        doc_string=model.doc_string,
        graph_doc_string=model.graph.doc_string,
        metadata={p.key: p.value for p in model.metadata_props},
        node_docs={n.name: n.doc_string for n in model.graph.node if n.name and n.doc_string},
        inputs=tuple(i for i in model.graph.input if i.name not in constants),
        outputs=tuple(model.graph.output),
        operators=operator_counts(model),
        domain=model.domain,
        model_version=model.model_version,
    )


def _opset(model: onnx.ModelProto) -> int:
    return next(int(o.version) for o in model.opset_import if o.domain in {"", "ai.onnx"})


def _lift(model: onnx.ModelProto, file: str | None) -> onnx.ModelProto:
    """The model at an opset that function bodies can be written for."""
    lifted = onnx.ModelProto()
    lifted.CopyFrom(model)
    # Initializers that are also inputs (all of them, before IR 4) are constants for us.
    constants = {t.name for t in lifted.graph.initializer}
    inputs = [i for i in lifted.graph.input if i.name not in constants]
    del lifted.graph.input[:]
    lifted.graph.input.extend(inputs)
    lifted.ir_version = max(lifted.ir_version, 4)
    _write_out_constants(lifted)
    if _opset(lifted) >= LOWEST_TARGET_OPSET:
        return lifted
    _refuse_foreign_operators(lifted, file)
    try:
        return version_converter.convert_version(lifted, LOWEST_TARGET_OPSET)
    except Exception as error:  # the converter raises unrelated kinds, from C++
        raise ModelFileError(
            f"cannot be lifted from opset {_opset(lifted)} to {LOWEST_TARGET_OPSET} ({error})",
            file=file,
            remedy=f"export it for opset {LOWEST_TARGET_OPSET} or newer",
        ) from error


def _write_out_constants(model: onnx.ModelProto) -> None:
    """Constants given as plain numbers become tensors: GraphSurgeon reads them as float64."""
    for node in model.graph.node:
        if node.op_type != "Constant" or node.domain not in {"", "ai.onnx"}:
            continue
        given = node.attribute[0] if node.attribute else None
        kind = PLAIN_CONSTANTS.get(given.name) if given is not None else None
        if given is not None and kind is not None:
            values = np.array(onnx.helper.get_attribute_value(given), dtype=kind)
            del node.attribute[:]
            tensor = onnx.numpy_helper.from_array(values)
            node.attribute.append(onnx.helper.make_attribute("value", tensor))


def _refuse_foreign_operators(model: onnx.ModelProto, file: str | None) -> None:
    """The opset converter cannot pass operators of domains without schema."""
    for node in model.graph.node:
        if node.domain not in {"", "ai.onnx"}:
            raise UnsupportedModelError(
                f"operators of the domain {node.domain} are not supported yet",
                file=file,
                node=f"'{node.name}' ({node.op_type})",
                remedy="write the network in float or QDQ form",
            )


def _import(model: onnx.ModelProto) -> gs.Graph:
    graph = gs.import_onnx(_inferred(model, None))
    return graph.toposort()


def _inferred(model: onnx.ModelProto, file: str | None) -> onnx.ModelProto:
    try:
        return shape_inference.infer_shapes(model, data_prop=True, strict_mode=True)
    except shape_inference.InferenceError as error:
        first = str(error).strip().splitlines()[0]
        if "No opset import" in first or "No schema" in first:
            return shape_inference.infer_shapes(model, data_prop=True)
        raise ModelFileError(f"has shapes that do not fit ({first})", file=file) from error


def _name_nodes(graph: gs.Graph) -> None:
    taken = {n.name for n in graph.nodes}
    seen: set[str] = set()
    for i, node in enumerate(graph.nodes):
        if not node.name or node.name in seen:
            base = name = node.name or f"{node.op}_{i}"
            number = 1
            while name in taken:
                number += 1
                name = f"{base}_{number}"
            node.name = name
        taken.add(node.name)
        seen.add(node.name)


def _fold_constants(graph: gs.Graph, file: str | None) -> None:
    try:
        graph.fold_constants().cleanup()
    except Exception as error:  # whatever onnxruntime says of a broken constant part
        raise ModelFileError(
            f"its constant part cannot be computed ({error})", file=file
        ) from error


def _with_free_batch(graph: gs.Graph, file: str | None) -> gs.Graph:
    """Axis 0 of every input and output becomes the symbol of the batch."""
    for tensor in graph.inputs:
        if tensor.shape and (isinstance(tensor.shape[0], int) or not tensor.shape[0]):
            tensor.shape = [BATCH, *tensor.shape[1:]]
    return _with_shapes(graph, file)


def _with_shapes(graph: gs.Graph, file: str | None) -> gs.Graph:
    """The graph with the shapes that follow from its inputs."""
    for tensor in graph.tensors().values():
        if isinstance(tensor, gs.Variable) and not any(tensor is i for i in graph.inputs):
            tensor.shape = None
    return gs.import_onnx(_inferred(export(graph), file)).toposort()
