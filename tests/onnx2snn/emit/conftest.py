"""Random networks, and an oracle that knows nothing of how spiking files are written."""

import numpy as np
import onnx
import pytest
from onnx.reference import ReferenceEvaluator

import onnx2snn
from onnx2snn.frontend import canonicalise
from onnx2snn_runtime import SpikingSession
from onnx2snn_runtime.instrument import with_outputs
from onnx2snn_runtime.windows import window_maximum, window_sum

# ---------------------------------------------------------------------------------------------
# Random networks.


class Builder:
    """Puts blocks behind each other; knows the shape, and whether unit spikes arrive.

    Args:
        net: the builder of nodes.
        shape: of the input image.
        integer: whether all constants are small integers.
        avgpool: what will become of average pools.
    """

    def __init__(self, net, shape, *, integer, avgpool="spiking"):
        self.net, self.integer, self.avgpool = net, integer, avgpool
        self.x = self.image = net.input(shape=("N", *shape))
        self.shape = self.image_shape = tuple(shape)
        self.unit = False

    def weights(self, *shape):
        if not self.integer:
            return self.net.random(*shape)
        return self.net.const(self.net.rng.integers(-2, 3, shape))

    def layer(self, x, outs, op="Conv", *, kernel=1, group=1, **attributes):
        """A convolution with bias, by default one that keeps the places."""
        ins = self.shape[0]
        lead = (outs, ins // group) if op == "Conv" else (ins, outs // group)
        low, high = (-2, 3) if self.integer else (0, 1)
        rng = self.net.rng
        bias = rng.integers(low, high, outs) if self.integer else rng.normal(0, 0.2, outs)
        w = self.weights(*lead, kernel, kernel)
        return self.net.node(op, x, w, self.net.const(bias), group=group, **attributes)

    def spike(self, y, shape):
        self.x, self.shape, self.unit = self.net.relu(y), shape, True

    def conv(self):
        outs = int(self.net.rng.integers(1, 4))
        y = self.layer(self.x, outs, kernel=3, pads=[1] * 4)
        self.spike(y, (outs, *self.shape[1:]))

    def stride(self):
        outs = int(self.net.rng.integers(1, 4))
        y = self.layer(self.x, outs, kernel=3, pads=[1] * 4, strides=[2, 1])
        self.spike(y, (outs, (self.shape[1] + 1) // 2, self.shape[2]))

    def grouped(self):
        group = self.shape[0]  # depthwise, with two filters for each channel
        y = self.layer(self.x, 2 * group, kernel=2, pads=[0, 1, 1, 0], group=group)
        self.spike(y, (2 * group, *self.shape[1:]))

    def two_layers(self):
        y = self.layer(self.x, self.shape[0], kernel=3, pads=[1] * 4, group=self.shape[0])
        self.spike(self.layer(y, 2), (2, *self.shape[1:]))

    def upsample(self):
        if max(self.shape[1:]) > 6:
            return
        y = self.layer(self.x, 2, "ConvTranspose", kernel=2, strides=[2, 2])
        self.spike(y, (2, 2 * self.shape[1], 2 * self.shape[2]))

    def residual(self):
        y = self.net.relu(self.layer(self.x, self.shape[0], kernel=3, pads=[1] * 4))
        y = self.net.node("Add", self.layer(y, self.shape[0]), self.x)
        self.spike(y, self.shape)

    def signed_residual(self):
        y = self.net.relu(self.layer(self.x, self.shape[0]))
        self.x = self.net.node("Sub", self.x, self.layer(y, self.shape[0]))
        self.unit = False

    def downsample(self):
        net, (c, h, w) = self.net, self.shape
        short = net.node("Slice", self.x, net.ints(0, 0), net.ints(99, 99), net.ints(2, 3),
                         net.ints(2, 2))  # fmt: skip
        short = net.node("Pad", short, net.ints(0, 1, 0, 0, 0, 1, 0, 0))
        y = self.layer(self.x, c + 2, kernel=3, pads=[1] * 4, strides=[2, 2])
        self.spike(net.node("Add", y, short), (c + 2, (h + 1) // 2, (w + 1) // 2))

    def pool(self, op="AveragePool", **attributes):
        h, w = self.shape[1:]
        if min(h, w) < 2:
            return
        self.x = self.net.node(op, self.x, kernel_shape=[2, 2], strides=[2, 1], **attributes)
        self.shape = (self.shape[0], h // 2, w - 1)

    def average_pool(self):
        self.pool()
        self.unit = self.unit and self.avgpool == "spiking"

    def uneven_pool(self):
        """Only spikes are counted exactly under a ninth of a sum."""
        if self.integer and not (self.unit and self.avgpool == "spiking"):
            return
        attributes = {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 0, 1, 1]}
        h, w = self.shape[1:]
        if w < 2:
            return
        self.x = self.net.node("AveragePool", self.x, **attributes)
        self.shape = (self.shape[0], (h - 1) // 2 + 1, (w - 2) // 2 + 1)
        self.unit = self.unit and self.avgpool == "spiking"

    def max_pool(self):
        if self.unit:
            self.pool("MaxPool")

    def concat(self):
        net, other = self.net, self.layer(self.x, 2)
        self.x = net.node("Concat", self.x, net.relu(other), axis=1)
        self.shape, self.unit = (self.shape[0] + 2, *self.shape[1:]), False

    def swap(self):
        self.x = self.net.node("Transpose", self.x, perm=[0, 1, 3, 2])
        self.shape = (self.shape[0], self.shape[2], self.shape[1])

    def scale(self):
        low, high = (1, 4) if self.integer else (0.5, 1.5)
        rng = self.net.rng
        factor = (rng.integers if self.integer else rng.uniform)(low, high, (self.shape[0], 1, 1))
        self.x, self.unit = self.net.node("Mul", self.net.const(factor), self.x), False

    def shift(self):
        rng = self.net.rng
        shape = self.shape
        value = rng.integers(-1, 2, shape) if self.integer else rng.normal(0, 0.3, shape)
        self.x, self.unit = self.net.node("Add", self.x, self.net.const(value)), False

    def bounded(self):
        net = self.net
        y = self.layer(self.x, 2)
        self.x = net.node("Clip", y, net.const(0.0), net.const(3.0 if self.integer else 1.0))
        self.shape, self.unit = (2, *self.shape[1:]), True

    def signed(self):
        net, size = self.net, 2.0 if self.integer else 0.7
        y = self.layer(self.x, 2)
        self.x = net.node("Clip", y, net.const(-size), net.const(size))
        self.shape, self.unit = (2, *self.shape[1:]), False

    def skip(self):
        """From the input, if the image still has its size."""
        if self.shape[1:] != self.image_shape[1:]:
            return
        shape, self.shape = self.shape, self.image_shape
        other = self.layer(self.image, shape[0])
        self.shape = shape
        self.spike(self.net.node("Add", self.layer(self.x, shape[0]), other), shape)

    def end(self, outs=3):
        """Another population, then a fully connected layer."""
        self.conv()
        size = int(np.prod(self.shape))
        flat = self.net.node("Flatten", self.x)
        return self.net.node("Gemm", flat, self.weights(size, outs), self.weights(outs))


BLOCKS = [n for n in vars(Builder) if n[0] != "_"]
for _name in ("weights", "layer", "spike", "pool", "end"):
    BLOCKS.remove(_name)


@pytest.fixture(scope="session")
def random_network(new_net):
    """A network of blocks, by their numbers."""

    def make(numbers, shape, *, integer, avgpool="spiking", seed=0):
        builder = Builder(new_net(seed=seed), shape, integer=integer, avgpool=avgpool)
        builder.conv()
        for number in numbers:
            getattr(builder, BLOCKS[number % len(BLOCKS)])()
        return builder.net.model(builder.end())

    return make


@pytest.fixture(scope="session")
def blocks():
    """Names of all blocks, in the order of their numbers."""
    return BLOCKS


# ---------------------------------------------------------------------------------------------
# The oracle: one time step after the other over the canonical graph, node by node.


class Oracle:
    """Every tensor has its value at every step; no encoder, no readout, no amplitude moves.

    Beside a tensor's value it follows, where spikes are only moved about, the unit spikes and
    their amplitude: pools need them.
    """

    MOVES = ("Identity", "Slice", "Pad", "Transpose")

    def __init__(self, canonical, plan):
        self.graph = canonical.graph
        self.plan = plan
        self.firsts = {s.nodes[0]: (s, n) for s, n in zip(plan.sites, plan.neurons, strict=True)}
        self.inside = {name for s in plan.sites for name in s.nodes[1:]}
        self._kept = {}

    def run(self, feeds, timesteps):
        """Spikes [T, N, ...] by site, and the mean of every output."""
        self.potentials, self.counts = {}, {}
        trains = {s.name: [] for s in self.plan.sites}
        sums = 0
        for _ in range(timesteps):
            values, units = dict(feeds), {}
            for node in self.graph.nodes:
                if node.name in self.firsts:
                    site, neuron = self.firsts[node.name]
                    out = site.target
                    units[out] = self.fire(node, site, neuron, values, units)
                    spikes, amplitude = units[out]
                    values[out] = spikes * amplitude + np.float32(site.lower)
                    trains[site.name].append(spikes)
                    if site.lower:
                        units.pop(out)
                elif node.name not in self.inside:
                    self.compute(node, values, units)
            sums = sums + values[self.graph.outputs[0].name]
        return {k: np.stack(v) for k, v in trains.items()}, sums / np.float32(timesteps)

    def fire(self, node, site, neuron, values, units):
        if site.kind == "max_pool":
            return self.max_pool(node, site, units[site.source])
        source = node.inputs[0].name
        if site.kind == "average_pool":
            spikes, amplitude = units[source]
            current = window_sum(spikes, *self.geometry(node))
            amplitude = np.broadcast_to(amplitude[:, :, :1, :1], current.shape)
        else:
            current = values[source] - np.float32(site.lower)
            amplitude = np.broadcast_to(neuron.amplitude, current.shape)
        v = self.potentials.get(site.name, np.broadcast_to(neuron.v_init, current.shape)) + current
        if neuron.neuron == "lif":
            v = v - neuron.leak
        fired = (v >= neuron.threshold).astype(np.float32)
        if neuron.neuron == "signed-if":
            count = self.counts.get(site.name, np.zeros_like(v))
            fired -= (v < 0) & (count > 0)
            self.counts[site.name] = count + fired
        left = v - neuron.threshold * fired
        hard = neuron.reset == "zero"
        self.potentials[site.name] = np.where(fired, 0, v) if hard else left
        return fired, amplitude

    def max_pool(self, node, site, arriving):
        spikes, amplitude = arriving
        before = self.potentials.get(site.name, np.zeros_like(spikes))
        after = self.potentials[site.name] = before + spikes
        geometry = self.geometry(node)
        out = window_maximum(after, *geometry) - window_maximum(before, *geometry)
        return out, np.broadcast_to(amplitude[:, :, :1, :1], out.shape)

    @staticmethod
    def geometry(node):
        return node.attrs["kernel_shape"], node.attrs["strides"], node.attrs["pads"]

    def compute(self, node, values, units):
        constants = {t.name: t.values for t in node.inputs if hasattr(t, "values")}
        source, out = node.inputs[0].name, node.outputs[0].name
        values[out] = self.evaluate(node, values | constants)
        if node.op in self.MOVES and source in units:
            spikes, amplitude = units[source]
            units[out] = tuple(
                self.evaluate(node, constants | {source: a}) for a in (spikes, amplitude)
            )
        names = [t.name for t in node.inputs]
        if node.op == "Concat" and all(n in units for n in names):
            units[out] = tuple(
                self.evaluate(node, {n: units[n][i] for n in names}) for i in range(2)
            )

    def evaluate(self, node, values):
        names = [t.name for t in node.inputs]
        if node.name not in self._kept:
            made = onnx.helper.make_node(node.op, names, ["out"], **node.attrs)
            infos = [onnx.helper.make_tensor_value_info(n, 1, None) for n in dict.fromkeys(names)]
            out = onnx.helper.make_empty_tensor_value_info("out")
            model = onnx.helper.make_model(
                onnx.helper.make_graph([made], "one", infos, [out]),
                opset_imports=[onnx.helper.make_opsetid("", 21)],
            )
            self._kept[node.name] = ReferenceEvaluator(model)
        feeds = {n: np.ascontiguousarray(values[n]) for n in names}
        return self._kept[node.name].run(None, feeds)[0]


@pytest.fixture(scope="session")
def oracle():
    """A function: model and plan to what runs them step by step."""
    return lambda model, plan: Oracle(canonicalise(model), plan)


# ---------------------------------------------------------------------------------------------
# Looking into spiking files.

MOVES = {
    "Concat", "DepthToSpace", "Flatten", "Gather", "Identity", "Pad", "Reshape", "Resize", "Slice",
    "SpaceToDepth", "Squeeze", "Transpose", "Unsqueeze",
}  # fmt: skip
MULTIPLIES = {"Conv", "ConvTranspose", "Gemm", "MatMul"}
POPULATIONS = {
    "IntegrateFire",
    "LeakyIntegrateFire",
    "SignedIntegrateFire",
    "SpikeAveragePool",
    "SpikeMaxPool",
}


@pytest.fixture(scope="session")
def synapses():
    """The layers that stand behind a population, with nothing but moves in between."""

    def find(model):
        makers = {o: n for n in model.graph.node for o in n.output}
        found = []
        for node in model.graph.node:
            if node.op_type not in MULTIPLIES:
                continue
            maker = makers.get(node.input[0])
            while maker is not None and maker.op_type in MOVES:
                maker = makers.get(maker.input[0])
            if maker is not None and maker.op_type in POPULATIONS:
                found.append(node)
        return found

    return find


@pytest.fixture(scope="session")
def tensors(run_stock):
    """Values of named tensors of a spiking model."""

    def tensors(model, feeds, names):
        if not isinstance(feeds, dict):
            feeds = {model.graph.input[0].name: feeds}
        names = list(dict.fromkeys(names))
        if not names:
            return {}
        return dict(zip(names, run_stock(with_outputs(model, names), feeds, names), strict=True))

    return tensors


@pytest.fixture(scope="session")
def error_at():
    """The largest deviation from the source, relative to its largest value."""

    def error(spiking, wanted, feeds, timesteps):
        outputs = SpikingSession(spiking).run(feeds, timesteps)
        deviations = []
        for got, want in zip(outputs.values(), wanted, strict=True):
            assert got.shape == want.shape
            deviations.append(np.abs(got - want).max() / max(np.abs(want).max(), 1e-6))
        return max(deviations)

    return error


@pytest.fixture(scope="session")
def by_maximum():
    """Conversion with thresholds that clip nothing on the given inputs, at any T."""

    def convert(model, feeds, timesteps=4, **options):
        if isinstance(feeds, np.ndarray):
            feeds = {model.graph.input[0].name: feeds}
        return onnx2snn.convert(
            model, timesteps, threshold="max", calibration_data=feeds, **options
        )

    return convert
