"""Quantized networks by hand and at random, and what they compute in exact fractions.

The oracle here reads the source model, operator by operator, with Python's own fractions. It
shares no code with the converter.
"""

import itertools
from fractions import Fraction

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from onnx2snn import convert

RECIPES = ("exact", "exact-asg", "exact-radix")
LIMITS = {
    TensorProto.UINT8: (0, 255), TensorProto.INT8: (-128, 127),
    TensorProto.UINT16: (0, 65535), TensorProto.INT16: (-32768, 32767),
    TensorProto.UINT4: (0, 15), TensorProto.INT4: (-8, 7),
}  # fmt: skip

# ---------------------------------------------------------------------------------------------
# Exact values of the source.


def fractions_of(array):
    """Numbers as exact fractions, in an object array of the same shape."""
    array = np.asarray(array)
    values = [Fraction(float(v)) for v in array.reshape(-1)]
    return filled(values, array.shape)


def filled(values, shape):
    """An object array of values."""
    out = np.empty(len(values), dtype=object)
    out[:] = values
    return out.reshape(shape)


def each(function, array):
    """A function on every element."""
    return filled([function(v) for v in array.reshape(-1)], array.shape)


def along(parameter, values, axis):
    """A scale or zero point, shaped to broadcast along an axis."""
    parameter = np.asarray(parameter)
    if parameter.size == 1:
        return parameter.reshape(())
    shape = [-1 if i == axis % values.ndim else 1 for i in range(values.ndim)]
    return parameter.reshape(shape)


def spread(attrs, image, rank):
    """Kernel, strides, pads and dilations of a window operator, auto_pad left aside."""
    kernel = attrs.get("kernel_shape") or list(image)
    strides, dilations = attrs.get("strides", [1] * rank), attrs.get("dilations", [1] * rank)
    return kernel, strides, attrs.get("pads", [0] * 2 * rank), dilations


def windows(x, kernel, strides, pads, dilations, ceil_mode=0):
    """For every place of the output: its index, and the places of the input, padding left out.

    A place of the kernel comes with each.
    """
    size, ndim = x.shape[2:], len(kernel)
    lengths = []
    for i in range(ndim):
        reach = dilations[i] * (kernel[i] - 1) + 1
        room = size[i] + pads[i] + pads[ndim + i] - reach
        count = (-(-room // strides[i]) if ceil_mode else room // strides[i]) + 1
        if ceil_mode and (count - 1) * strides[i] >= size[i] + pads[i]:
            count -= 1
        lengths.append(count)
    for out in itertools.product(*map(range, lengths)):
        found = []
        for k in itertools.product(*map(range, kernel)):
            at = tuple(
                o * s - p + j * d
                for o, s, p, j, d in zip(out, strides, pads, k, dilations, strict=False)
            )
            if all(0 <= a < n for a, n in zip(at, size, strict=True)):
                found.append((k, at))
        yield out, found


def placed(values, batch, channels):
    """Values by place of the image, as [N, C, ...]."""
    shape = tuple(max(p[i] for p in values) + 1 for i in range(len(next(iter(values)))))
    out = np.empty((batch, channels, *shape), dtype=object)
    for place, value in values.items():
        out[(slice(None), slice(None), *place)] = value
    return out


def conv(attrs, x, w, b=None):
    groups = attrs.get("group", 1)
    outs, ins = w.shape[0] // groups, w.shape[1]
    kernel, strides, pads, dilations = spread(
        {**attrs, "kernel_shape": w.shape[2:]}, None, w.ndim - 2
    )
    values = {}
    for out, places in windows(x, kernel, strides, pads, dilations):
        sums = filled([Fraction(0)] * (len(x) * w.shape[0]), (len(x), w.shape[0]))
        for g in range(groups):
            for k, at in places:
                image = x[(slice(None), slice(g * ins, (g + 1) * ins), *at)]
                weights = w[(slice(g * outs, (g + 1) * outs), slice(None), *k)]
                sums[:, g * outs : (g + 1) * outs] += image @ weights.T
        values[out] = sums if b is None else sums + b
    return placed(values, len(x), w.shape[0])


def conv_transpose(attrs, x, w, b=None):
    groups, (ins, outs), ndim = attrs.get("group", 1), w.shape[:2], w.ndim - 2
    _, strides, pads, dilations = spread({**attrs, "kernel_shape": w.shape[2:]}, None, ndim)
    extra = attrs.get("output_padding", [0] * ndim)
    full = [
        (x.shape[2 + i] - 1) * strides[i] + dilations[i] * (w.shape[2 + i] - 1) + 1 + extra[i]
        for i in range(ndim)
    ]
    count = len(x) * outs * groups * int(np.prod(full))
    out = filled([Fraction(0)] * count, (len(x), outs * groups, *full))
    part = ins // groups
    for g in range(groups):
        for at in itertools.product(*map(range, x.shape[2:])):
            for k in itertools.product(*map(range, w.shape[2:])):
                place = tuple(
                    a * s + j * d for a, s, j, d in zip(at, strides, k, dilations, strict=True)
                )
                image = x[(slice(None), slice(g * part, (g + 1) * part), *at)]
                weights = w[(slice(g * part, (g + 1) * part), slice(None), *k)]
                out[(slice(None), slice(g * outs, (g + 1) * outs), *place)] += image @ weights
    cut = tuple(slice(pads[i], full[i] - pads[ndim + i]) for i in range(ndim))
    out = out[(slice(None), slice(None), *cut)]
    return out if b is None else out + b.reshape(-1, *[1] * ndim)


def pool(attrs, x, reduce, ceil_mode=0):
    kernel, strides, pads, dilations = spread(attrs, x.shape[2:], x.ndim - 2)
    values = {}
    for out, places in windows(x, kernel, strides, pads, dilations, ceil_mode):
        inside = [x[(slice(None), slice(None), *at)] for _, at in places]
        values[out] = reduce(inside, out)
    return placed(values, len(x), x.shape[1])


def average_pool(attrs, x):
    if not attrs.get("count_include_pad"):
        return pool(attrs, x, lambda v, _: sum(v) / Fraction(len(v)), attrs.get("ceil_mode", 0))
    kernel, _, pads, _ = spread(attrs, x.shape[2:], x.ndim - 2)
    padded = [(b, e) for b, e in zip(pads[: len(kernel)], pads[len(kernel) :], strict=True)]
    wide = np.pad(x, [(0, 0), (0, 0), *padded], constant_values=Fraction(0))
    inner = {**attrs, "pads": [0] * len(pads)}
    return pool(inner, wide, lambda v, _: sum(v) / Fraction(len(v)), attrs.get("ceil_mode", 0))


def max_pool(attrs, x):
    def largest(values, _):
        best = values[0]
        for value in values[1:]:
            best = np.maximum(best, value)
        return best

    return pool(attrs, x, largest, attrs.get("ceil_mode", 0))


def gemm(attrs, a, b, c=None):
    alpha, beta = (Fraction(float(np.float32(attrs.get(k, 1.0)))) for k in ("alpha", "beta"))
    product = alpha * (a @ (b.T if attrs.get("transB") else b))
    return product if c is None else product + beta * c


def quantize(attrs, x, scale, zero):
    kind = helper.np_dtype_to_tensor_dtype(zero.dtype)
    low, high = LIMITS[kind]
    axis = attrs.get("axis", 1)
    steps = x / along(fractions_of(scale), x, axis)
    # Python rounds halves of fractions to even.
    codes = each(round, steps) + along(zero.astype(object), x, axis)
    return each(lambda v: Fraction(min(max(v, low), high)), codes)


def dequantize(attrs, x, scale, zero=None):
    axis = attrs.get("axis", 1)
    values = x if zero is None else x - along(zero.astype(object), x, axis)
    return each(Fraction, np.asarray(values * along(fractions_of(scale), x, axis)))


def clip(attrs, x, low=None, high=None):
    if low is not None:
        x = np.maximum(x, low.reshape(()))
    return x if high is None else np.minimum(x, high.reshape(()))


def leaky(x, slope):
    return np.where(x < 0, slope * x, x)


def hard_sigmoid(attrs, x):
    slope, shift = (
        Fraction(float(np.float32(attrs.get(k, d)))) for k, d in (("alpha", 0.2), ("beta", 0.5))
    )
    return np.minimum(np.maximum(slope * x + shift, Fraction(0)), Fraction(1))


def whole(values):
    """Constants that are no numbers of the network: axes, shapes, lengths."""
    return [int(v) for v in values.reshape(-1)]


def cut(attrs, x, starts, ends, axes=None, steps=None):
    axes = range(x.ndim) if axes is None else whole(axes)
    index = [slice(None)] * x.ndim
    jumps = [1] * len(starts) if steps is None else whole(steps)
    for a, s, e, j in zip(axes, whole(starts), whole(ends), jumps, strict=True):
        index[a] = slice(s, e if e > -(2**60) else None, j)
    return x[tuple(index)]


def pad(attrs, x, pads, value=None, axes=None):
    pads = whole(pads)
    pairs = list(zip(pads[: x.ndim], pads[x.ndim :], strict=True))
    filler = Fraction(0) if value is None else value.reshape(())[()]
    mode = attrs.get("mode", b"constant").decode()
    if mode == "constant":
        return np.pad(x, pairs, constant_values=filler)
    return np.pad(x, pairs, mode=mode)


def reshape(attrs, x, shape):
    shape = [x.shape[i] if d == 0 else d for i, d in enumerate(whole(shape))]
    return x.reshape(shape)


ORACLE = {
    "Conv": conv,
    "ConvTranspose": conv_transpose,
    "Gemm": gemm,
    "MatMul": lambda attrs, a, b: a @ b,
    "Add": lambda attrs, a, b: a + b,
    "Sub": lambda attrs, a, b: a - b,
    "Mul": lambda attrs, a, b: a * b,
    "Div": lambda attrs, a, b: a / b,
    "Relu": lambda attrs, x: np.maximum(x, Fraction(0)),
    "Clip": clip,
    "Max": lambda attrs, a, b: np.maximum(a, b),
    "Min": lambda attrs, a, b: np.minimum(a, b),
    "LeakyRelu": lambda attrs, x: leaky(x, Fraction(float(np.float32(attrs["alpha"])))),
    "PRelu": lambda attrs, x, slope: leaky(x, slope),
    "HardSigmoid": hard_sigmoid,
    "AveragePool": average_pool,
    "GlobalAveragePool": lambda attrs, x: average_pool({}, x),
    "MaxPool": max_pool,
    "GlobalMaxPool": lambda attrs, x: max_pool({}, x),
    "Concat": lambda attrs, *parts: np.concatenate(parts, axis=attrs["axis"]),
    "Slice": cut,
    "Pad": pad,
    "Transpose": lambda attrs, x: x.transpose(attrs["perm"]),
    "Reshape": reshape,
    "Flatten": lambda attrs, x: x.reshape(len(x), -1),
    "Squeeze": lambda attrs, x, axes: np.squeeze(x, tuple(whole(axes))),
    "Unsqueeze": lambda attrs, x, axes: np.expand_dims(x, tuple(whole(axes))),
    "Identity": lambda attrs, x: x,
    "QuantizeLinear": quantize,
    "DequantizeLinear": dequantize,
}
#: Inputs that are read as they are: parameters of quantizers, and whole numbers.
AS_IT_IS = {"QuantizeLinear": {1, 2}, "DequantizeLinear": {1, 2}}


def exact_values(model, feeds):
    """Every tensor of a source model in fractions, by name."""
    constants = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    values = {name: fractions_of(array) for name, array in feeds.items()}
    for node in model.graph.node:
        attrs = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        raw = AS_IT_IS.get(node.op_type, ())
        inputs = []
        for i, name in enumerate(node.input):
            if name in values or not name:
                inputs.append(values[name] if name else None)
            else:
                given = constants[name]
                exact = given.astype(np.int64) if given.dtype.kind not in "fiu" else given
                inputs.append(given if i in raw else fractions_of(exact))
        values[node.output[0]] = ORACLE[node.op_type](attrs, *inputs)
    return values


# ---------------------------------------------------------------------------------------------
# What the spiking network says.


def spoken(spiking, feeds):
    """The integer of every population in stock onnxruntime, by the population's name."""
    model = onnx.ModelProto()
    model.CopyFrom(spiking)
    names = {}
    for node in model.graph.node:
        if node.op_type == "StaircaseFire":
            names[node.name] = node.output[2]
            model.graph.output.append(
                helper.make_tensor_value_info(node.output[2], TensorProto.INT64, None)
            )
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    # As the file is written: onnxruntime's optimizer moves quantizers, not always to a valid graph.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    outputs = [o.name for o in model.graph.output]
    return names, dict(zip(outputs, session.run(None, feeds), strict=True))


@pytest.fixture(scope="session", name="spoken")
def spoken_fixture():
    return spoken


class Exactly:
    """Converts source models and holds every population against the oracle."""

    def __init__(self, model, feeds):
        self.model, self.feeds = model, feeds
        self.values = exact_values(model, feeds)
        self.quantizers = {n.name: n for n in model.graph.node if n.op_type == "QuantizeLinear"}
        self.constants = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}

    def wanted(self, name):
        """The quantizer's integers without their zero points, int64."""
        node = self.quantizers[name]
        integers = self.values[node.output[0]]
        axis = {a.name: helper.get_attribute_value(a) for a in node.attribute}.get("axis", 1)
        zero = along(self.constants[node.input[2]].astype(np.int64), integers, axis)
        return each(int, integers).astype(np.int64) - zero

    def check(self, recipe, populations=None, **options):
        """Convert by a recipe; every population says the source's integer; gives the result.

        Args:
            recipe: one of the exact recipes.
            populations: names of the quantizers that must be populations, all but the input's if
                None; with an Ellipsis those that become populations are held against the source.
        """
        result = convert(self.model, recipe=recipe, **options)
        names, outputs = spoken(result.model, self.feeds)
        if populations is None:
            own = {i.name for i in self.model.graph.input}
            populations = {n for n, q in self.quantizers.items() if q.input[0] not in own}
        if populations is not ...:
            assert set(names) == set(populations), result.diagnostics
        for name, tensor in names.items():
            got, want = outputs[tensor], self.wanted(name)
            assert got.ndim == want.ndim, name
            # Transposes may have moved past the quantizer; the outputs tell whether rightly.
            orders = itertools.permutations(range(1, want.ndim))
            if not any(np.array_equal(got, want.transpose(0, *p)) for p in orders):
                np.testing.assert_array_equal(got, want, err_msg=f"{recipe}, {name}")
        self._check_outputs(recipe, outputs)
        return result

    def _check_outputs(self, recipe, outputs):
        """Integers to the last one; floats behind a DequantizeLinear to the last bit."""
        makers = {o: n.op_type for n in self.model.graph.node for o in n.output}
        for output in self.model.graph.output:
            got, want = outputs[output.name], self.values[output.name]
            if got.dtype != np.float32 or makers[output.name] == "DequantizeLinear":
                got, want = fractions_of(got), each(np.float32, want)
                assert (got == fractions_of(want)).all(), (recipe, output.name)


@pytest.fixture(scope="session")
def exactly():
    """Source model and inputs to an :class:`Exactly`."""
    return Exactly


@pytest.fixture(scope="session")
def recipes():
    return RECIPES


@pytest.fixture(scope="session")
def source_values():
    """The oracle alone: every tensor of a model in fractions."""
    return exact_values


# ---------------------------------------------------------------------------------------------
# Quantized networks.


@pytest.fixture(scope="session")
def quantized_net(new_net):
    """The class that builds small QDQ networks."""

    class QuantizedNet(new_net):
        """Adds quantizers, and integer weights behind DequantizeLinear."""

        def parameters(self, scale, zero, kind):
            dtype = helper.tensor_dtype_to_np_dtype(kind)
            zero = np.broadcast_to(zero, np.shape(scale))
            return [self.const(scale), self.const(zero.astype(dtype), dtype=None)]

        def quantize(self, x, scale=0.25, zero=0, kind=TensorProto.INT8, name=None, **attributes):
            given = self.parameters(scale, zero, kind)
            codes = self.node("QuantizeLinear", x, *given, name=name, **attributes)
            return self.node("DequantizeLinear", codes, *given, **attributes)

        def data(self, shape=("N", 2, 4, 4), scale=0.25, zero=0, kind=TensorProto.INT8):
            """The network's input and its quantizer."""
            return self.quantize(self.input(shape=shape), scale, zero, kind, name="first")

        def integers(self, shape, scale, most=5, axis=0):
            """Weights −most … most of one scale, or one for each index of an axis."""
            values = self.rng.integers(-most, most + 1, shape).astype(np.int8)
            zero = np.zeros(np.shape(scale), dtype=np.int8)
            given = [self.const(values, dtype=None), self.const(scale)]
            given.append(self.const(zero, dtype=None))
            chosen = {} if np.ndim(scale) == 0 else {"axis": axis}
            return self.node("DequantizeLinear", *given, **chosen)

        def layer(self, x, shape, scale=0.125, op="Conv", bias=True, axis=0, name=None, **attrs):
            """A layer of integer weights with a float bias."""
            inputs = [x, self.integers(shape, scale, axis=axis)]
            if bias:
                outs = {"Conv": shape[0], "ConvTranspose": shape[1 % len(shape)]}.get(op)
                if op == "ConvTranspose":
                    outs *= attrs.get("group", 1)
                elif op == "Gemm":
                    outs = shape[0] if attrs.get("transB") else shape[1]
                inputs.append(self.const(self.rng.integers(-9, 10, outs) / 16))
            return self.node(op, *inputs, name=name, **attrs)

        def images(self, n=2, shape=(2, 4, 4), most=20):
            """Inputs on the grid of eighths, so that their quantizer is exact in float32."""
            values = self.rng.integers(-most, most + 1, (n, *shape))
            return {"x": (values / 8).astype(np.float32)}

    return QuantizedNet
