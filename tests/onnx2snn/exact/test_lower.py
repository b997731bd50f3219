"""What becomes a population, what stays as it is, and what both say to each other."""

import numpy as np
import pytest
from onnx import TensorProto, helper

from onnx2snn import convert
from onnx2snn.errors import UnsupportedModelError
from onnx2snn_runtime import SpikingSession


def islands(result):
    return {d.node: d.why for d in result.diagnostics if d.code == "ANALOG_ISLAND"}


def between(net, make):
    """a ─▶ what ``make`` builds ─▶ island ─▶ layer ─▶ b, all scales powers of two."""
    x = net.quantize(net.layer(net.data(zero=3), (2, 2, 1, 1)), 0.5, -2, name="a")
    x = net.quantize(make(net, x), 2.0**-6, 5, name="island")
    x = net.quantize(net.layer(x, (2, 2, 2, 2), 2.0**-4), 0.25, name="b")
    return net.model(x)


ISLANDS = {
    "activation": (lambda n, x: n.node("Sigmoid", x, name="odd"), "no form on integers"),
    "product": (lambda n, x: n.node("Mul", x, x, name="odd"), "two computed tensors"),
    "attention": (
        lambda n, x: n.node(
            "Mul", x, n.node("Sigmoid", n.node("GlobalAveragePool", x), name="gate"), name="odd"
        ),
        None,
    ),
    "float weights": (
        lambda n, x: n.conv(x, (2, 2, 1, 1), name="odd"), "not quantized"
    ),
    "matrix of two tensors": (
        lambda n, x: n.node("MatMul", x, x, name="odd"), "its weights are computed"
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", ISLANDS)
@pytest.mark.parametrize("recipe", ["exact", "exact-radix"])
def test_an_island_stays_analog_and_is_named(quantized_net, run_stock, case, recipe):
    make, why = ISLANDS[case]
    net = quantized_net(seed=1)
    model = between(net, make)
    result = convert(model, recipe=recipe)
    told = islands(result)
    named = {n for n in told if "odd" in n or "gate" in n}
    assert named == set(told)
    assert len(told) == 1
    assert why is None or why in next(iter(told.values()))
    assert {n.name for n in result.model.graph.node if n.op_type == "StaircaseFire"} == {"a", "b"}
    feeds = net.images(5)
    for got, want in zip(
        SpikingSession(result.model).run(feeds).values(), run_stock(model, feeds), strict=True
    ):
        np.testing.assert_array_equal(got, want)


def test_an_analog_part_in_front_of_all_populations_is_named(quantized_net):
    net = quantized_net(seed=18)
    x = net.quantize(net.node("Sigmoid", net.data(), name="odd"), 2.0**-6, name="island")
    model = net.model(net.quantize(net.layer(x, (2, 2, 1, 1)), 0.25, name="a"))
    assert set(islands(convert(model, recipe="exact-radix"))) == {"'odd' (Sigmoid)"}


def test_what_is_done_to_the_input_is_no_island(quantized_net):
    net = quantized_net(seed=19)
    x = net.quantize(net.node("Sigmoid", net.input(), name="odd"), 2.0**-6, name="first")
    model = net.model(net.quantize(net.layer(x, (2, 2, 1, 1)), 0.25, name="a"))
    assert not islands(convert(model, recipe="exact-radix"))


def test_unquantized_input(quantized_net, exactly, recipes):
    """The first quantizer is an ordinary node; an encoder speaks its integers."""
    net = quantized_net(seed=2)
    x = net.data(zero=7)
    net.quantize(net.layer(x, (3, 2, 3, 3)), 0.5, name="a")
    check = exactly(net.model(net.nodes[-1].output[0]), net.images())
    for recipe in recipes:
        ops = [n.op_type for n in check.check(recipe).model.graph.node]
        assert ops.count("QuantizeLinear") == ops.count("CodeEncode") == 1


@pytest.mark.parametrize("kind", [TensorProto.UINT8, TensorProto.INT8])
def test_integer_input(quantized_net, exactly, recipes, kind):
    net = quantized_net(seed=3)
    given = net.parameters(0.25, 9, kind)
    x = net.node("DequantizeLinear", net.input(dtype=kind, shape=("N", 2, 4, 4)), *given)
    net.quantize(net.layer(x, (3, 2, 3, 3)), 0.5, name="a")
    dtype = np.uint8 if kind == TensorProto.UINT8 else np.int8
    info = np.iinfo(dtype)
    images = net.rng.integers(info.min, info.max + 1, (2, 2, 4, 4)).astype(dtype)
    check = exactly(net.model(net.nodes[-1].output[0]), {"x": images})
    for recipe in recipes:
        check.check(recipe)


def test_input_with_parameters_for_each_channel(quantized_net, exactly, recipes):
    net = quantized_net(seed=4)
    x = net.quantize(net.input(shape=("N", 2, 4, 4)), [0.25, 0.5], [3, -7], name="first", axis=1)
    net.quantize(net.layer(x, (3, 2, 3, 3)), 0.5, name="a")
    check = exactly(net.model(net.nodes[-1].output[0]), net.images())
    for recipe in recipes:
        check.check(recipe)


def test_integers_as_outputs_and_for_other_readers(quantized_net, exactly, recipes):
    net = quantized_net(seed=5)
    x = net.layer(net.data(), (3, 2, 1, 1))
    given = net.parameters(0.25, 100, TensorProto.UINT8)
    codes = net.node("QuantizeLinear", x, *given, name="a")
    x = net.node("DequantizeLinear", codes, *given)
    x = net.quantize(net.layer(x, (2, 3, 1, 1)), 0.5, name="b")
    model = net.model(x)
    model.graph.output.append(
        helper.make_tensor_value_info(codes, TensorProto.UINT8, ["N", 3, 4, 4])
    )
    check = exactly(model, net.images())
    for recipe in recipes:
        check.check(recipe)


def test_the_head_reads_values(quantized_net, run_stock):
    """A last layer without a quantizer is an ordinary node on what the population says."""
    net = quantized_net(seed=6)
    x = net.quantize(net.layer(net.data(), (3, 2, 4, 4)), 0.25, name="a")
    x = net.node("Softmax", net.gemm(net.node("Flatten", x), (3, 4)))
    model, feeds = net.model(x), net.images(5)
    result = convert(model, recipe="exact-radix")
    assert not islands(result)
    (got,) = SpikingSession(result.model).run(feeds).values()
    np.testing.assert_array_equal(got, run_stock(model, feeds)[0])


def test_residual(quantized_net, exactly, recipes):
    """The input of a block is read twice, a pair of quantizers stands in front of the sum."""
    net = quantized_net(seed=7)
    x = net.relu(net.layer(net.data(), (3, 2, 1, 1)))
    x = net.quantize(x, 0.25, -128, name="a")
    y = net.quantize(net.relu(net.layer(x, (3, 3, 3, 3), pads=[1] * 4)), 0.5, -128, name="b")
    y = net.quantize(net.layer(y, (3, 3, 3, 3), pads=[1] * 4), 0.7, 11, name="c")
    x = net.quantize(net.relu(net.node("Add", y, x)), 0.9, -128, name="sum")
    x = net.node("GlobalAveragePool", net.quantize(x, 1.0, 4, name="again"))
    x = net.node("Flatten", net.quantize(x, 0.3, name="pooled"))
    x = net.quantize(net.layer(x, (3, 4), op="Gemm"), 0.5, name="head")
    check = exactly(net.model(x), net.images())
    for recipe in recipes:
        check.check(recipe)


def test_one_quantizer_read_twice(quantized_net, exactly):
    net = quantized_net(seed=8)
    given = net.parameters(0.25, 3, TensorProto.INT8)
    codes = net.node("QuantizeLinear", net.layer(net.data(), (2, 2, 1, 1)), *given, name="a")
    one, two = (net.node("DequantizeLinear", codes, *given) for _ in range(2))
    x = net.node("Add", net.relu(one), two)
    x = net.quantize(net.layer(one, (2, 2, 1, 1)), 0.5, name="b")
    y = net.quantize(net.node("Sub", two, x), 0.25, name="c")
    check = exactly(net.model(y), net.images())
    result = check.check("exact-radix")
    assert len(result.plan.sites) == 3


def test_a_chain_of_quantizers(quantized_net, exactly, recipes):
    net = quantized_net(seed=9)
    x = net.quantize(net.layer(net.data(), (2, 2, 1, 1)), 0.25, 100, TensorProto.UINT8, name="a")
    x = net.quantize(x, 0.3, -5, name="b")
    x = net.quantize(x, 0.3, -5, name="c")
    check = exactly(net.model(x), net.images())
    for recipe in recipes:
        check.check(recipe)


def test_a_reader_with_other_parameters(quantized_net, exactly, recipes):
    """Integers may be read as other values than they were made for."""
    net = quantized_net(seed=10)
    codes = net.node(
        "QuantizeLinear", net.layer(net.data(), (2, 2, 1, 1)),
        *net.parameters(0.25, 3, TensorProto.INT8), name="a",
    )  # fmt: skip
    x = net.node("DequantizeLinear", codes, *net.parameters(0.5, -2, TensorProto.INT8))
    net.quantize(net.relu(x), 0.25, name="b")
    check = exactly(net.model(net.nodes[-1].output[0]), net.images())
    for recipe in recipes:
        check.check(recipe)


@pytest.mark.parametrize(
    "kind", [TensorProto.UINT4, TensorProto.INT4, TensorProto.UINT16, TensorProto.INT16]
)
def test_integers_of_other_sizes(quantized_net, exactly, kind):
    net = quantized_net(seed=11, opset=21)
    zero = 7 if kind in {TensorProto.UINT4, TensorProto.UINT16} else -3
    scale = 0.5 if kind in {TensorProto.UINT4, TensorProto.INT4} else 2.0**-9
    x = net.quantize(net.layer(net.data(), (3, 2, 3, 3)), scale, zero, kind, name="a")
    net.quantize(net.layer(x, (2, 3, 1, 1)), scale * 4, zero, kind, name="b")
    check = exactly(net.model(net.nodes[-1].output[0]), net.images())
    result = check.check("exact-radix")
    bits = {TensorProto.UINT16: 16, TensorProto.INT16: 16}.get(kind, 8)  # the input has eight
    assert result.plan.config.timesteps <= bits
    if bits == 8:
        check.check("exact")


@pytest.mark.parametrize("axis", [-3, 1])
def test_an_axis_counted_from_the_end(quantized_net, exactly, axis):
    net = quantized_net(seed=12)
    x = net.layer(net.data(), (2, 2, 1, 1))
    x = net.quantize(x, [0.25, 0.5], [1, 2], name="a", axis=axis)
    net.quantize(net.layer(x, (2, 2, 1, 1)), 0.5, name="b")
    exactly(net.model(net.nodes[-1].output[0]), net.images()).check("exact-radix")


def test_another_axis_than_the_channels(quantized_net):
    net = quantized_net(seed=13)
    x = net.layer(net.data(), (2, 2, 1, 1))
    x = net.quantize(x, [0.25, 0.5, 0.75, 1.0], [0] * 4, name="odd", axis=2)
    x = net.quantize(net.layer(x, (2, 2, 1, 1)), 0.5, name="b")
    with pytest.raises(UnsupportedModelError, match="'odd', its scale differs along another axis"):
        convert(net.model(x), recipe="exact-radix")


def test_parameters_of_one_element_and_of_none(quantized_net, exactly):
    """A scale of shape [1] is that of the tensor."""
    net = quantized_net(seed=14)
    x = net.quantize(net.layer(net.data(), (2, 2, 1, 1)), [0.25], [3], name="a")
    net.quantize(net.layer(x, (2, 2, 1, 1)), 0.5, name="b")
    exactly(net.model(net.nodes[-1].output[0]), net.images()).check("exact-radix")


@pytest.mark.parametrize("shape", [("N", 5), ("N",), ("N", 2, 3), ("N", 2, 3, 2, 2)])
def test_tensors_of_other_ranks(quantized_net, exactly, recipes, shape):
    net = quantized_net(seed=15)
    x = net.node("Mul", net.data(shape), net.const(1.5))
    net.quantize(net.relu(net.quantize(x, 0.25, 3, name="a")), 0.5, name="b")
    check = exactly(net.model(net.nodes[-1].output[0]), net.images(3, shape[1:]))
    for recipe in recipes:
        check.check(recipe)


@pytest.mark.parametrize("op", ["Transpose", "Reshape", "MaxPool"])
def test_integers_that_move_before_they_are_read(quantized_net, exactly, op):
    """Between a quantizer and its DequantizeLinear."""
    net = quantized_net(seed=16)
    given = net.parameters(0.25, 3, TensorProto.INT8)
    codes = net.node("QuantizeLinear", net.layer(net.data(), (2, 2, 1, 1)), *given, name="a")
    moved = {
        "Transpose": lambda: net.node("Transpose", codes, perm=[0, 1, 3, 2]),
        "Reshape": lambda: net.node("Reshape", codes, net.ints(0, 2, 2, 8)),
        "MaxPool": lambda: net.node("MaxPool", codes, kernel_shape=[2, 2]),
    }[op]()
    x = net.node("DequantizeLinear", moved, *given)
    net.quantize(net.layer(x, (2, 2, 1, 1)), 0.5, name="b")
    result = exactly(net.model(net.nodes[-1].output[0]), net.images()).check("exact-radix")
    ops = [n.op_type for n in result.model.graph.node]
    assert ops.count("CodeEncode") == 1


def test_several_inputs(quantized_net, exactly, recipes):
    net = quantized_net(seed=17)
    x = net.layer(net.data(), (2, 2, 1, 1))
    y = net.quantize(net.input("y", ("N", 2, 4, 4)), 0.5, 1, name="second")
    net.quantize(net.node("Add", x, net.layer(y, (2, 2, 1, 1))), 0.5, name="a")
    feeds = {**net.images(), "y": net.images()["x"]}
    check = exactly(net.model(net.nodes[-1].output[0]), feeds)
    for recipe in recipes:
        check.check(recipe)
