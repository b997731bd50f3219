"""Contract of operators that may be islands: what they vouch for is true of every sample."""

import numpy as np
import pytest

from onnx2snn.analog import ANALOG
from onnx2snn.frontend import canonicalise

SHAPE = (4, 5, 6)
LIGHT = {
    "Cast": {"to": 1},
    "LpPool": {"kernel_shape": [2, 2]},
    "LRN": {"size": 3},
    "ThresholdedRelu": {"alpha": 0.3},
}
SPECIAL = {
    "And", "CumSum", "DequantizeLinear", "Equal", "Greater", "GreaterOrEqual", "GridSample",
    "GroupNormalization", "InstanceNormalization", "LayerNormalization", "Less", "LessOrEqual",
    "Mod", "Not", "Or", "QuantizeLinear", "RMSNormalization", "TopK", "Where", "Xor",
}  # fmt: skip
PAIRS = {"Add", "Div", "MatMul", "Max", "Min", "Mul", "PRelu", "Pow", "Sub"}
WINDOWS = {"AveragePool", "MaxPool", "LpPool"}


def special(net, op, x):
    """Nodes that need more than a tensor; the answer is made float."""
    if op in {"And", "Or", "Xor", "Not"}:
        flag = net.node("Greater", x, net.const(0.0))
        others = [] if op == "Not" else [net.node("Greater", x, net.const(0.5))]
        return net.node("Cast", net.node(op, flag, *others, name="it"), to=1)
    if op in {"Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual"}:
        other = net.node("Relu", x) if op == "Equal" else net.node("Round", x)
        return net.node("Cast", net.node(op, x, other, name="it"), to=1)
    if op in {"QuantizeLinear", "DequantizeLinear"}:
        given = [net.const(0.1), net.const(np.int8(3), dtype=None)]
        q = net.node("QuantizeLinear", x, *given, name="it" if op[0] == "Q" else "q")
        return net.node("DequantizeLinear", q, *given, name="it" if op[0] == "D" else "d")
    if op == "Where":
        return net.node(op, net.node("Greater", x, net.const(0.0)), x, net.const(9.0), name="it")
    if op == "Mod":
        return net.node(op, x, net.const(0.3), fmod=1, name="it")
    if op == "CumSum":
        return net.node(op, x, net.const(np.int64(2), dtype=None), name="it")
    if op == "TopK":
        return net.node(op, x, net.ints(2), outputs=2, name="it")
    if op == "GridSample":
        grid = net.node("Tanh", net.node("Slice", net.node("Transpose", x, perm=[0, 2, 3, 1]),
                                         net.ints(0), net.ints(2), net.ints(3)))  # fmt: skip
        return net.node(op, x, grid, name="it")
    size = {"LayerNormalization": 6, "RMSNormalization": 6}.get(op, 4)
    extra = [] if op == "RMSNormalization" else [net.random(size)]
    groups = {"num_groups": 2} if op == "GroupNormalization" else {}
    return net.node(op, x, net.random(size), *extra, name="it", **groups)


def build(net, op):
    x = net.input(shape=("N", *SHAPE))
    if op in SPECIAL:
        return special(net, op, x)
    if op in PAIRS:
        x = net.node("Abs", x) if op == "Pow" else x
        y = net.node("Transpose", x, perm=[0, 1, 3, 2]) if op == "MatMul" else net.node("Exp", x)
        return net.node(op, x, y, name="it")
    x = net.node("Abs", x) if op in {"Log", "Sqrt", "ReduceLogSum"} else x
    attributes = LIGHT.get(op, {"kernel_shape": [2, 2]} if op in WINDOWS else {})
    if op.startswith("Reduce"):
        return net.node(op, x, net.ints(1), name="it")
    if op in {"ArgMax", "ArgMin"}:
        return net.node("Cast", net.node(op, x, axis=1, name="it"), to=1)
    if op == "MeanVarianceNormalization":
        attributes = {"axes": [2, 3]}
    return net.node(op, x, name="it", **attributes)


NEW = {"Gelu": 20, "Swish": 24, "RMSNormalization": 23, "GroupNormalization": 21}


@pytest.mark.parametrize("op", sorted(ANALOG.names()))
def test_each_sample_for_itself(new_net, run_stock, op):
    net = new_net(opset=NEW.get(op, 18), ir=10)
    model = net.model(build(net, op), check=op != "GroupNormalization")  # no shape is inferred
    (node,) = [n for n in canonicalise(model, keep_integers=True).graph.nodes if n.name == "it"]
    assert ANALOG.get(op)(node) is None
    x = np.random.default_rng(0).uniform(-0.9, 0.9, (4, *SHAPE)).astype(np.float32)
    x = x + 1.5 if op == "Acosh" else x
    together = run_stock(model, x)[0]
    alone = np.concatenate([run_stock(model, x[i : i + 1])[0] for i in range(4)])
    np.testing.assert_array_equal(together, alone)
    assert len(np.unique(together)) > 1


@pytest.mark.parametrize("op", ["MatMul", "MatMul with weights"])
def test_matrices_of_samples(new_net, op):
    """Two axes are one matrix: the batch would be a part of it."""
    net = new_net()
    x = net.input(shape=("N", 4))
    other = net.random(3, 5) if "weights" in op else net.node("Transpose", x)
    y = net.node("MatMul", other, x, name="it") if "weights" in op else net.node(
        "MatMul", x, other, name="it"
    )  # fmt: skip
    graph = canonicalise(net.model(y, check=False)).graph
    (node,) = [n for n in graph.nodes if n.name == "it"]
    assert "along the batch axis" in ANALOG.get("MatMul")(node)
