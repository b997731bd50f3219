"""One opset for all sources: local functions written out, then lifted by onnx's own converter."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import onnx
from onnx import helper, inliner, version_converter

from onnx2snn.errors import ModelFileError

#: Names of the domain of ONNX's own operators.
STANDARD = frozenset({"", "ai.onnx"})
#: Attributes of Constant that hold plain numbers, and what they are.
PLAIN_CONSTANTS = {
    "value_float": np.float32,
    "value_floats": np.float32,
    "value_int": np.int64,
    "value_ints": np.int64,
}


def opset_of(model: onnx.ModelProto) -> int:
    """The version of ONNX's own operators."""
    return next(int(o.version) for o in model.opset_import if o.domain in STANDARD)


def inline_functions(
    model: onnx.ModelProto, known: Collection[str], file: str | None
) -> onnx.ModelProto:
    """The model with the bodies of its local functions in place of the calls.

    Args:
        model: it is not changed.
        known: operators, domain as a prefix, that a dialect knows better than by their body.
        file: for messages.

    Raises:
        ModelFileError: the functions cannot be written out.
    """
    inlined = onnx.ModelProto()
    inlined.CopyFrom(model)
    functions = [f for f in model.functions if f"{f.domain}:{f.name}" not in known]
    del inlined.functions[:]
    if not functions:
        return inlined
    inlined.functions.extend(functions)
    try:
        return inliner.inline_local_functions(inlined, convert_version=True)
    except Exception as error:  # the inliner raises unrelated kinds, from C++
        raise ModelFileError(
            f"its local functions cannot be written out ({_first_line(error)})",
            file=file,
            remedy="write them out with onnx.inliner, or export the network without functions",
        ) from error


def prepare(model: onnx.ModelProto) -> None:
    """Bring an old file's ways of writing to the ones that graph tools understand, in place."""
    # Initializers that are also inputs (all of them, before IR 4) are constants for us.
    constants = {t.name for t in model.graph.initializer}
    inputs = [i for i in model.graph.input if i.name not in constants]
    del model.graph.input[:]
    model.graph.input.extend(inputs)
    model.ir_version = max(model.ir_version, 4)
    _shorten_standard_domain(model)
    _import_all_domains(model)
    _write_out_constants(model)


def lift(model: onnx.ModelProto, opset: int, file: str | None) -> onnx.ModelProto:
    """The model at this opset, or at its own if that is newer; foreign operators stay.

    Raises:
        ModelFileError: it cannot be lifted.
    """
    if opset_of(model) >= opset:
        return model
    try:
        return version_converter.convert_version(model, opset)
    except Exception as error:  # the converter raises unrelated kinds, from C++
        raise ModelFileError(
            f"cannot be lifted from opset {opset_of(model)} to {opset} ({error})",
            file=file,
            remedy=f"export it for opset {opset} or newer",
        ) from error


def _shorten_standard_domain(model: onnx.ModelProto) -> None:
    """ai.onnx is the long name of the domain that has no name."""
    for owner in (*model.graph.node, *model.opset_import):
        if owner.domain == "ai.onnx":
            owner.domain = ""


def _import_all_domains(model: onnx.ModelProto) -> None:
    """Brevitas forgets to import the domain of its operators."""
    imported = {o.domain for o in model.opset_import}
    for domain in sorted({n.domain for n in model.graph.node} - imported - STANDARD):
        model.opset_import.append(helper.make_opsetid(domain, 1))


def _write_out_constants(model: onnx.ModelProto) -> None:
    """Constants given as plain numbers become tensors: GraphSurgeon reads them as float64."""
    for node in model.graph.node:
        if node.op_type != "Constant" or node.domain not in STANDARD:
            continue
        given = node.attribute[0] if node.attribute else None
        kind = PLAIN_CONSTANTS.get(given.name) if given is not None else None
        if given is not None and kind is not None:
            values = np.array(helper.get_attribute_value(given), dtype=kind)
            del node.attribute[:]
            node.attribute.append(
                helper.make_attribute("value", onnx.numpy_helper.from_array(values))
            )


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
