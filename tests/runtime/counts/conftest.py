"""Random networks of whole numbers, all of whose populations wait for the window."""

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper, shape_inference

from onnx2snn_runtime.opspec import (
    DOMAIN,
    DOMAIN_VERSION,
    OPS,
    functions_for,
    register_schemas,
)

OPSET, IR_VERSION = 18, 8


class Builder:
    """A model under construction; constants get their names from where they are used."""

    def __init__(self, T, *, fixed=True):
        self.T, self.fixed = T, fixed
        self.nodes, self.constants, self.inputs = [], {}, []
        self.constants["timesteps"] = np.array(T, np.int64)

    def const(self, value, kind=np.float32):
        name = f"c{len(self.constants)}"
        self.constants[name] = np.asarray(value, dtype=kind)
        return name

    def input(self, name, *shape):
        self.inputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", *shape]))
        return name

    def onnx(self, op, inputs, **attributes):
        output = f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, inputs, [output], name=output + "n", **attributes))
        return output

    def spiking(self, op, inputs, outputs=2, **attributes):
        names = [f"t{len(self.nodes)}{suffix}" for suffix in ("", "_f", "_g")[:outputs]]
        node = helper.make_node(
            op, [*inputs, "timesteps"], names, name=names[0] + "n", domain=DOMAIN, **attributes
        )
        self.nodes.append(node)
        return names[0]

    def readout(self, currents, mode, **changed):
        start = [self.const(np.zeros(1)), self.const(0, np.int64)]
        given = OPS.get("SpikeDecode").defaults() | {"mode": mode} | changed
        return self.spiking("SpikeDecode", [currents, *start], 3, **given)

    def model(self, *outputs):
        """The model, with the shapes that the checker can infer."""
        register_schemas()
        infos = [helper.make_tensor_value_info(o, TensorProto.FLOAT, None) for o in outputs]
        inputs = list(self.inputs)
        if not self.fixed:
            inputs.append(helper.make_tensor_value_info("timesteps", TensorProto.INT64, []))
        initializers = [numpy_helper.from_array(v, n) for n, v in self.constants.items()]
        ops = sorted({n.op_type for n in self.nodes if n.domain == DOMAIN})
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(DOMAIN, DOMAIN_VERSION)]
        model = helper.make_model(
            helper.make_graph(self.nodes, "graph", inputs, infos, initializers),
            opset_imports=opsets,
            ir_version=IR_VERSION,
            functions=functions_for(ops, OPSET),
        )
        return shape_inference.infer_shapes(model)


class Random(Builder):
    """A builder that draws: every method takes a tensor and its shape, and gives the next ones."""

    def __init__(self, seed, T, **options):
        super().__init__(T, **options)
        self.rng = np.random.default_rng(seed)

    def whole(self, low, high, *shape):
        return self.rng.integers(low, high + 1, shape)

    def either(self):
        return bool(self.rng.integers(2))

    def conv(self, x, shape, *, bias=True):
        """Any kernel, strides, pads, dilations and groups that leave an image."""
        channels, *sizes = shape
        groups = int(self.rng.choice([g for g in (1, 2, channels) if channels % g == 0]))
        width = groups * int(self.whole(1, 2))
        kernel, strides, pads, dilations, out = [], [], [[], []], [], []
        for size in sizes:
            k, d = int(self.whole(1, min(3, size))), int(self.whole(1, 2))
            d = d if (k - 1) * d < size else 1
            begin, end = (int(p) for p in self.whole(0, k - 1, 2))
            s = int(self.whole(1, 2))
            kernel.append(k), strides.append(s), dilations.append(d)
            pads[0].append(begin), pads[1].append(end)
            out.append((size + begin + end - (k - 1) * d - 1) // s + 1)
        inputs = [x, self.const(self.whole(-2, 3, width, channels // groups, *kernel))]
        if bias and self.either():
            inputs.append(self.const(self.whole(-2, 3, width)))
        y = self.onnx(
            "Conv",
            inputs,
            kernel_shape=kernel,
            strides=strides,
            pads=[*pads[0], *pads[1]],
            dilations=dilations,
            group=groups,
        )
        return y, (width, *out)

    def shortcut(self, x, shape, spikes, factor):
        """The current and spikes of the same shape, scaled."""
        scale = self.const(self.whole(1, factor, shape[0], *[1] * (len(shape) - 1)))
        return self.onnx("Add", [x, self.onnx("Mul", [spikes, scale])]), shape

    def averaged(self, x, shape):
        """Averaging neurons whose potential begins anywhere, or between 0 and the threshold."""
        tail = [1] * (len(shape) - 1)
        theta = self.whole(1, 9, shape[0], *tail) if self.either() else 2 ** self.whole(0, 3, 1)
        if self.either():
            v_init = self.rng.integers(0, theta, theta.shape)
        else:
            v_init = self.whole(-12, 24, *(shape if self.either() else theta.shape))
        return self.spiking("AveragedIntegrateFire", [x, self.const(theta), self.const(v_init)])

    def pool(self, x, shape, op, **attributes):
        """A pool of two by two, with a border at the end of each axis."""
        channels, *sizes = shape
        shape = (channels, *((s + 1 - 2) // 2 + 1 for s in sizes))
        places = {"kernel_shape": [2, 2], "strides": [2, 2], "pads": [0, 0, 1, 1]}
        states = [self.const(np.zeros(1))]
        if op == "SpikeAveragePool":
            states = [self.const([self.whole(4, 6)]), self.const([self.whole(0, 3)])]
        return self.spiking(op, [x, *states], **places, **attributes), shape

    def staircase(self, x, shape, emission, largest, reach):
        """A table for each channel or for all: straight, or with steps of any width."""
        most = self.T if emission == "averaged" else 2**self.T - 1
        levels = int(self.whole(1, min(2 * most, 20)))
        rows = shape[0] if self.either() else 1
        if self.either():
            start, width = self.whole(-reach, reach, rows, 1), 1 + self.whole(0, reach, rows, 1)
            tau = np.ceil(start + width * np.arange(levels) / self.whole(1, 4))
        else:
            tau = np.sort(self.whole(-reach, reach, rows, levels), axis=1)
        s_min = int(np.clip(-levels // 2, -most, most))
        constants = [tau, [s_min], [0], self.whole(-3, 3, 1)]
        names = [self.const(c, np.int64) for c in constants]
        return self.spiking("StaircaseFire", [x, *names], 3, emission=emission)


@pytest.fixture(scope="session")
def builder():
    return Builder


@pytest.fixture(scope="session")
def random_builder():
    return Random
