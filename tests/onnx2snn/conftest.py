"""The data folder, and a builder of small ONNX networks with ways to run them."""

import os

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from onnx2snn.calibration import collect_statistics, open_dataset
from onnx2snn.frontend import canonicalise
from onnx2snn.methods import plan_neurons
from onnx2snn.methods.tuning import distill
from onnx2snn.sites import find_sites
from onnx2snn.sites.segments import find_segments
from onnx2snn_runtime.session import tensor_info


@pytest.fixture(scope="session")
def data_folder(pytestconfig):
    """The folder with real networks and data sets; relative paths start at the repository."""
    given = os.environ.get("ONNX2SNN_DATA", "../shared/data")
    folder = (pytestconfig.rootpath / given).resolve()
    if not (folder / "models").is_dir():
        pytest.skip(f"no data folder at {folder}: set ONNX2SNN_DATA")
    return folder


@pytest.fixture(autouse=True)
def few_steps(monkeypatch):
    """Tuning a small network takes hundreds of steps, of which tests need few."""
    monkeypatch.setattr(distill, "MOST", 60)


class Net:
    """A small network, written node by node; every method returns the name of its output."""

    def __init__(self, opset=18, seed=0, ir=None):
        oldest = helper.find_min_ir_version_for([helper.make_opsetid("", opset)])
        self.opset, self.ir = opset, ir or max(8, oldest)
        self.rng = np.random.default_rng(seed)
        self.nodes, self.inputs, self.initializers = [], [], []
        self.domains = []

    def input(self, name="x", shape=("N", 2, 6, 6), dtype=TensorProto.FLOAT):
        self.inputs.append(helper.make_tensor_value_info(name, dtype, shape))
        return name

    def const(self, values, name=None, dtype=np.float32):
        """An initializer; ``dtype=None`` keeps the array's own."""
        values = np.asarray(values) if dtype is None else np.asarray(values, dtype)
        name = name or f"c{len(self.initializers)}"
        self.initializers.append(numpy_helper.from_array(values, name))
        return name

    def ints(self, *values):
        return self.const(values, dtype=np.int64)

    def node(self, op, *inputs, name=None, outputs=1, domain="", **attributes):
        name = name or f"{op.lower()}{len(self.nodes)}"
        outs = [f"{name}_out" if i == 0 else f"{name}_out{i}" for i in range(outputs)]
        self.nodes.append(
            helper.make_node(op, inputs, outs, name=name, domain=domain, **attributes)
        )
        return outs[0]

    def random(self, *shape, scale=None):
        """Weights of a size that keeps activations near one."""
        scale = scale or 1.4 / np.sqrt(max(1, np.prod(shape[1:])))
        return self.const(self.rng.normal(0, scale, shape))

    def conv(self, x, shape, bias=False, op="Conv", name=None, **attributes):
        """A Conv or ConvTranspose with random weights of the given shape."""
        inputs = [x, self.random(*shape)]
        if bias:
            group = attributes.get("group", 1)
            outs = shape[0] if op == "Conv" else shape[1] * group
            inputs.append(self.const(self.rng.normal(0, 0.3, outs)))
        return self.node(op, *inputs, name=name, **attributes)

    def gemm(self, x, shape, bias=True, name=None):
        """A Gemm whose weights are [K, M]."""
        inputs = [x, self.const(self.rng.normal(0, 1.4 / np.sqrt(shape[0]), shape))]
        if bias:
            inputs.append(self.const(self.rng.normal(0, 0.3, shape[1])))
        return self.node("Gemm", *inputs, name=name)

    def norm(self, x, channels, name=None, **attributes):
        """A BatchNormalization whose every parameter matters, negative scales among them."""
        draw = self.rng.uniform
        sign = np.where(np.arange(channels) % 3 == 1, -1, 1)
        values = (
            draw(0.5, 1.5, channels) * sign,
            draw(-0.6, 0.6, channels),
            draw(-0.5, 0.5, channels),
            draw(0.4, 2, channels),
        )
        return self.node("BatchNormalization", x, *map(self.const, values), name=name, **attributes)

    def relu(self, x, name=None):
        return self.node("Relu", x, name=name)

    def model(self, *outputs, shape=None, dtype=TensorProto.FLOAT, check=True):
        """The model; outputs are names of tensors, with inferred shapes by default."""
        graph = helper.make_graph(
            self.nodes,
            "net",
            self.inputs,
            [helper.make_tensor_value_info(o, dtype, shape) for o in outputs],
            self.initializers,
        )
        domains = [helper.make_opsetid(d, 1) for d in self.domains]
        imports = [helper.make_opsetid("", self.opset), *domains]
        model = helper.make_model(graph, opset_imports=imports, ir_version=self.ir)
        if check and shape is None:
            # The inferred shapes of the outputs, but none of the tensors in between.
            inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
            del model.graph.output[:]
            model.graph.output.extend(inferred.graph.output)
        if check:
            onnx.checker.check_model(model)
        return model


@pytest.fixture(scope="session")
def new_net():
    """The class that builds small networks."""
    return Net


def run_stock(model, feeds, outputs=None):
    """All outputs of a model in onnxruntime, exactly as the file is written."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    if not isinstance(feeds, dict):
        feeds = {session.get_inputs()[0].name: feeds}
    return session.run(outputs, feeds)


@pytest.fixture(scope="session", name="run_stock")
def run_stock_fixture():
    return run_stock


def assert_close(got, wanted, tolerance=1e-4):
    """Equal shapes, and values that differ by little of the largest."""
    assert len(got) == len(wanted)
    for a, b in zip(got, wanted, strict=True):
        assert a.shape == b.shape
        assert a.dtype == b.dtype
        size = max(1e-6, float(np.abs(b).max(initial=0)))
        assert np.abs(a - b).max(initial=0) <= tolerance * size


@pytest.fixture(scope="session", name="assert_close")
def assert_close_fixture():
    return assert_close


@pytest.fixture(scope="session")
def same_function():
    """Assert that the canonical form computes what the source does; returns the canonical form.

    With a batch of one fixed in the source, the canonical form must also take three at once.
    """

    def check(model, feeds, tolerance=1e-4):
        canonical = canonicalise(model)
        written = canonical.to_model()
        onnx.checker.check_model(written, full_check=True)
        given = [i for i in model.graph.input if i.name not in constants_of(model)]
        assert [i.name for i in written.graph.input] == [i.name for i in given]
        assert [o.name for o in written.graph.output] == [o.name for o in model.graph.output]
        if not isinstance(feeds, dict):
            feeds = {given[0].name: feeds}
        batch = given[0].type.tensor_type.shape.dim[0]
        if batch.dim_value == 1 and len(next(iter(feeds.values()))) > 1:
            rows = range(len(next(iter(feeds.values()))))
            parts = [run_stock(model, {k: v[i : i + 1] for k, v in feeds.items()}) for i in rows]
            wanted = [np.concatenate(p) for p in zip(*parts, strict=True)]
        else:
            wanted = run_stock(model, feeds)
        assert_close(run_stock(written, feeds), wanted, tolerance)
        return canonical

    return check


def constants_of(model):
    return {t.name for t in model.graph.initializer}


@pytest.fixture(scope="session")
def ops_of():
    """The operators of a canonical graph or a model, in order."""

    def ops(graph):
        nodes = graph.graph.node if isinstance(graph, onnx.ModelProto) else graph.graph.nodes
        return [n.op_type if isinstance(n, onnx.NodeProto) else n.op for n in nodes]

    return ops


class Cut:
    """A network cut into segments, with samples and plans for its populations."""

    def __init__(self, model, samples=32, avgpool="linear", keep_analog=()):
        self.canonical = canonicalise(model)
        self.sites = find_sites(
            self.canonical, avgpool=avgpool, keep_analog=frozenset(keep_analog), diagnostics=[]
        )
        self.segments = find_segments(self.canonical, self.sites, ())
        self.model = self.canonical.to_model()
        [image] = self.model.graph.input
        dims = [d.dim_value for d in image.type.tensor_type.shape.dim][1:]
        rng = np.random.default_rng(0)
        values = rng.normal(0, 1, (samples, *dims)).astype(np.float32)
        self.inputs = {image.name: values}
        self.dataset = open_dataset(self.inputs, (tensor_info(image),))

    def plan(self, config):
        """The start: one neuron for each site."""
        sites = [s for s in self.sites if not s.is_pool]
        found = collect_statistics(self.model, sites, self.dataset, percentile=99.9)
        return plan_neurons(self.sites, found, config, [])[0]


@pytest.fixture(scope="session")
def cut():
    """The class that cuts a network."""
    return Cut


@pytest.fixture(scope="session")
def jointed():
    """A maker of networks with a shortcut, a depthwise layer, a pool, a clip and a concat."""

    def make(pool="AveragePool"):
        net = Net()
        x = net.input(shape=("N", 2, 8, 8))
        x = net.relu(net.conv(x, (4, 2, 3, 3), bias=True, pads=[1] * 4), name="one")
        y = net.relu(net.conv(x, (4, 1, 3, 3), bias=True, pads=[1] * 4, group=4), name="two")
        y = net.node("Add", net.conv(y, (4, 4, 1, 1), bias=True), x)
        x = net.relu(y, name="three")
        x = net.node(pool, x, kernel_shape=[2, 2], strides=[2, 2], name="pool")
        z = net.conv(x, (2, 4, 1, 1))
        other = net.node("Clip", z, net.const(-0.3), net.const(0.8), name="four")
        x = net.node("Concat", x, other, axis=1)
        x = net.relu(net.gemm(net.node("Flatten", x), (96, 10)), name="five")
        return net.model(net.gemm(x, (10, 5)))

    return make
