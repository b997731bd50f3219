"""The way from a source model to the canonical graph."""

from __future__ import annotations

import hashlib

import numpy as np
import onnx
import onnx_graphsurgeon as gs
from onnx import shape_inference
from onnx_graphsurgeon.logger import G_LOGGER

from onnx2snn.analog.never import RANDOM
from onnx2snn.canonical import BATCH, CanonicalGraph, SourceInfo, export
from onnx2snn.errors import ModelFileError, naming
from onnx2snn.frontend.channels import check_channels
from onnx2snn.frontend.dialect import DIALECTS
from onnx2snn.frontend.lift import STANDARD, inline_functions, lift, opset_of, prepare
from onnx2snn.frontend.precision import to_single_precision
from onnx2snn.frontend.quantizers import tidy_quantizers
from onnx2snn.frontend.source import operator_counts
from onnx2snn.passes import (
    BEFORE_BATCH_IS_FREE,
    EXACT_PASSES,
    PASSES,
    fold_quantized_constants,
)
from onnx2snn.passes.cancel_transposes import cancel_transposes

#: Function bodies are written for it, and onnxruntime 1.17 runs it.
LOWEST_TARGET_OPSET = 18
#: QuantizeLinear and DequantizeLinear know these types of integers from this opset on.
NEW_INTEGERS_OPSET = 21
OLD_INTEGERS = {np.dtype(t) for t in (np.int8, np.uint8, np.int32)}

#: The dialects of a network without quantizers.
FLOAT = ("float",)

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
        UnsupportedModelError: a quantizer of its dialect has no form in float operators.
    """
    known = frozenset().union(*(d.operators for d in DIALECTS))
    whole = inline_functions(model, known, file)
    source = _describe(whole, file, digest=_digest(model))
    prepare(whole)
    diagnostics = to_single_precision(whole)
    lifted = lift(whole, LOWEST_TARGET_OPSET, file)
    canonical = CanonicalGraph(_import(lifted, file), source, diagnostics=diagnostics)
    _name_nodes(canonical.graph)
    _fold_constants(canonical.graph, file)
    if source.dialects != FLOAT:
        with naming(file, ModelFileError):
            _lower_dialects(canonical, file, keep_integers=keep_integers)
    check_channels(canonical.graph, file)
    cancel_transposes(canonical)
    for early in BEFORE_BATCH_IS_FREE:
        early(canonical)
    canonical.graph = _with_free_batch(canonical.graph, file)
    for step in EXACT_PASSES if keep_integers else PASSES:
        step(canonical)
    canonical.graph = _with_shapes(canonical.graph, file)
    return canonical


def _lower_dialects(canonical: CanonicalGraph, file: str | None, *, keep_integers: bool) -> None:
    """From any quantized dialect to float operators, Q and DQ."""
    for dialect in DIALECTS:
        if dialect.name in canonical.source.dialects:
            dialect.lower(canonical)
    tidy_quantizers(canonical)
    if not keep_integers:
        fold_quantized_constants(canonical)
    _fold_constants(canonical.graph, file)
    if _has_new_integers(canonical.graph):
        lifted = lift(export(canonical.graph), NEW_INTEGERS_OPSET, file)
        canonical.graph = _import(lifted, file)


def _has_new_integers(graph: gs.Graph) -> bool:
    """Whether a quantizer works on integers of another size than 8 or 32 bits."""
    return any(
        isinstance(t, gs.Constant) and t.dtype not in OLD_INTEGERS and np.dtype(t.dtype).kind != "f"
        for n in graph.nodes
        if n.op in {"QuantizeLinear", "DequantizeLinear"}
        for t in n.inputs
    )


def _digest(model: onnx.ModelProto) -> str:
    return hashlib.sha256(model.SerializeToString(deterministic=True)).hexdigest()


def _describe(model: onnx.ModelProto, file: str | None, *, digest: str) -> SourceInfo:
    constants = {t.name for t in model.graph.initializer}
    return SourceInfo(
        file=file,
        digest=digest,
        opset=opset_of(model),
        dialects=tuple(d.name for d in DIALECTS if d.occurs_in(model)) or FLOAT,
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


def _import(model: onnx.ModelProto, file: str | None) -> gs.Graph:
    graph = gs.import_onnx(_inferred(model, file))
    return graph.toposort()


def _inferred(
    model: onnx.ModelProto, file: str | None, *, check_type: bool = False
) -> onnx.ModelProto:
    try:
        return shape_inference.infer_shapes(
            model, data_prop=True, strict_mode=True, check_type=check_type
        )
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
        graph.fold_constants(should_exclude_node=_must_stay).cleanup()
    except Exception as error:  # whatever onnxruntime says of a broken constant part
        raise ModelFileError(
            f"its constant part cannot be computed ({error})", file=file
        ) from error


def _must_stay(node: gs.Node) -> bool:
    """What onnxruntime may not know, and what would be frozen at one random draw."""
    return (node.domain or "") not in STANDARD or node.op in RANDOM


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
    return gs.import_onnx(_inferred(export(graph), file, check_type=True)).toposort()
