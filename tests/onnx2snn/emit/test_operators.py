"""Every operator of convolutional networks between two populations, end to end."""

import numpy as np
import pytest

from onnx2snn_runtime import SpikingSession

SIZE = (4, 6, 6)


def node(op, *constants, **attributes):
    """A node that reads x and constants of the arrays' own types; None leaves an input out."""

    def build(net, x):
        given = ["" if c is None else net.const(c, dtype=None) for c in constants]
        return net.node(op, x, *given, name="odd", **attributes)

    return build


def first(op, constant, **attributes):
    """A node whose first operand is a constant."""
    return lambda net, x: net.node(op, net.const(constant), x, name="odd", **attributes)


def floats(*values):
    return np.array(values, np.float32)


def number(value):
    return np.float32(value)


def ints(*values):
    return np.array(values, np.int64)


def channels(*values):
    return floats(*values).reshape(-1, 1, 1)


def conv(shape, op="Conv", **attributes):
    return lambda net, x: net.conv(x, shape, op=op, bias=True, name="odd", **attributes)


def signed(build):
    """What the operator receives has both signs."""
    return lambda net, x: build(net, net.conv(x, (4, 4, 1, 1), bias=True))


def padded_pool(op, **attributes):
    return node(op, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1], **attributes)


def norm(net, x):
    return net.norm(net.conv(x, (4, 4, 3, 3)), 4, name="odd")


def split(net, x):
    net.node("Split", x, net.ints(1, 3), name="odd", axis=1, outputs=2)
    return net.node("Concat", "odd_out1", "odd_out", axis=1)


def halves(net, x):
    net.node("Split", x, name="odd", axis=1, outputs=2, num_outputs=2)
    return net.node("Add", "odd_out", net.node("Mul", "odd_out1", net.const(-0.5)))


def shuffle(net, x):
    x = net.node("Reshape", x, net.ints(0, 2, 2, 6, 6), name="odd")
    x = net.node("Transpose", x, perm=[0, 2, 1, 3, 4])
    return net.node("Reshape", x, net.ints(0, 4, 6, 6))


def squeeze_and_excite(net, x, gate="Sigmoid"):
    y = net.node("Flatten", net.node("GlobalAveragePool", x, name="squeeze"))
    y = net.relu(net.gemm(y, (4, 2)), name="inner")
    y = net.node(gate, net.gemm(y, (2, 4)), name="gate")
    return net.node("Mul", x, net.node("Unsqueeze", y, net.ints(2, 3)), name="odd")


def hard_swish(net, x):
    """As frameworks wrote it before the operator was there."""
    y = net.node("Clip", net.node("Add", x, net.const(3.0)), net.const(0.0), net.const(6.0))
    return net.node("Div", net.node("Mul", x, y, name="odd"), net.const(6.0))


def silu(net, x):
    return net.node("Mul", x, net.node("Sigmoid", x, name="odd"), name="product")


def dense(net, x):
    """A block that joins what several populations say."""
    y = net.relu(net.conv(x, (3, 4, 3, 3), pads=[1] * 4), name="inner")
    return net.node("Concat", x, y, name="odd", axis=1)


def inception_pool(net, x):
    return net.node("MaxPool", dense(net, x), kernel_shape=[2, 2], name="pool")


def attention(net, x):
    x = net.node("Reshape", x, net.ints(0, 4, 36))
    y = net.node("MatMul", x, net.node("Transpose", x, perm=[0, 2, 1]), name="odd")
    return net.node("Unsqueeze", net.node("MatMul", net.node("Softmax", y), x), net.ints(3))


PER_CHANNEL = [floats(0.5, 1.5, 1, 2), floats(0.1, -0.2, 0.3, 0)]
TWICE = floats(1, 1, 2, 2)

#: In time: every step is computed, by neurons or by synapses.
IN_TIME = {
    "Conv": conv((3, 4, 3, 3), pads=[1, 0, 0, 2], strides=[2, 1]),
    "Conv, depthwise, dilated": conv((4, 1, 2, 2), group=4, dilations=[2, 1]),
    "Conv, SAME": conv((3, 4, 2, 2), auto_pad="SAME_LOWER"),
    "ConvTranspose": conv((4, 3, 2, 2), "ConvTranspose", strides=[2, 2], output_padding=[1, 0]),
    "ConvTranspose, SAME": conv(
        (4, 3, 3, 3), "ConvTranspose", strides=[2, 2], auto_pad="SAME_UPPER"
    ),
    "Gemm": lambda n, x: n.node(
        "Unsqueeze", n.gemm(n.node("Flatten", x), (144, 5)), n.ints(2, 3)
    ),
    "MatMul": node("MatMul", np.random.default_rng(1).normal(size=(6, 3)).astype(np.float32)),
    "BatchNormalization": norm,
    "BatchNormalization behind nothing": lambda n, x: n.norm(x, 4, name="odd"),
    "Relu": signed(node("Relu")),
    "Clip": signed(node("Clip", number(0), number(0.8))),
    "Clip below": signed(node("Clip", number(-0.3))),
    "LeakyRelu": signed(node("LeakyRelu", alpha=0.2)),
    "LeakyRelu behind batch norm": lambda n, x: n.node(
        "LeakyRelu", n.norm(n.conv(x, (4, 4, 3, 3)), 4), name="odd"
    ),
    "PRelu": signed(node("PRelu", channels(0.1, 0.5, -0.2, 0))),
    "PRelu, one slope": signed(node("PRelu", floats(0.3))),
    "HardSigmoid": signed(node("HardSigmoid", alpha=0.4, beta=0.3)),
    "Max": signed(node("Max", number(0))),
    "Max, swapped": signed(first("Max", 0.25)),
    "Max and Min": signed(lambda n, x: n.node("Min", n.relu(x), n.const(0.5), name="odd")),
    "MaxPool": padded_pool("MaxPool"),
    "MaxPool, ceil": node("MaxPool", kernel_shape=[2, 3], strides=[3, 2], ceil_mode=1),
    "MaxPool, SAME": node("MaxPool", kernel_shape=[2, 2], auto_pad="SAME_UPPER"),
    "AveragePool": padded_pool("AveragePool"),
    "AveragePool, pads counted": padded_pool("AveragePool", count_include_pad=1),
    "AveragePool, ceil": node("AveragePool", kernel_shape=[2, 3], strides=[3, 2], ceil_mode=1),
    "AveragePool, SAME": node("AveragePool", kernel_shape=[2, 2], auto_pad="SAME_LOWER"),
    "GlobalAveragePool": node("GlobalAveragePool"),
    "GlobalMaxPool": node("GlobalMaxPool"),
    "ReduceMax over places": node("ReduceMax", ints(2, 3)),
    "ReduceMean over places": node("ReduceMean", ints(-2, -1)),
    "ReduceMean over rows": node("ReduceMean", ints(2)),
    "ReduceSum over channels": node("ReduceSum", ints(1)),
    "Add": node("Add", channels(0.1, 0.2, -0.3, 0.4)),
    "Add of a map": node("Add", np.random.default_rng(2).normal(size=(4, 6, 6)).astype("f")),
    "Sub": node("Sub", number(0.2)),
    "Sub from a constant": first("Sub", 0.7),
    "Mul": first("Mul", channels(1, -2, 0.5, 1)),
    "Div": node("Div", channels(1, -2, 0.5, 1)),
    "Sum": lambda n, x: n.node("Sum", x, n.conv(x, (4, 4, 1, 1)), n.const(0.1), name="odd"),
    "Sum of one": node("Sum"),
    "Mean": lambda n, x: n.node("Mean", x, n.conv(x, (4, 4, 1, 1)), n.conv(x, (4, 4, 1, 1))),
    "Neg": node("Neg"),
    "Concat": dense,
    "Concat and MaxPool": inception_pool,
    "Split": split,
    "Split in halves": halves,
    "Slice": node("Slice", ints(3, 0), ints(-5, 4), ints(1, 3), ints(-1, 2)),
    "Pad": node("Pad", ints(0, 1, 1, 0, 0, 0, 2, 1)),
    "Pad with a value": node("Pad", ints(0, 0, 1, 1, 0, 0, 1, 1), number(0.5)),
    "Pad, reflected": node("Pad", ints(0, 0, 1, 1, 0, 0, 1, 1), mode="reflect"),
    "Pad, edge": node("Pad", ints(0, 0, 2, 1, 0, 0, 0, 1), mode="edge"),
    "Pad, wrapped": node("Pad", ints(0, 0, 2, 1, 0, 0, 0, 1), mode="wrap"),
    "Resize, nearest": node("Resize", None, TWICE),
    "Resize, linear": node("Resize", None, TWICE, mode="linear"),
    "Resize, cubic, to a size": node("Resize", None, None, ints(9, 4), mode="cubic", axes=[2, 3]),
    "DepthToSpace": node("DepthToSpace", blocksize=2, mode="CRD"),
    "SpaceToDepth": node("SpaceToDepth", blocksize=3),
    "shuffle of channels": shuffle,
    "Flatten": lambda n, x: n.node("Unsqueeze", n.node("Flatten", x), n.ints(2, 3), name="odd"),
    "Squeeze": lambda n, x: n.node(
        "Unsqueeze", n.node("Squeeze", n.node("GlobalMaxPool", x), n.ints(2, 3)), n.ints(-1, -2)
    ),
    "Expand": lambda n, x: n.node("Expand", n.node("GlobalMaxPool", x), n.ints(1, 1, 3, 3)),
    "Tile": node("Tile", ints(1, 2, 1, 1)),
    "Gather": node("Gather", ints(2, 0, 0), axis=1),
    "Transpose": node("Transpose", perm=[0, 3, 1, 2]),
    "Identity": node("Identity"),
    "Dropout": node("Dropout", number(0.5)),
    "Cast": node("Cast", to=1),
}  # fmt: skip

#: Computed on means over the window, with a warning that names the nodes.
ISLANDS = {
    "InstanceNormalization": node("InstanceNormalization", *PER_CHANNEL),
    "LayerNormalization": node("LayerNormalization", np.ones(6, np.float32)),
    "PRelu, computed slope": lambda n, x: n.node(
        "PRelu", n.conv(x, (4, 4, 1, 1), bias=True), x, name="odd"
    ),
    "ThresholdedRelu": signed(node("ThresholdedRelu", alpha=0.4)),
    "HardSwish": signed(node("HardSwish")),
    "HardSwish, old": signed(hard_swish),
    "Sigmoid": signed(node("Sigmoid")),
    "SiLU": signed(silu),
    "Tanh": signed(node("Tanh")),
    "Gelu": signed(lambda n, x: n.node("Mul", x, n.node("Erf", x, name="odd"))),
    "Elu": signed(node("Elu", alpha=0.7)),
    "Celu": signed(node("Celu")),
    "Selu": signed(node("Selu")),
    "Softplus": signed(node("Softplus")),
    "Softsign": signed(node("Softsign")),
    "Mish": signed(node("Mish")),
    "Clip above": signed(node("Clip", None, number(0.5))),
    "Max for each channel": signed(node("Max", channels(0.1, 0.2, 0, -0.1))),
    "Max of two": lambda n, x: n.node("Max", x, n.conv(x, (4, 4, 1, 1)), name="odd"),
    "MaxPool of currents": lambda n, x: n.node(
        "MaxPool", n.conv(n.conv(x, (4, 4, 1, 1)), (4, 4, 1, 1)), kernel_shape=[2, 2], name="odd"
    ),
    "MaxPool, dilated": node("MaxPool", kernel_shape=[2, 2], dilations=[2, 1]),
    "MaxPool behind LeakyRelu": lambda n, x: n.node(
        "MaxPool", n.node("LeakyRelu", n.conv(x, (4, 4, 1, 1))), kernel_shape=[2, 2], name="odd"
    ),
    "GlobalLpPool": node("GlobalLpPool"),
    "LpPool": node("LpPool", kernel_shape=[2, 2], p=2),
    "LRN": node("LRN", size=3, alpha=0.3),
    "Abs": signed(node("Abs")),
    "Softmax": node("Softmax", axis=1),
    "Pow": node("Pow", number(2)),
    "ReduceMax over channels": node("ReduceMax", ints(1)),
    "ReduceL2": node("ReduceL2", ints(1)),
    "squeeze and excite": squeeze_and_excite,
    "squeeze and excite, hard": lambda n, x: squeeze_and_excite(n, x, "HardSigmoid"),
    "attention": attention,
    "Where": lambda n, x: n.node(
        "Where", n.node("Greater", x, n.const(0.5), name="odd"), x, n.const(0.1)
    ),
}  # fmt: skip


def between(net, build):
    """An operator between two populations; the layers around it live in time where they can."""
    x = net.relu(net.conv(net.input(shape=("N", *SIZE)), (4, 4, 3, 3), pads=[1] * 4), name="a")
    x = build(net, x)
    model = net.model(x)
    after = [d.dim_value for d in model.graph.output[0].type.tensor_type.shape.dim]
    x = net.conv(x, (3, after[1], *[1] * (len(after) - 2)), bias=True, name="behind")
    return net.model(net.conv(net.relu(x, name="b"), (2, 3, *[1] * (len(after) - 2))))


def images(n=3):
    return np.random.default_rng(0).normal(size=(n, *SIZE)).astype(np.float32)


def errors(result, model, run_stock, error_at):
    x = images()
    wanted = run_stock(model, x)
    return [error_at(result.model, wanted, x, t) for t in (8, 512)]


def in_time(model):
    """Names of the nodes between an encoder and a readout, by the file alone."""
    spiking, timed = set(), set()
    for n in model.graph.node:
        if n.op_type == "DirectEncode" or (
            n.op_type != "SpikeDecode" and any(i in spiking for i in n.input)
        ):
            spiking.update(n.output[:1])
            timed.add(n.name)
    return timed


@pytest.mark.parametrize("case", IN_TIME)
def test_in_time(new_net, run_stock, by_maximum, error_at, case):
    net = new_net()
    model = between(net, IN_TIME[case])
    result = by_maximum(model, images())
    assert "ANALOG_ISLAND" not in {d.code for d in result.diagnostics}
    assert "behind" in in_time(result.model)
    assert sum(n.op_type == "SpikeDecode" for n in result.model.graph.node) == 1
    early, late = errors(result, model, run_stock, error_at)
    assert late < 0.03
    assert late < early / 4


def test_a_dilated_average_pool_stays_linear_in_time(new_net, run_stock, by_maximum, error_at):
    net = new_net(opset=19)
    pool = node("AveragePool", kernel_shape=[2, 2], dilations=[2, 1], pads=[1, 0, 0, 1])
    model = between(net, pool)
    result = by_maximum(model, images())
    assert {"odd", "behind"} <= in_time(result.model)
    assert errors(result, model, run_stock, error_at)[1] < 0.03


@pytest.mark.parametrize("case", ISLANDS)
def test_islands(new_net, run_stock, by_maximum, error_at, case):
    net = new_net()
    model = between(net, ISLANDS[case])
    result = by_maximum(model, images())
    (told,) = [d for d in result.diagnostics if d.code == "ANALOG_ISLAND"]
    assert told.severity == "warning"
    assert "'odd'" in told.node + told.what
    assert all((told.why, told.remedy))
    assert "odd" not in in_time(result.model)
    early, late = errors(result, model, run_stock, error_at)
    assert late < 0.03
    assert late < early / 4


#: Behind the last population anything is computed on means, without a warning.
HEADS = {
    "Softmax": node("Softmax"),
    "LogSoftmax": node("LogSoftmax"),
    "Sigmoid": node("Sigmoid"),
    "Tanh": node("Tanh"),
    "Softmax over the batch": node("Softmax", axis=0),
    "Gather": node("Gather", ints(1), axis=1),
    "Where": lambda n, x: n.node("Where", n.node("Greater", x, n.const(0.0)), x, n.const(-1.0)),
    "Reshape of the batch": node("Reshape", ints(-1, 2)),
    "ReduceMax": node("ReduceMax", ints(1)),
    "HardSwish": node("HardSwish"),
    "LpNormalization": node("LpNormalization"),
    "Clip above": node("Clip", None, number(0.1)),
}


def headed(net, build):
    x = net.relu(net.conv(net.input(shape=("N", *SIZE)), (4, 4, 3, 3)), name="a")
    return net.model(build(net, net.gemm(net.node("Flatten", x), (64, 6), name="last")))


@pytest.mark.parametrize("case", HEADS)
def test_heads(new_net, run_stock, by_maximum, error_at, case):
    model = headed(new_net(), HEADS[case])
    result = by_maximum(model, images())
    assert not result.diagnostics
    assert in_time(result.model) == {"conv0_out.encode", "a"}
    early, late = errors(result, model, run_stock, error_at)
    assert late < 0.03
    assert late < early / 4


def chosen(net, x):
    """The boxes that a detector keeps, and its best classes."""
    boxes = net.node("Reshape", net.node("Slice", x, *map(net.ints, (0, 16, 1))), net.ints(0, 4, 4))
    scores = net.node("Reshape", net.node("Slice", x, *map(net.ints, (16, 24, 1))),
                      net.ints(0, 2, 4))  # fmt: skip
    kept = net.node(
        "NonMaxSuppression", boxes, scores, net.ints(2), net.const([0.5]), net.const([0.0]),
        center_point_box=1, name="kept",
    )  # fmt: skip
    best = net.node("ArgMax", scores, axis=1, keepdims=0, name="best")
    net.node("TopK", scores, net.ints(2), axis=2, outputs=2, name="top")
    return net.node("Cast", kept, to=1), net.node("Cast", best, to=1), "top_out"


def test_a_detector_with_outputs_at_several_depths(new_net, run_stock, by_maximum):
    net = new_net()
    x = net.relu(net.conv(net.input(shape=("N", *SIZE)), (4, 4, 3, 3), pads=[1] * 4), name="fine")
    fine = net.conv(x, (2, 4, 1, 1), name="head1")
    y = net.node("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
    y = net.relu(net.conv(y, (6, 4, 1, 1), pads=[1] * 4), name="coarse")
    up = net.node("Resize", y, "", net.const([1, 1, 1.2, 1.2]), mode="nearest")
    joint = net.relu(net.conv(net.node("Concat", x, up, axis=1), (4, 10, 1, 1)), name="joint")
    outputs = chosen(net, net.gemm(net.node("Flatten", joint), (144, 24), name="head2"))
    model = net.model(fine, *outputs)
    x = images()
    result = by_maximum(model, x)
    assert not {"ANALOG_ISLAND", "VALUES_NOT_SPIKES"} & {d.code for d in result.diagnostics}
    got, wanted = list(SpikingSession(result.model).run(x, 2048).values()), run_stock(model, x)
    np.testing.assert_allclose(got[0], wanted[0], atol=0.01)
    for a, b in zip(got[1:3], wanted[1:3], strict=True):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_allclose(got[3], wanted[3], atol=0.02)


def test_linear_operators_are_exact_on_integers(new_net, run_stock, by_maximum):
    """Moves between a population and the readout change no value at all."""
    net = new_net()
    x = net.relu(net.input(shape=("N", *SIZE)), name="a")
    x = shuffle(net, x)
    x = net.node("DepthToSpace", net.node("Resize", x, "", net.const(TWICE)), blocksize=2)
    x = net.node("Gather", x, net.ints(3, 5), axis=2)
    x = net.node("Pad", x, net.ints(0, 0, 1, 0, 0, 2, 0, 0))
    last = net.node("Conv", x, net.const(np.ones((1, 3, 1, 1))))
    model = net.model(net.relu(last, name="b"))
    x = np.random.default_rng(0).integers(0, 5, (3, *SIZE)).astype(np.float32)
    x[:, :, 0, 0] = 4
    result = by_maximum(model, x, v_init="zero", granularity="layer")
    (got,) = SpikingSession(result.model).run(x, 12).values()
    np.testing.assert_allclose(got, run_stock(model, x)[0], rtol=1e-6)
