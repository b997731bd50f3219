"""Gradients against differences, operator by operator."""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper, numpy_helper

from onnx2snn.calibration.gradients.backward import GRADIENTS, Backward, NoGradientError

OPSET = 18
IMAGE = (3, 4, 7, 6)
ROWS = (5, 6)


def case(op, shape, *others, wanted=(0,), **attributes):
    """A node: shape of its first input, constants behind, places of inputs with gradients."""
    return op, shape, others, wanted, attributes


def random(*shape):
    return np.random.default_rng(len(shape)).normal(0, 1, shape).astype(np.float32)


def whole(*values):
    return np.array(values, np.int64)


CASES = {
    "identity": case("Identity", IMAGE),
    "add": case("Add", IMAGE, random(4, 1, 1), wanted=(0, 1)),
    "add to fewer axes": case("Add", (6,), random(5, 6), wanted=(0, 1)),
    "sub": case("Sub", IMAGE, random(4, 1, 6), wanted=(0, 1)),
    "mul": case("Mul", IMAGE, random(4, 1, 1), wanted=(0, 1)),
    "div": case("Div", IMAGE, 2 + np.abs(random(1, 7, 1)), wanted=(0, 1)),
    "gemm": case("Gemm", ROWS, random(6, 3), random(3), wanted=(0, 1, 2)),
    "gemm, turned": case("Gemm", ROWS, random(3, 6), wanted=(0, 1), transB=1),
    "matmul": case("MatMul", ROWS, random(6, 3), wanted=(0, 1)),
    "matmul of rows": case("MatMul", (2, 5, 6), random(6, 3), wanted=(0, 1)),
    "conv": case("Conv", IMAGE, random(5, 4, 3, 3), random(5), wanted=(0, 1, 2), pads=[1] * 4),
    "conv, strides": case(
        "Conv", IMAGE, random(5, 4, 3, 2), wanted=(0, 1), strides=[2, 3], pads=[0, 1, 1, 0]
    ),
    "conv, dilations": case(
        "Conv", IMAGE, random(5, 4, 2, 2), wanted=(0, 1), dilations=[3, 2], strides=[2, 1]
    ),
    "conv, groups": case("Conv", IMAGE, random(6, 2, 3, 3), wanted=(0, 1), group=2),
    "conv, depthwise": case(
        "Conv", IMAGE, random(4, 1, 3, 3), wanted=(0, 1), group=4, strides=[2, 2], pads=[1] * 4
    ),
    "conv, one axis": case("Conv", (3, 4, 9), random(5, 4, 3), wanted=(0, 1), pads=[1, 0]),
    "average pool": case("AveragePool", IMAGE, kernel_shape=[3, 2], strides=[2, 2]),
    "average pool, padded": case(
        "AveragePool", IMAGE, kernel_shape=[3, 3], strides=[2, 1], pads=[1, 1, 1, 0]
    ),
    "average pool, padding counted": case(
        "AveragePool", IMAGE, kernel_shape=[3, 3], pads=[1] * 4, count_include_pad=1
    ),
    "global average pool": case("GlobalAveragePool", IMAGE),
    "max pool": case("MaxPool", IMAGE, kernel_shape=[2, 2], strides=[2, 2]),
    "max pool, overlapping": case("MaxPool", IMAGE, kernel_shape=[3, 3], pads=[1] * 4),
    "reshape": case("Reshape", IMAGE, whole(3, -1)),
    "flatten": case("Flatten", IMAGE),
    "squeeze": case("Squeeze", (3, 1, 4), whole(1)),
    "unsqueeze": case("Unsqueeze", (3, 4), whole(1)),
    "transpose": case("Transpose", IMAGE, perm=[0, 2, 3, 1]),
    "concat": case("Concat", IMAGE, random(3, 2, 7, 6), wanted=(0, 1), axis=-3),
    "pad": case("Pad", IMAGE, whole(0, 1, 2, 0, 0, 0, 1, 3)),
    "slice": case("Slice", IMAGE, whole(1, -4), whole(3, 100), whole(1, 3)),
    "slice, steps": case("Slice", IMAGE, whole(1, 0), whole(7, 6), whole(-2, 3), whole(2, 3)),
    "clip": case("Clip", IMAGE, np.float32(-0.5), np.float32(0.7)),
}


def computed(nodes, constants, values, outputs):
    """What onnxruntime makes of nodes."""
    model = onnx.ModelProto(ir_version=8, opset_import=[helper.make_opsetid("", OPSET)])
    model.graph.name = "node"
    model.graph.node.extend(nodes)
    model.graph.initializer.extend(constants)
    for name, value in values.items():
        kind = helper.np_dtype_to_tensor_dtype(np.asarray(value).dtype)
        model.graph.input.append(helper.make_tensor_value_info(name, kind, None))
    model.graph.output.extend(onnx.ValueInfoProto(name=n) for n in outputs)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    return session.run(outputs, values)


class Node:
    """One node, computed by onnxruntime."""

    def __init__(self, op, shape, others, wanted, attributes):
        values = [random(*shape), *others]
        self.values = {f"x{i}": np.asarray(v) for i, v in enumerate(values)}
        self.node = helper.make_node(op, list(self.values), ["y"], "node", **attributes)
        self.wanted = [f"x{i}" for i in wanted]
        self.constants = {n: v for n, v in self.values.items() if n not in self.wanted}

    def run(self, outputs, values, more=(), held=()):
        constants = [numpy_helper.from_array(v, n) for n, v in self.constants.items()]
        return computed([self.node, *more], [*constants, *held], values, outputs)

    def answer(self, values):
        [y] = self.run(["y"], values)
        return y.astype(np.float64)

    def gradients(self, weights):
        """Of the sum of outputs times weights."""
        given = {n: self.values[n] for n in self.wanted}
        shapes = {n: v.shape for n, v in self.values.items()} | {"y": weights.shape}
        backward = Backward([self.node], shapes, self.constants, self.wanted)
        backward.run([("y", "weights")])
        found = [backward.gradient(n) for n in self.wanted]
        values = self.run(
            found, {**given, "weights": weights}, backward.added, backward.initializers
        )
        return dict(zip(self.wanted, values, strict=True))


@pytest.mark.parametrize("op", CASES.values(), ids=CASES)
def test_against_differences(op):
    """Along random directions, for every input with a gradient."""
    node = Node(*op)
    given = {n: node.values[n] for n in node.wanted}
    rng = np.random.default_rng(0)
    weights = rng.normal(0, 1, node.answer(given).shape).astype(np.float32)
    step = 1e-3
    for name, gradient in node.gradients(weights).items():
        assert gradient.shape == given[name].shape
        for _ in range(3):
            way = rng.normal(0, 1, gradient.shape).astype(np.float32)
            ahead, behind = (
                (node.answer({**given, name: given[name] + np.float32(s) * way}) * weights).sum()
                for s in (step, -step)
            )
            size = float(np.linalg.norm(gradient) * np.linalg.norm(way))
            assert (ahead - behind) / (2 * step) == pytest.approx(
                float((gradient * way).sum()), abs=0.01 * size
            )


#: What is constant but for jumps; its gradient is an estimate.
ROUNDING = {"Population", "QuantizeLinear", "DequantizeLinear"}


def test_every_rule_is_tried():
    assert {op for op, *_ in CASES.values()} == set(GRADIENTS.names()) - ROUNDING


@pytest.mark.parametrize("rows", [1, 3])
def test_populations_pass_on_what_their_slopes_say(rows):
    """Step by step: what a step does not pass is left to the one before."""
    rng = np.random.default_rng(rows)
    shape = (rows, 4, 2, 5)
    passes, levers, errors = rng.random(shape) < 0.5, random(*shape), random(*shape)
    theta = np.array([[1.0], [2.0]], np.float32)
    flat = (rows * 4, 2, 5)
    values = {"theta": theta, "passes": passes.reshape(flat), "levers": levers.reshape(flat),
              "g": errors.reshape(flat)}  # fmt: skip
    reads = ["z", "theta", "shift", "passes", "levers", "potential"]
    node = helper.make_node("Population", reads, ["a"], "one", rows=rows)
    shapes = {name: np.shape(v) for name, v in values.items()}
    shapes |= {"z": flat, "a": flat, "shift": (2, 1), "potential": (2, 5)}
    wanted = ["z", "theta", "shift", "potential"]
    backward = Backward([node], shapes, {}, wanted)
    backward.run([("a", "g")])
    asked = [backward.gradient(name) for name in wanted]
    of_z, of_theta, of_shift, of_potential = computed(
        backward.added, backward.initializers, values, asked
    )
    later, turned, passed = np.zeros(shape[1:]), 0, []
    for t in reversed(range(rows)):
        turned = turned + (errors[t] - later) * levers[t]
        later = np.where(passes[t], errors[t], later)
        passed.insert(0, later)
    np.testing.assert_array_equal(of_z, np.concatenate(passed).astype(np.float32))
    np.testing.assert_allclose(of_shift, np.sum(passed, (0, 1, 3))[:, None], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(of_theta, turned.sum((0, 2))[:, None], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(of_potential, theta * passed[0].sum(0), rtol=1e-4, atol=1e-5)


def test_a_pair_of_quantizers_passes_gradients_on():
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "scale", "zero"], ["q"], "one"),
        helper.make_node("Flatten", ["q"], ["flat"], "two"),
        helper.make_node("DequantizeLinear", ["flat", "scale", "zero"], ["y"], "three"),
    ]
    shapes = {"x": (2, 3, 4), "q": (2, 3, 4), "flat": (2, 12), "y": (2, 12)}
    backward = Backward(nodes, shapes, {"scale": np.float32(0.1)}, ["x"])
    backward.run([("y", "g")])
    [back] = backward.added
    assert (back.op_type, back.input[0]) == ("Reshape", "g")
    assert backward.gradient("x") == back.output[0]


@pytest.mark.parametrize(
    "op",
    [
        case("Sigmoid", IMAGE),
        case("Gemm", ROWS, random(6, 3), alpha=2.0),
        case("MatMul", (2, 5, 6), random(2, 6, 3)),
        case("Conv", IMAGE, random(5, 4, 3, 3), auto_pad="SAME_UPPER"),
        case("AveragePool", IMAGE, kernel_shape=[2, 2], ceil_mode=1),
        case("MaxPool", IMAGE, kernel_shape=[2, 2], storage_order=1),
        case("Pad", IMAGE, whole(0, 0, 1, 1, 0, 0, 1, 1), mode="reflect"),
        case("Pad", IMAGE, whole(0, 0, -1, 0, 0, 0, 0, 0)),
        case("Slice", IMAGE, whole(5), whole(0), whole(2), whole(-1)),
    ],
    ids=lambda op: f"{op[0]} {sorted(op[4])}",
)
def test_refuses_what_it_does_not_know(op):
    node = Node(*op)
    given = {n: node.values[n] for n in node.wanted}
    with pytest.raises(NoGradientError, match=op[0]):
        node.gradients(node.answer(given).astype(np.float32))


def test_computed_limits_are_refused():
    node = helper.make_node("Slice", ["x", "a", "b"], ["y"], "node")
    backward = Backward([node], {"x": (3, 4), "y": (3, 2)}, {}, ["x"])
    with pytest.raises(NoGradientError, match="computed input 1"):
        backward.run([("y", "g")])


def test_only_what_is_wanted_is_computed():
    """Nothing leads back to a constant, and nothing to where no gradient is."""
    first = helper.make_node("Mul", ["x", "c"], ["y"], "first")
    second = helper.make_node("Sigmoid", ["c"], ["z"], "second")
    backward = Backward([first, second], dict.fromkeys("xcyz", (2,)), {"c": random(2)}, ["x"])
    backward.run([("y", "g"), ("z", "h")])
    assert backward.gradient("x")
    assert backward.gradient("c") is None
    assert [n.op_type for n in backward.added] == ["Mul"]


def test_gradients_of_two_readers_add_up():
    nodes = [
        helper.make_node("Identity", ["x"], ["y"], "one"),
        helper.make_node("Identity", ["x"], ["z"], "two"),
    ]
    backward = Backward(nodes, dict.fromkeys("xyz", (2,)), {}, ["x"])
    backward.run([("y", "g"), ("z", "h")])
    assert [(n.op_type, set(n.input)) for n in backward.added] == [("Add", {"g", "h"})]
