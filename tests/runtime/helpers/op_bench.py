"""Ways to compute a case."""

import numpy as np
import onnxruntime
from onnx import helper
from onnx.reference import ReferenceEvaluator

from onnx2snn_runtime.backend import BACKENDS, BackendOptions
from onnx2snn_runtime.opspec import DOMAIN, DOMAIN_VERSION, OPS, functions_for
from op_case import NUMPY_TYPES, ONNX_TYPES, make_case

OPSET = 17
IR_VERSION = 8


def formal_type(param):
    """A formal input's or output's element type; the first where it takes several."""
    return ONNX_TYPES[np.dtype(NUMPY_TYPES[param.kind.split("|")[0]])]


def op_model(spec, attributes, input_shapes, output_shapes, opset=OPSET, types=None):
    """A model of one node and the functions it needs; ``types`` are the inputs', formal if None."""
    types = types or [formal_type(p) for p in spec.inputs]
    inputs = [
        helper.make_tensor_value_info(p.name, kind, shape)
        for p, kind, shape in zip(spec.inputs, types, input_shapes, strict=True)
    ]
    outputs = [
        helper.make_tensor_value_info(p.name, formal_type(p), shape)
        for p, shape in zip(spec.outputs, output_shapes, strict=True)
    ]
    node = helper.make_node(
        spec.name,
        [p.name for p in spec.inputs],
        [p.name for p in spec.outputs],
        name="node",
        domain=DOMAIN,
        **attributes,
    )
    return spiking_model([node], inputs, outputs, [], opset)


def spiking_model(nodes, inputs, outputs, initializers, opset=OPSET):
    """A model with the functions of all its spiking ops."""
    ops = sorted({n.op_type for n in nodes if n.domain == DOMAIN and OPS.find(n.op_type)})
    return helper.make_model(
        helper.make_graph(nodes, "graph", inputs, outputs, initializers),
        opset_imports=[
            helper.make_opsetid("", opset),
            helper.make_opsetid(DOMAIN, DOMAIN_VERSION),
        ],
        ir_version=IR_VERSION,
        functions=functions_for(ops, opset),
    )


def stock_session(model):
    """An onnxruntime session without any of our code."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


class Bench:
    """Computes cases in every way; keeps one session for each op, attributes and ranks."""

    def __init__(self):
        self._kept = {}

    def model(self, case, opset=OPSET):
        """The case's op in a model whose shapes are all symbolic."""
        symbols = [
            [f"{p.name}_{axis}" for axis in range(a.ndim)]
            for p, a in zip(case.spec.inputs, case.inputs, strict=True)
        ]
        outputs = [[None] * a.ndim for a in case.window()]
        types = [ONNX_TYPES[a.dtype] for a in case.inputs]
        return op_model(case.spec, case.attributes, symbols, outputs, opset, types)

    def load_stock(self, model):
        """Any model in stock onnxruntime."""
        return stock_session(model)

    def stock(self, case, opset=OPSET):
        """Stock onnxruntime, the file's function body."""
        return self._keep("stock", case, opset, stock_session).run(None, case.feeds)

    def body(self, case, opset=OPSET):
        """Plain ONNX reference evaluator, the file's function body."""
        return self._keep("body", case, opset, ReferenceEvaluator).run(None, case.feeds)

    def ours(self, case, opset=OPSET):
        """Our reference backend."""
        load = BACKENDS.get("reference")
        executable = self._keep("ours", case, opset, lambda m: load(m, BackendOptions()))
        return executable.run([p.name for p in case.spec.outputs], case.feeds)

    def agree(self, case, opset=OPSET):
        """Assert that all ways give the bits of the definition; returns them."""
        expected = case.window()
        ways = (
            (self.stock, self.ours) if onnx_misreads(case) else (self.stock, self.body, self.ours)
        )
        for way in ways:
            got = way(case, opset)
            assert len(got) == len(expected)
            for param, a, b in zip(case.spec.outputs, got, expected, strict=True):
                assert same_bits(a, b), (way.__name__, param.name, a, b)
        return expected

    def in_parts(self, case, parts, way):
        """A window in parts: each starts from the state that the one before left.

        Gives the op's outputs: what has rows for every step is put together, the rest is what
        the last part says.
        """
        spec, inputs = case.spec, list(case.inputs)
        pieces, done = [], 0
        for steps in parts:
            for i, p in enumerate(spec.inputs):
                if is_in_time(p):
                    n = case.inputs[i].shape[0] // case.steps
                    inputs[i] = case.inputs[i][done * n : (done + steps) * n]
            outputs = way(make_case(spec.name, *inputs[:-1], T=steps, **case.attributes))
            for before, after in spec.states():
                inputs[before] = outputs[after]
            pieces.append(outputs)
            done += steps
        return [
            np.concatenate(parts) if is_in_time(p) else parts[-1]
            for p, parts in zip(spec.outputs, zip(*pieces, strict=True), strict=True)
        ]

    def _keep(self, way, case, opset, load):
        attributes = tuple((k, str(v)) for k, v in sorted(case.attributes.items()))
        ranks = tuple(a.ndim for a in case.inputs)
        types = tuple(a.dtype for a in case.inputs)
        key = (way, case.spec.name, attributes, ranks, types, opset)
        if key not in self._kept:
            self._kept[key] = load(self.model(case, opset))
        return self._kept[key]


def is_in_time(param):
    """Whether a formal input or output always has a row for every step."""
    return param.shape.startswith("[T·N")


def onnx_misreads(case):
    """Whether the body needs something that onnx.reference gets wrong (seen in onnx 1.23.2).

    Its MaxPool, if every stride is 1, takes pads for top, bottom, left, right, and ignores those
    of one-dimensional images. Our own backend does not run bodies, so it is not concerned.
    """
    if case.spec.name != "SpikeMaxPool" or set(case.attributes["strides"]) != {1}:
        return False
    pads = case.attributes["pads"]
    return any(pads) if len(pads) == 2 else len(set(pads)) > 1


def same_bits(a, b):
    """Whether two arrays are the same to the last bit, type and shape included."""
    a, b = np.asarray(a), np.asarray(b)
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
