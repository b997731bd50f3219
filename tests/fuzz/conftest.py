"""A strategy for small convolutional networks of every kind that people build, at random."""

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper


class Grower:
    """Grows a network block by block from draws; knows every tensor's shape [C, H, W].

    Attributes:
        analog: whether operators are drawn that can only stay analog.
        tensors: (name, shape) of every image so far.
    """

    def __init__(self, draw, *, analog=True, opsets=(13, 17, 20)):
        self.draw, self.analog = draw, analog
        self.opset = self.one_of(*opsets)
        self.rng = np.random.default_rng(self.whole(0, 2**16))
        self.nodes, self.constants, self.tensors = [], [], []
        self.image = (self.whole(1, 3), self.whole(3, 7), self.whole(3, 7))
        self.batch = self.one_of("N", "N", 1, "")
        self.inputs = ["x"]
        self.tensors.append(("x", self.image))

    def whole(self, low, high):
        return self.draw(st.integers(low, high))

    def one_of(self, *choices):
        return self.draw(st.sampled_from(choices))

    def pick(self):
        """One of the last tensors, seldom one from further back."""
        return self.one_of(*self.tensors[-2:], *self.tensors[-5:])

    def keep(self, name, shape):
        assert min(shape) > 0
        self.tensors.append((name, tuple(shape)))

    def const(self, values, dtype=np.float32):
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(values, dtype), name))
        return name

    def ints(self, *values):
        return self.const(values, np.int64)

    def node(self, op, *inputs, outputs=1, **attributes):
        name = f"{op.lower()}{len(self.nodes)}"
        outs = [f"{name}_out{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(op, inputs, outs, name=name, **attributes))
        return outs[0] if outputs == 1 else outs

    def normal(self, *shape, scale):
        return self.const(self.rng.normal(0, scale, shape))

    # -- layers ---------------------------------------------------------------------------------

    def layer(self):
        x, shape = self.pick()
        y, shape = self.conv(x, shape)
        if self.one_of(True, False):
            y = self.batch_norm(y, shape[0])
        self.keep(self.activation(y, shape[0]), shape)

    def conv(self, x, shape):
        ins, *size = shape
        group = self.one_of(1, 1, *[g for g in (2, 3) if ins % g == 0], ins)
        outs = group * self.whole(1, max(1, 4 // group))
        kernel = [self.whole(1, min(3, n)) for n in size]
        dilations = [self.one_of(1, 1, 2) if 2 * k - 1 <= n else 1
                     for k, n in zip(kernel, size, strict=True)]  # fmt: skip
        strides = [self.one_of(1, 1, 2) for _ in size]
        attributes = {"strides": strides, "dilations": dilations, "group": group}
        reach = [d * (k - 1) + 1 for d, k in zip(dilations, kernel, strict=True)]
        size = self.pad_somehow(attributes, size, reach, strides, most=2)
        if self.one_of(True, False):
            attributes["kernel_shape"] = kernel
        w = self.normal(
            outs, ins // group, *kernel, scale=1.4 / np.sqrt(np.prod(kernel) * ins / group)
        )
        inputs = [x, w]
        if self.one_of(True, False):
            inputs.append(self.normal(outs, scale=0.3))
        return self.node("Conv", *inputs, **attributes), (outs, *size)

    def pad_somehow(self, attributes, size, reach, strides, most):
        """Adds pads to a window operator's attributes; the length of each axis behind it."""
        kind = self.one_of("none", "pads", "pads", "SAME_UPPER", "SAME_LOWER", "VALID")
        plain = not any(d != 1 for d in attributes.get("dilations", [1]))
        # onnxruntime's pools refuse windows that leave gaps, as they would be padded by less than 0
        plain = plain and all(r >= s for r, s in zip(reach, strides, strict=True))
        if kind.startswith("SAME") and plain:
            attributes["auto_pad"] = kind
            return [-(-n // s) for n, s in zip(size, strides, strict=True)]
        if kind == "VALID":
            attributes["auto_pad"] = kind
        pads = [0] * 4
        if kind == "pads":
            pads = attributes["pads"] = [self.whole(0, min(most, r - 1)) for r in reach * 2]
        spans = zip(size, reach, strides, pads[:2], pads[2:], strict=True)
        return [(n + a + b - r) // s + 1 for n, r, s, a, b in spans]

    def conv_transpose(self):
        x, (ins, *size) = self.pick()
        if max(size) > 6:
            return
        group = self.one_of(1, ins)
        outs = self.whole(1, 2)
        kernel = [self.whole(1, 3) for _ in size]
        strides = [self.one_of(1, 2) for _ in size]
        extra = [self.whole(0, s - 1) for s in strides]
        pads = [self.whole(0, max(0, min(1, k - 1))) for k in kernel * 2]
        spans = zip(size, kernel, strides, extra, pads[:2], pads[2:], strict=True)
        size = [(n - 1) * s + k + e - a - b for n, k, s, e, a, b in spans]
        if min(size) < 1:
            return
        w = self.normal(ins, outs, *kernel, scale=1 / np.sqrt(np.prod(kernel) * ins / group))
        y = self.node("ConvTranspose", x, w, strides=strides, pads=pads, output_padding=extra,
                      group=group)  # fmt: skip
        self.keep(self.activation(y, outs * group), (outs * group, *size))

    def batch_norm(self, x, channels):
        draw = self.rng.uniform
        values = (
            draw(0.5, 1.5, channels) * self.rng.choice([-1, 1, 1, 1], channels),
            draw(-0.6, 0.6, channels), draw(-0.5, 0.5, channels), draw(0.4, 2, channels),
        )  # fmt: skip
        return self.node("BatchNormalization", x, *map(self.const, values))

    def activation(self, x, channels):
        analog = ["Sigmoid", "Tanh", "Elu", "Softplus", "HardSwish"] if self.analog else []
        if self.opset < 14 and analog:
            analog.remove("HardSwish")
        op = self.one_of(
            "Relu", "Relu", "Relu", "Relu", "Clip", "Clip", "LeakyRelu", "PRelu", "HardSigmoid",
            "none", *analog,
        )  # fmt: skip
        if op == "none":
            return x
        if op == "Clip":
            low, high = self.one_of((0.0, 6.0), (0.0, 1.0), (-0.5, 0.75), (-1.0, 1.0))
            return self.node("Clip", x, self.const(low), self.const(high))
        if op == "PRelu":
            return self.node(op, x, self.const(self.rng.uniform(0, 0.5, (channels, 1, 1))))
        return self.node(op, x, **({"alpha": 0.125} if op == "LeakyRelu" else {}))

    def branches(self):
        """Two ways from one tensor, joined by a sum or side by side."""
        x, shape = self.pick()
        w = [self.normal(shape[0], shape[0], 1, 1, scale=1 / np.sqrt(shape[0])) for _ in range(2)]
        left = self.activation(self.node("Conv", x, w[0]), shape[0])
        right = self.one_of(x, self.node("Conv", x, w[1]))
        self.join(left, right, shape)

    def again(self):
        """A tensor from before, joined with this one."""
        x, shape = self.pick()
        self.join(x, self.one_of(*[n for n, s in self.tensors if s == shape]), shape)

    def join(self, left, right, shape):
        if shape[0] <= 4 and self.one_of(True, False, False):
            y, shape = self.node("Concat", left, right, axis=1), (2 * shape[0], *shape[1:])
        else:
            y = self.node(self.one_of("Add", "Add", "Sub", "Sum"), left, right)
        self.keep(self.activation(y, shape[0]), shape)

    # -- pools ----------------------------------------------------------------------------------

    def pool(self):
        x, (channels, *size) = self.pick()
        op = self.one_of("MaxPool", "AveragePool")
        kernel = [self.whole(1, min(3, n)) for n in size]
        strides = [self.whole(1, 3) for _ in size]
        attributes = {"kernel_shape": kernel, "strides": strides}
        if op == "AveragePool":
            attributes["count_include_pad"] = self.one_of(0, 1)
        size = self.pad_somehow(attributes, size, kernel, strides, most=1)
        self.keep(self.node(op, x, **attributes), (channels, *size))

    def ceiled_pool(self):
        """Windows that hang over the edge."""
        x, (channels, *size) = self.pick()
        if min(size) < 2:
            return
        op = self.one_of("MaxPool", "AveragePool")
        y = self.node(op, x, kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1)
        self.keep(y, (channels, *[-(-n // 2) for n in size]))

    def global_pool(self):
        x, (channels, *_) = self.pick()
        op = self.one_of("GlobalAveragePool", "GlobalMaxPool", "ReduceMean")
        if op == "ReduceMean":
            y = (self.node(op, x, self.ints(2, 3)) if self.opset >= 18
                 else self.node(op, x, axes=[2, 3]))  # fmt: skip
        else:
            y = self.node(op, x)
        self.keep(y, (channels, 1, 1))

    # -- the same values at other places ---------------------------------------------------------

    def move(self):
        x, shape = self.pick()
        c, h, w = shape
        kind = self.one_of("Slice", "Pad", "Transpose", "Split", "shuffle", "Resize", "depth")
        if kind == "Slice" and h > 1:
            start, step = self.whole(0, 1), self.whole(1, 2)
            y = self.node(
                "Slice", x, self.ints(start), self.ints(2**40), self.ints(2), self.ints(step)
            )
            self.keep(y, (c, -(-(h - start) // step), w))
        elif kind == "Pad":
            before, after = self.whole(0, 1), self.whole(0, 2)
            y = self.node("Pad", x, self.ints(0, 0, before, 0, 0, 0, 0, after))
            self.keep(y, (c, h + before, w + after))
        elif kind == "Transpose":
            self.keep(self.node("Transpose", x, perm=[0, 1, 3, 2]), (c, w, h))
        elif kind == "Split" and c > 1:
            first, second = self.node("Split", x, self.ints(1, c - 1), axis=1, outputs=2)
            self.keep(first, (1, h, w))
            self.keep(second, (c - 1, h, w))
        elif kind == "shuffle" and c % 2 == 0:
            y = self.node("Reshape", x, self.ints(-1, 2, c // 2, h, w))
            y = self.node("Transpose", y, perm=[0, 2, 1, 3, 4])
            self.keep(self.node("Reshape", y, self.ints(-1, c, h, w)), shape)
        elif kind == "Resize" and max(h, w) <= 5:
            y = self.node("Resize", x, "", self.const([1, 1, 2, 2]), mode="nearest")
            self.keep(y, (c, 2 * h, 2 * w))
        elif kind == "depth" and h % 2 == w % 2 == 0:
            self.keep(self.node("SpaceToDepth", x, blocksize=2), (4 * c, h // 2, w // 2))

    def scale(self):
        x, shape = self.pick()
        values = self.rng.uniform(0.5, 1.5, self.one_of((), (shape[0], 1, 1)))
        op = self.one_of("Mul", "Div", "Add", "Sub")
        inputs = [x, self.const(values)]
        if op != "Div" and self.one_of(True, False):
            inputs.reverse()
        self.keep(self.node(op, *inputs), shape)

    # -- what stays analog -----------------------------------------------------------------------

    def gate(self):
        """Squeeze and excitation."""
        x, shape = self.pick()
        if not self.analog:
            return
        c = shape[0]
        y = self.node("GlobalAveragePool", x)
        y = self.node("Relu", self.node("Conv", y, self.normal(2, c, 1, 1, scale=1 / np.sqrt(c))))
        y = self.node("Sigmoid", self.node("Conv", y, self.normal(c, 2, 1, 1, scale=0.7)))
        self.keep(self.node("Mul", x, y), shape)

    def normalisation(self):
        x, shape = self.pick()
        if not self.analog:
            return
        y = (
            self.node("LRN", x, size=3)
            if self.one_of(True, False)
            else self.node("Softmax", x, axis=1)
        )
        self.keep(y, shape)

    # -----------------------------------------------------------------------------------------

    BLOCKS = ("layer", "layer", "layer", "conv_transpose", "branches", "branches", "again", "pool",
              "pool", "ceiled_pool", "global_pool", "move", "move", "scale", "gate",
              "normalisation")  # fmt: skip

    def spiking_layer(self):
        """A layer that is a population for certain, and not one that never fires."""
        x, (ins, *size) = self.tensors[-1]
        scale = 1 / np.sqrt(ins)
        w = self.rng.normal(0, scale, (self.whole(2, 4), ins, 1, 1))
        w[0] = abs(w[0])
        y = self.node("Conv", x, self.const(w), self.const(self.rng.uniform(0.2, 0.5, len(w))))
        self.keep(self.node("Relu", y), (len(w), *size))

    def head(self):
        """A fully connected layer on the last image."""
        x, shape = self.tensors[-1]
        size, outs = int(np.prod(shape)), self.whole(2, 4)
        flat = self.one_of(
            lambda: self.node("Flatten", x),
            lambda: self.node("Reshape", x, self.ints(0, -1)),
            lambda: self.node("Reshape", x, self.ints(-1, size)),
        )()
        scale = 1 / np.sqrt(size)
        if self.one_of(True, False):
            w = self.normal(outs, size, scale=scale)
            return self.node("Gemm", flat, w, self.normal(outs, scale=0.2), transB=1)
        return self.node("MatMul", flat, self.normal(size, outs, scale=scale))

    def model(self, outputs):
        rows = self.batch or None
        infos = [
            helper.make_tensor_value_info(n, TensorProto.FLOAT, [rows, *self.image])
            for n in self.inputs
        ]
        outs = [helper.make_tensor_value_info(o, TensorProto.FLOAT, None) for o in outputs]
        graph = helper.make_graph(self.nodes, "random", infos, outs, self.constants)
        opsets = [helper.make_opsetid("", self.opset)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
        inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
        del model.graph.output[:]
        model.graph.output.extend(inferred.graph.output)
        onnx.checker.check_model(model, full_check=True)
        return model

    def images(self, count):
        """Inputs, float32 [count, C, H, W]; one if the model takes no more."""
        count = 1 if self.batch == 1 else count
        return self.rng.normal(0, 1, (count, *self.image)).astype(np.float32)


@st.composite
def networks(draw, *, count=4, **options):
    """A network and inputs for it."""
    grower = Grower(draw, **options)
    grower.spiking_layer()
    for _ in range(grower.whole(1, 6)):
        getattr(grower, grower.one_of(*grower.BLOCKS))()
    grower.spiking_layer()
    outputs = [grower.head()] if grower.one_of(True, True, True, False) else []
    if not outputs or grower.one_of(True, False, False):
        outputs.append(grower.tensors[-1][0])
    return grower.model(outputs), grower.images(count)


@pytest.fixture(scope="session")
def any_network():
    """A strategy: model and inputs."""
    return networks


def run_stock(model, x):
    """All outputs of a model in onnxruntime, exactly as the file is written."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return session.run(None, {session.get_inputs()[0].name: x})


@pytest.fixture(scope="session", name="run_stock")
def run_stock_fixture():
    return run_stock
