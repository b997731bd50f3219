"""Packed networks give what the reference gives: every sum here is a small whole number."""

from dataclasses import dataclass

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from onnx2snn_runtime.backend import BACKENDS, BackendOptions
from onnx2snn_runtime.backends.stock import StockExecutable
from onnx2snn_runtime.opspec import DOMAIN, DOMAIN_VERSION, functions_for
from onnx2snn_runtime.packed import with_integer_sums, with_packed_spikes

OPSET = 19  # the first whose DequantizeLinear onnx.reference has
IR_VERSION = 9


class Builder:
    """A network, node by node. Inputs: ``x`` [N, ...] and T."""

    def __init__(self, x_shape, T, seed=0, floats=False):
        self.x_shape, self.T, self.floats = x_shape, T, floats
        self.rng = np.random.default_rng(seed)
        self.nodes, self.constants, self.outputs = [], {}, {}
        self.constants["timesteps"] = np.array(T, np.int64)

    def constant(self, name, value):
        self.constants[name] = value
        return name

    def whole(self, name, shape, low, high):
        return self.constant(name, self.rng.integers(low, high + 1, shape).astype(np.float32))

    def stock(self, op, inputs, output, **given):
        self.nodes.append(helper.make_node(op, inputs, [output], name=output + ".node", **given))
        return output

    def spiking(self, op, inputs, output, states=(), **given):
        outputs = [output, *(f"{output}.{s}" for s in states)]
        inputs = [*inputs, "timesteps"]
        self.nodes.append(
            helper.make_node(op, inputs, outputs, name=output + ".node", domain=DOMAIN, **given)
        )
        self.outputs |= dict.fromkeys(outputs[1:], TensorProto.FLOAT)
        return output

    def encode(self, x, output):
        return self.spiking("DirectEncode", [x], output)

    def fire(self, currents, output, channels, rank, kind="subtract", v_init=(1,)):
        """A population of that kind; v_init's shape is free."""
        columns = (channels, *[1] * (rank - 2))
        theta = self.whole(output + ".theta", columns, 20, 300)
        v = self.whole(output + ".v_init", v_init, -50, 300)
        if kind != "signed":
            fire = ("IntegrateFire", [currents, theta, v], output, ["v_final"])
            return self.spiking(*fire, reset=kind)
        low = self.whole(output + ".s_min", columns, -3, 0)
        high = self.whole(output + ".s_max", columns, 1, 4)
        s = self.whole(output + ".s_init", v_init, -1, 1)
        inputs = [currents, theta, low, high, v, s]
        return self.spiking("SignedIntegrateFire", inputs, output, ["v_final", "s_final"])

    def weights(self, output, shape, axis, scalar=False):
        """Dequantized int8 weights; scales are powers of two, so that every product is exact."""
        if self.floats:  # of one, two or three digits
            largest, divisor = ((127, 1), (5000, 8), (131000, 64))[self.rng.integers(3)]
            whole = self.rng.integers(-largest, largest + 1, shape)
            return self.constant(output + ".weights", (whole / divisor).astype(np.float32))
        integers = self.rng.integers(-127, 128, shape).astype(np.int8)
        size = () if scalar else shape[axis]
        scale = (2.0 ** self.rng.integers(-2, 2, size)).astype(np.float32)
        name = output + ".weights"
        quantized = [
            self.constant(name + ".integers", integers),
            self.constant(name + ".scale", scale),
        ]
        return self.stock("DequantizeLinear", quantized, name, axis=axis)

    def conv(self, x, output, inputs, outputs, kernel, groups=1, scalar=False, **given):
        weights = self.weights(output, (outputs, inputs // groups, *kernel), 0, scalar)
        bias = self.whole(output + ".bias", outputs, -90, 90)
        return self.stock("Conv", [x, weights, bias], output, group=groups, **given)

    def gemm(self, x, output, inputs, outputs, transposed=1):
        shape = (outputs, inputs) if transposed else (inputs, outputs)
        weights = self.weights(output, shape, 0 if transposed else 1)
        bias = self.whole(output + ".bias", outputs, -90, 90)
        return self.stock("Gemm", [x, weights, bias], output, transB=transposed)

    def shift(self, spikes, channels, rank):
        """Spikes times an amplitude, one channel and one pixel further, as shortcuts do it."""
        axes = {"starts": [0, 0], "ends": [-1, -1], "axes": [1, rank - 1], "steps": [1, 1]}
        inputs = [self.constant("cut." + k, np.array(v)) for k, v in axes.items()]
        part = self.stock("Slice", [spikes, *inputs], "cut")
        begins = [0, 1, *[0] * (rank - 3), 1]
        pads = self.constant("pads", np.array([*begins, *[0] * rank]))
        whole = self.stock("Pad", [part, pads], "shifted")
        amplitude = self.whole("shift.amplitude", (channels, *[1] * (rank - 2)), -90, 90)
        return self.stock("Mul", [whole, amplitude], "shift")

    def read(self, currents, output):
        acc = self.constant(output + ".acc_init", np.zeros(1, np.float32))
        t = self.constant(output + ".t_init", np.array(0, np.int64))
        self.spiking("SpikeDecode", [currents, acc, t], output, ["acc_final"], mode="sum")
        self.nodes[-1].output.append(output + ".t_final")
        self.outputs[output] = TensorProto.FLOAT
        return output

    def model(self, shown=()):
        """The model; tensors that are shown are outputs too."""
        self.outputs |= dict.fromkeys(shown, TensorProto.FLOAT)
        graph = helper.make_graph(
            self.nodes,
            "packed",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", *self.x_shape[1:]])],
            [helper.make_tensor_value_info(n, k, None) for n, k in self.outputs.items()],
            [numpy_helper.from_array(v, n) for n, v in self.constants.items()],
        )
        imports = [helper.make_opsetid("", OPSET), helper.make_opsetid(DOMAIN, DOMAIN_VERSION)]
        ops = sorted({n.op_type for n in self.nodes if n.domain == DOMAIN})
        bodies = functions_for(ops, OPSET)
        return helper.make_model(
            graph, opset_imports=imports, ir_version=IR_VERSION, functions=bodies
        )

    def feeds(self):
        return {"x": self.rng.integers(-200, 400, self.x_shape).astype(np.float32)}


@dataclass(frozen=True)
class Example:
    """A network, what it is fed, and how many of its layers at least are to run packed."""

    model: onnx.ModelProto
    feeds: dict
    layers: int

    def __repr__(self):
        ops = ", ".join(f"{n.op_type}{list(n.input)}" for n in self.model.graph.node)
        return f"Example({ops}, {self.feeds['x'].shape})"


KINDS = st.sampled_from(["subtract", "zero", "signed"])
STEPS, SAMPLES = st.integers(1, 9), st.integers(0, 3)


@st.composite
def convolutions(draw, T=STEPS, N=SAMPLES):
    """Two convolutions, perhaps a pool between, perhaps a shortcut around the second one."""
    rank = draw(st.sampled_from([4, 4, 3]))
    spatial = rank - 2
    sizes = [draw(st.integers(3, 8)) for _ in range(spatial)]
    samples, steps = draw(N), draw(T)
    groups = draw(st.sampled_from([1, 1, 2, 3]))
    first, second = (groups * draw(st.sampled_from([1, 5, 8, 16, 17])) for _ in range(2))
    if draw(st.booleans()):
        second = first
    if draw(st.integers(0, 4)) == 0:
        groups = second = first  # depthwise
    b = Builder(
        (samples, first, *sizes), steps, draw(st.integers(0, 2**32 - 1)), draw(st.booleans())
    )
    kinds = [draw(KINDS) for _ in range(3)]
    everything = draw(st.booleans())

    def v_init(channels, lengths):
        return (samples, channels, *lengths) if everything else (channels, *[1] * spatial)

    spikes = b.fire(b.encode("x", "e"), "s0", first, rank, kinds[0], v_init(first, sizes))
    if draw(st.booleans()):
        count = b.constant("p.count", np.zeros(1, np.float32))
        kernel = [draw(st.integers(1, 3)) for _ in sizes]
        strides = [draw(st.integers(1, 2)) for _ in sizes]
        begins = [draw(st.integers(0, k - 1)) for k in kernel]
        pads = [*begins, *([0] * spatial)]
        pool = {"kernel_shape": kernel, "strides": strides, "pads": pads}
        spikes = b.spiking("SpikeMaxPool", [spikes, count], "p", ["count_final"], **pool)
        sizes = [
            (n + p - k) // s + 1 for n, p, k, s in zip(sizes, begins, kernel, strides, strict=True)
        ]
    kernel = [draw(st.integers(1, 3)) for _ in sizes]
    dilations = [draw(st.integers(1, 2)) for _ in sizes]
    strides = [draw(st.integers(1, 2)) for _ in sizes]
    reach = [d * (k - 1) + 1 for k, d in zip(kernel, dilations, strict=True)]
    pads = [
        draw(st.integers(max(0, r - n), max(2, r - n))) for r, n in zip(reach, sizes, strict=True)
    ]
    ends = [draw(st.integers(0, 2)) for _ in sizes]
    geometry = {"strides": strides, "dilations": dilations, "pads": [*pads, *ends]}
    currents = b.conv(spikes, "c1", first, second, kernel, groups, draw(st.booleans()), **geometry)
    sizes = [
        (n + p + e - r) // s + 1
        for n, p, e, r, s in zip(sizes, pads, ends, reach, strides, strict=True)
    ]
    middle = b.fire(currents, "s1", second, rank, kinds[1], v_init(second, sizes))
    currents = b.conv(middle, "c2", second, second, [1] * spatial)
    layers = 2
    joins = draw(st.sampled_from(["nothing", "spikes", "product", "moved", "layer", "everything"]))
    if joins in {"spikes", "everything"}:
        currents = b.stock("Add", [currents, middle], "a1")
    if joins in {"product", "everything"}:
        amplitude = b.whole("amplitude", (second, *[1] * spatial), -90, 90)
        product = b.stock("Mul", [amplitude, middle], "m")
        currents = b.stock("Add", [product, currents], "a2")
    if joins == "moved":
        currents = b.stock("Add", [currents, b.shift(middle, second, rank)], "a2")
    if joins in {"layer", "everything"}:
        other = b.conv(middle, "c3", second, second, [1] * spatial, scalar=True)
        currents = b.stock("Add", [other, currents], "a3")
        layers += 1
    last = b.fire(currents, "s2", second, rank, kinds[2], v_init(second, sizes))
    shown = [n for n in ("s0", "p", "s1", "s2", "c2") if draw(st.booleans())]
    b.read(last, "answer")
    made = {name for node in b.nodes for name in node.output}
    return Example(b.model([n for n in shown if n in made]), b.feeds(), 1 if b.floats else layers)


@st.composite
def perceptrons(draw, T=STEPS, N=SAMPLES):
    """Spikes of an image or a vector, flattened; two matrices."""
    samples, steps = draw(N), draw(T)
    kinds = [draw(KINDS) for _ in range(2)]
    channels, sizes = draw(st.integers(1, 9)), [draw(st.integers(1, 4)) for _ in range(2)]
    hidden, outputs = draw(st.sampled_from([1, 16, 33, 70])), draw(st.integers(1, 40))
    b = Builder(
        (samples, channels, *sizes), steps, draw(st.integers(0, 2**32 - 1)), draw(st.booleans())
    )
    x = b.stock("Conv", ["x", b.whole("w0", (5, channels, 1, 1), -2, 2)], "c0")
    spikes = b.fire(b.encode(x, "e"), "s0", 5, 4, kinds[0])
    inputs = 5 * sizes[0] * sizes[1]
    if draw(st.booleans()) and samples:  # onnx.reference cannot flatten nothing
        flat = b.stock("Flatten", [spikes], "f")
    else:
        flat = b.stock("Reshape", [spikes, b.constant("two", np.array([0, inputs]))], "f")
    currents = b.gemm(flat, "g1", inputs, hidden, draw(st.integers(0, 1)))
    spikes = b.fire(currents, "s1", hidden, 2, kinds[1])
    if draw(st.booleans()):
        currents = b.gemm(spikes, "g2", hidden, outputs, draw(st.integers(0, 1)))
    else:
        weights = b.weights("g2", (hidden, outputs), 1)
        currents = b.stock("MatMul", [spikes, weights], "g2")
    b.read(currents, "answer")
    shown = [n for n in ("s0", "f", "s1", "g2") if draw(st.booleans())]
    return Example(b.model(shown), b.feeds(), 1 if b.floats else 2)


# ---------------------------------------------------------------------------------------------

LAYERS = {"SynapseFire", "SynapseCurrent"}


def agree(example, library, instructions, threads):
    """Assert that the packed network gives the reference's bits."""
    model = example.model
    packed = with_packed_spikes(model, threads=threads, tiles=instructions == "amx", floats=True)
    assert sum(n.op_type in LAYERS for n in packed.graph.node) >= example.layers
    names = [o.name for o in model.graph.output]
    expected = BACKENDS.get("reference")(model, BackendOptions()).run(names, example.feeds)
    executable = StockExecutable(packed, BackendOptions(threads=threads), library)
    for name, a, b in zip(names, executable.run(names, example.feeds), expected, strict=True):
        np.testing.assert_array_equal(a, b, err_msg=name)


thorough = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.mark.parametrize("networks", [convolutions, perceptrons])
@thorough
@given(data=st.data(), threads=st.integers(1, 3))
def test_networks(networks, library, instructions, data, threads):
    agree(data.draw(networks()), library, instructions, threads)


@pytest.mark.parametrize("networks", [convolutions, perceptrons])
@settings(max_examples=8, deadline=None)
@given(data=st.data())
def test_one_step_and_no_samples(networks, library, data):
    agree(data.draw(networks(T=st.just(1))), library, "amx", 1)
    agree(data.draw(networks(N=st.just(0))), library, "amx", 2)


@pytest.mark.parametrize("networks", [convolutions, perceptrons])
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_integer_sums_by_nodes_of_onnxruntime(networks, data):
    example = data.draw(networks(N=st.integers(1, 3)))  # onnxruntime itself refuses some of none
    model = with_integer_sums(example.model, least_channels=1)
    ops = {n.op_type for n in model.graph.node}
    by_groups = any(a.name == "group" and a.i > 1 for n in model.graph.node for a in n.attribute)
    quantized = any(n.op_type == "DequantizeLinear" for n in example.model.graph.node)
    line = example.feeds["x"].ndim == 3
    assert ("MatMulInteger" in ops) == (quantized and not line) or by_groups
    names = [o.name for o in model.graph.output]
    expected = BACKENDS.get("reference")(example.model, BackendOptions()).run(names, example.feeds)
    got = StockExecutable(model, BackendOptions(threads=1)).run(names, example.feeds)
    for name, a, b in zip(names, got, expected, strict=True):
        np.testing.assert_array_equal(a, b, err_msg=name)


@pytest.mark.parametrize("floats", [False, True])
def test_other_scales_are_statistically_equal(library, instructions, floats):
    """Where products are rounded, a spike may differ next to a threshold, and few do."""
    b = Builder((16, 16, 8, 8), 8, seed=1, floats=True)
    spikes = b.fire(b.encode("x", "e"), "s0", 16, 4)
    for i in (1, 2):
        currents = b.conv(spikes, f"c{i}", 16, 24 if i == 2 else 16, [3, 3], pads=[1, 1, 1, 1])
        b.constants[f"c{i}.weights"] = b.rng.normal(0, 20, b.constants[f"c{i}.weights"].shape)
        spikes = b.fire(currents, f"s{i}", 24 if i == 2 else 16, 4)
    for i in (1, 2):
        weights = b.constants[f"c{i}.weights"].astype(np.float32)
        b.constants[f"c{i}.weights"] = weights
        if not floats:
            scale = np.abs(weights).max(axis=(1, 2, 3)) / np.float32(127)
            integers = np.rint(weights / scale[:, None, None, None]).astype(np.int8)
            names = [b.constant(f"q{i}", integers), b.constant(f"q{i}.scale", scale)]
            del b.constants[f"c{i}.weights"]
            b.stock("DequantizeLinear", names, f"c{i}.weights", axis=0)
            b.nodes.insert(0, b.nodes.pop())
    model = b.model(["s1", "s2"])
    feeds = b.feeds()
    packed = with_packed_spikes(model, threads=1, tiles=instructions == "amx", floats=True)
    expected = BACKENDS.get("reference")(model, BackendOptions()).run(["s1", "s2"], feeds)
    got = StockExecutable(packed, BackendOptions(threads=1), library).run(["s1", "s2"], feeds)
    for ours, theirs in zip(got, expected, strict=True):
        assert 0.02 < theirs.mean() < 0.9
        assert abs(ours.mean() - theirs.mean()) < 1e-4
        assert (ours != theirs).mean() < 1e-3
