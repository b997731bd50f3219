"""One object per spiking op: its schema, shapes, NumPy definition and ONNX function body.

Everything that exists of an op is made from its :class:`OpSpec`, so that nothing can disagree
about a name, an input or a default: the checker schema, shape inference, the page in the
documentation, the operator of the ONNX reference evaluator, and the model-local function that
lets stock onnxruntime run the file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import onnx
from onnx import parser

from onnx2snn_runtime.registry import Registry

DOMAIN = "org.onnx2snn"
DOMAIN_VERSION = 1

Array: TypeAlias = npt.NDArray[Any]
#: One entry per axis: a length, a symbolic name, or None where nothing is known.
Shape: TypeAlias = tuple[int | str | None, ...]
AttributeValue: TypeAlias = int | float | str | Sequence[int]

OPS: Registry[OpSpec] = Registry("spiking op", "onnx2snn_runtime.ops")

#: Endings of the names of a state: an input before step 0, an output after step T−1.
STATE_BEFORE, STATE_AFTER = "_init", "_final"


@dataclass(frozen=True)
class Param:
    """A formal input or output: ``shape`` is for people.

    ``kind`` is the element type, "float" or "int64"; an input may take several: "float|int64".
    """

    name: str
    shape: str
    doc: str
    kind: str = "float"


#: The last input of every spiking op.
TIMESTEPS_PARAM = Param("T", "scalar", "number of time steps, at least 1", "int64")


@dataclass(frozen=True)
class Attr:
    """A formal attribute. Without a ``default`` it is required.

    Nodes that we write always carry every attribute: the ONNX reference evaluator does not apply
    the defaults of model-local functions.
    """

    name: str
    kind: str  # "int", "float", "ints" or "string", as in the ONNX text format
    doc: str
    default: AttributeValue | None = None
    choices: tuple[str, ...] = ()


def choice(name: str, doc: str, *choices: str) -> Attr:
    """A string attribute with so many ``choices``; the first is the default."""
    return Attr(name, "string", doc, default=choices[0], choices=choices)


def never(attributes: Mapping[str, AttributeValue]) -> bool:
    """The usual answer to whether an op needs its whole window at once."""
    return False


def always(attributes: Mapping[str, AttributeValue]) -> bool:
    """The answer of ops that need it whatever their attributes are."""
    return True


@dataclass(frozen=True)
class OpSpec:
    """Everything there is to know about one spiking op.

    Attributes:
        name: op type in the domain ``org.onnx2snn``, at most 21 characters.
        since_version: version of the op set in which this meaning appeared.
        summary: one line.
        definition: the exact meaning, as Markdown.
        inputs: formal inputs in order.
        outputs: formal outputs in order; nodes name all of them.
        attributes: formal attributes.
        window: the specification: NumPy inputs and attributes in, NumPy outputs out. It calls
            the op's step function once for each time step.
        infer_shapes: input shapes and attributes in, output shapes out.
        body: the model-local function's statements in the ONNX text format.
        calls: other ops of the domain that the body uses.
        is_population: whether nodes are neuron populations: their first output is a spike train,
            their second the state after the window.
        needs_whole_window: attributes (all of them) in; whether windows of fewer steps, each
            starting from the state that the one before left, differ from one long window.
    """

    name: str
    since_version: int
    summary: str
    definition: str
    inputs: tuple[Param, ...]
    outputs: tuple[Param, ...]
    attributes: tuple[Attr, ...]
    window: Callable[..., tuple[Array, ...]]
    infer_shapes: Callable[[Sequence[Shape], Mapping[str, AttributeValue]], tuple[Shape, ...]]
    body: str
    calls: tuple[str, ...] = ()
    is_population: bool = False
    needs_whole_window: Callable[[Mapping[str, AttributeValue]], bool] = never

    def defaults(self) -> dict[str, AttributeValue]:
        """The attributes that have a default, with it."""
        return {a.name: a.default for a in self.attributes if a.default is not None}

    def states(self) -> list[tuple[int, int]]:
        """For every state: the place of its input and the place of its output."""
        places = {p.name: i for i, p in enumerate(self.outputs)}
        return [
            (i, places[p.name.removesuffix(STATE_BEFORE) + STATE_AFTER])
            for i, p in enumerate(self.inputs)
            if p.name.endswith(STATE_BEFORE)
        ]

    def schema(self) -> onnx.defs.OpSchema:
        """The schema for ``onnx.defs.register_schema``, shape inference included."""
        defs = onnx.defs.OpSchema

        def formal(p: Param) -> onnx.defs.OpSchema.FormalParameter:
            kind = f"T_{p.name}" if "|" in p.kind else f"tensor({p.kind})"
            return defs.FormalParameter(p.name, kind, f"{p.shape}: {p.doc}")

        constraints = [
            (f"T_{p.name}", [f"tensor({kind})" for kind in p.kind.split("|")], p.doc)
            for p in self.inputs
            if "|" in p.kind
        ]

        attributes = []
        for a in self.attributes:
            kind = getattr(defs.AttrType, a.kind.upper())
            if a.default is None:
                attributes.append(defs.Attribute(a.name, kind, a.doc, required=True))
            else:
                default = onnx.helper.make_attribute(a.name, a.default)
                attributes.append(defs.Attribute(a.name, default, a.doc))
        schema = defs(
            self.name,
            DOMAIN,
            self.since_version,
            f"{self.summary}\n\n{self.definition}",
            inputs=[formal(p) for p in self.inputs],
            outputs=[formal(p) for p in self.outputs],
            attributes=attributes,
            type_constraints=constraints,
        )
        schema.set_type_and_shape_inference_function(self._infer_in_context)
        return schema

    def function(self, opset: int) -> onnx.FunctionProto:
        """The model-local function with this op's body, for a model of the given ONNX opset."""
        imports = f'["" : {opset}' + (f', "{DOMAIN}" : {DOMAIN_VERSION}]' if self.calls else "]")
        names = [a.name for a in self.attributes if a.default is None]
        names += [
            f"{a.name}: {a.kind} = {_literal(a.default)}"
            for a in self.attributes
            if a.default is not None
        ]
        attributes = f"<{', '.join(names)}>" if names else ""
        inputs = ", ".join(p.name for p in self.inputs)
        outputs = ", ".join(p.name for p in self.outputs)
        function = parser.parse_function(
            f'<opset_import: {imports}, domain: "{DOMAIN}">\n'
            f"{self.name} {attributes} ({inputs}) => ({outputs})\n{{\n{self.body}\n}}"
        )
        function.doc_string = self.summary
        return function

    def _infer_in_context(self, context: Any) -> None:
        shapes = [_read_shape(context.get_input_type(i)) for i in range(len(self.inputs))]
        attributes = self.defaults()
        for a in self.attributes:
            proto = context.get_attribute(a.name)
            if proto is not None:
                value = onnx.helper.get_attribute_value(proto)
                attributes[a.name] = value.decode() if isinstance(value, bytes) else value
        known = [s for s in shapes if s is not None]
        found: Sequence[Shape | None] = [None] * len(self.outputs)
        if len(known) == len(shapes):  # of an input without a rank nothing follows
            found = self.infer_shapes(known, attributes)
        for i, shape in enumerate(found):
            kind = onnx.TensorProto.DataType.Value(self.outputs[i].kind.upper())
            context.set_output_type(i, onnx.helper.make_tensor_type_proto(kind, shape))


def functions_for(names: Sequence[str], opset: int) -> list[onnx.FunctionProto]:
    """The functions of the named ops and of every op that their bodies call.

    A function stands behind those that it calls: the ONNX reference evaluator needs that order.
    """
    wanted: dict[str, OpSpec] = {}

    def add(name: str) -> None:
        spec = OPS.get(name)
        for called in sorted(spec.calls):
            add(called)
        wanted.setdefault(name, spec)

    for name in sorted(names):
        add(name)
    return [spec.function(opset) for spec in wanted.values()]


def register_schemas() -> None:
    """Make the op set known to ``onnx.checker`` and ``onnx.shape_inference`` of this process."""
    for spec in OPS:
        if not onnx.defs.has(spec.name, DOMAIN):
            onnx.defs.register_schema(spec.schema())


def unknown_rows(shape: Shape) -> Shape:
    """A shape with the length of axis 0 unknown, as between [N, ...] and [T·N, ...]; 0 stays 0.

    T is known at run time only.
    """
    return (0 if shape[:1] == (0,) else None, *shape[1:])


def split_time(tensor: Array, timesteps: int) -> Array:
    """View [T·N, ...] as [T, N, ...]."""
    return tensor.reshape(timesteps, tensor.shape[0] // timesteps, *tensor.shape[1:])


def merge_time(tensor: Array) -> Array:
    """View [T, N, ...] as [T·N, ...]."""
    return tensor.reshape(tensor.shape[0] * tensor.shape[1], *tensor.shape[2:])


def _read_shape(type_proto: onnx.TypeProto | None) -> Shape | None:
    if type_proto is None or not type_proto.tensor_type.HasField("shape"):
        return None
    return tuple(
        d.dim_value if d.HasField("dim_value") else (d.dim_param or None)
        for d in type_proto.tensor_type.shape.dim
    )


def _literal(value: AttributeValue | None) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)


def as_float32(*arrays: Array) -> list[npt.NDArray[np.float32]]:
    """The arrays as float32, the arithmetic of every float op."""
    return [np.asarray(a, dtype=np.float32) for a in arrays]
