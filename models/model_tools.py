"""Shared helpers for the reference networks: tidy, check, run and describe ONNX files.

Needs numpy, onnx and onnxruntime only, so that the manifest can be checked on a machine without a
training framework. Nothing here depends on the converter: the reference networks are its input and
must not be shaped by its code.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime as ort

MODELS_DIR = Path(__file__).resolve().parent
REPOSITORY = MODELS_DIR.parent
DEMO_DIR = REPOSITORY / "onnx2snn" / "demo_data"

INPUT_NAME = "input"
OUTPUT_NAME = "logits"
BATCH_AXIS = "N"
LICENCE = "Apache-2.0"

FloatArray = npt.NDArray[np.float32]

#: What an exporter may leak into names, doc strings or metadata.
_LOCAL_FOLDER = re.compile(r"site-packages|/(?:home|root|tmp|usr|opt|mnt|work|Users|var)/|[A-Z]:\\")
_SOURCE_LINE = re.compile(r"\.py\b")


class ModelFileError(Exception):
    """A reference network is not fit to be committed; the message says why."""


def to_nchw(images: npt.NDArray[np.uint8], divisor: float) -> FloatArray:
    """Turn uint8 images, [N, 1, H, W] or [N, H, W, 1], into the network's float32 input."""
    if images.shape[1] != 1:
        images = images.transpose(0, 3, 1, 2)
    return np.ascontiguousarray(images, dtype=np.float32) / np.float32(divisor)


def sha256_of(path: Path) -> str:
    """Return the hexadecimal SHA-256 digest of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def default_opset(model: onnx.ModelProto) -> int:
    """Return the version of the standard operator set that a model imports."""
    versions: list[int] = [
        entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")
    ]
    if len(versions) != 1:
        raise ModelFileError(f"expected one import of the standard operator set, got {versions}")
    return versions[0]


def operator_histogram(model: onnx.ModelProto) -> dict[str, int]:
    """Count the nodes of a graph by operator, with the domain where it is not the standard one."""
    names = (f"{n.domain}.{n.op_type}" if n.domain else n.op_type for n in model.graph.node)
    return dict(sorted(Counter(names).items()))


def tidy(model: onnx.ModelProto, *, name: str, doc: str, metadata: Mapping[str, str]) -> None:
    """Give a model its name, documentation and provenance, and drop what tools left behind.

    Exporters store Python stack traces with local paths in node doc strings; onnxruntime's
    optimizer imports every operator set that it knows, and its quantizer keeps the shapes of
    tensors that it has removed. None of this belongs in a committed file.
    """
    graph = model.graph
    graph.name, graph.doc_string, model.doc_string = name, doc, doc
    for node in graph.node:
        node.doc_string = ""
        del node.metadata_props[:]
    for value in (*graph.input, *graph.output, *graph.value_info, *graph.initializer):
        value.doc_string = ""
    del graph.metadata_props[:]
    del model.metadata_props[:]
    onnx.helper.set_model_props(model, dict(sorted(metadata.items())))
    _drop_unused_opset_imports(model)
    _drop_stale_shapes(graph)


def _drop_stale_shapes(graph: onnx.GraphProto) -> None:
    produced = {value for node in graph.node for value in node.output}
    kept = [value for value in graph.value_info if value.name in produced]
    del graph.value_info[:]
    graph.value_info.extend(kept)


def _drop_unused_opset_imports(model: onnx.ModelProto) -> None:
    used = {node.domain for node in model.graph.node} | {""}
    kept = [entry for entry in model.opset_import if entry.domain in used]
    del model.opset_import[:]
    model.opset_import.extend(kept)


def rename_values(model: onnx.ModelProto, names: Mapping[str, str]) -> None:
    """Rename tensors everywhere in a graph without subgraphs."""
    graph = model.graph
    for node in graph.node:
        node.input[:] = [names.get(value, value) for value in node.input]
        node.output[:] = [names.get(value, value) for value in node.output]
    for entry in (*graph.initializer, *graph.value_info, *graph.input, *graph.output):
        entry.name = names.get(entry.name, entry.name)


def save(model: onnx.ModelProto, path: Path) -> None:
    """Check a model and write it in one piece, byte for byte the same for the same model."""
    check(model)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(model.SerializeToString(deterministic=True))


def check(model: onnx.ModelProto) -> None:
    """Refuse a model that is invalid, leaks local paths, or does not follow the conventions here.

    The conventions: input ``input`` and output ``logits`` with a dynamic first axis ``N``, unique
    node names, no external data, and the same logits whether samples come alone or in a batch.
    """
    onnx.checker.check_model(model, full_check=True)
    _check_interface(model)
    _check_no_local_traces(model)
    _check_batches(model)


def _check_interface(model: onnx.ModelProto) -> None:
    graph = model.graph
    found = [value.name for value in (*graph.input, *graph.output)]
    if found != [INPUT_NAME, OUTPUT_NAME]:
        raise ModelFileError(f"{graph.name}: inputs and outputs are {found}")
    for value in (*graph.input, *graph.output):
        axis = value.type.tensor_type.shape.dim[0]
        if axis.dim_param != BATCH_AXIS:
            raise ModelFileError(f"{graph.name}: first axis of {value.name} is not {BATCH_AXIS!r}")
    names = [node.name for node in graph.node]
    if not all(names) or len(set(names)) != len(names):
        raise ModelFileError(f"{graph.name}: node names are missing or not unique")
    if not graph.doc_string:
        raise ModelFileError(f"{graph.name}: the graph has no doc string")


def _check_no_local_traces(model: onnx.ModelProto) -> None:
    texts = onnx.ModelProto()
    texts.CopyFrom(model)
    for initializer in texts.graph.initializer:
        initializer.ClearField("raw_data")
    found = _LOCAL_FOLDER.search(str(texts))
    # The model's own metadata name the script that made it, relative to the repository.
    del texts.metadata_props[:]
    found = found or _SOURCE_LINE.search(str(texts))
    if found is not None:
        raise ModelFileError(f"{model.graph.name}: contains a local path or source line: {found!r}")


def _check_batches(model: onnx.ModelProto) -> None:
    shape = [axis.dim_value for axis in model.graph.input[0].type.tensor_type.shape.dim[1:]]
    batch = np.random.default_rng(0).random((7, *shape), dtype=np.float32)
    session = new_session(model.SerializeToString())
    together = run(session, batch)
    alone = np.concatenate([run(session, batch[i : i + 1]) for i in range(len(batch))])
    if together.shape[0] != len(batch) or not np.isfinite(together).all():
        raise ModelFileError(f"{model.graph.name}: bad output of shape {together.shape}")
    if not np.allclose(together, alone, rtol=1e-4, atol=1e-4):
        raise ModelFileError(f"{model.graph.name}: batches of 1 and 7 give different logits")


def new_session(model: bytes | Path, *, optimize: bool = True) -> ort.InferenceSession:
    """Open a model in onnxruntime on the CPU, with graph optimizations or exactly as written."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 2
    level = ort.GraphOptimizationLevel
    options.graph_optimization_level = level.ORT_ENABLE_ALL if optimize else level.ORT_DISABLE_ALL
    source = str(model) if isinstance(model, Path) else model
    return ort.InferenceSession(source, options, providers=["CPUExecutionProvider"])


def run(session: ort.InferenceSession, inputs: FloatArray, batch_size: int = 256) -> FloatArray:
    """Return the logits of all samples, computed in batches."""
    parts: list[FloatArray] = [
        session.run([OUTPUT_NAME], {INPUT_NAME: inputs[i : i + batch_size]})[0]
        for i in range(0, len(inputs), batch_size)
    ]
    return np.concatenate(parts)


def count_correct(
    session: ort.InferenceSession, inputs: FloatArray, labels: npt.NDArray[np.uint8]
) -> int:
    """Count the samples whose largest logit is at the label."""
    return int((run(session, inputs).argmax(axis=1) == labels).sum())
