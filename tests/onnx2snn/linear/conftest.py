"""Cases of every operator that may stand between populations."""

from dataclasses import dataclass

import numpy as np
import onnx_graphsurgeon as gs
import pytest

from onnx2snn.frontend import canonicalise


@dataclass(frozen=True)
class Case:
    """A node that reads a tensor of one sample's shape; ``build(net, x)`` makes it."""

    op: str
    shape: tuple[int, ...]
    build: object
    title: str

    def __str__(self):
        return f"{self.op}-{self.title}"


IMAGE = (4, 5, 6)


def cases():
    """A few of each operator."""
    made = []

    def add(op, title, build, shape=IMAGE):
        made.append(Case(op, shape, build, title))

    def node(op, *constants, **attributes):
        def build(net, x):
            given = [net.const(c, dtype=None) for c in constants]
            return net.node(op, x, *given, **attributes)

        return build

    def ints(*values):
        return np.array(values, np.int64)

    def conv(shape, op="Conv", **attributes):
        return lambda net, x: net.conv(x, shape, bias=True, op=op, **attributes)

    rng = np.random.default_rng(5)
    floats = {s: rng.normal(size=s).astype(np.float32) for s in [(), (4, 1, 1), (5, 6), (4, 5, 6)]}

    add("Conv", "plain", conv((3, 4, 3, 3), pads=[1] * 4, strides=[2, 1]))
    add("Conv", "grouped", conv((6, 2, 2, 2), group=2, dilations=[1, 2]))
    add("Conv", "depthwise", conv((8, 1, 3, 3), group=4))
    add("Conv", "line", conv((3, 4, 3)), (4, 7))
    add("ConvTranspose", "plain", conv((4, 3, 2, 2), "ConvTranspose", strides=[2, 2]))
    add("ConvTranspose", "grouped", conv((4, 3, 2, 2), "ConvTranspose", group=2))
    add("Gemm", "plain", lambda net, x: net.gemm(x, (7, 3)), (7,))
    add("MatMul", "last axis", node("MatMul", rng.normal(size=(6, 3)).astype(np.float32)), (4, 6))
    left = rng.normal(size=(3, 4)).astype(np.float32)
    add("MatMul", "left", lambda net, x: net.node("MatMul", net.const(left), x), (4, 6))
    add("MatMul", "stack", node("MatMul", rng.normal(size=(1, 4, 6, 3)).astype(np.float32)))
    add("AveragePool", "padded", node("AveragePool", kernel_shape=[2, 3], pads=[1, 0, 0, 2]))
    add("ReduceMean", "last axis", node("ReduceMean", ints(-1)))
    add("ReduceMean", "squeezed", node("ReduceMean", ints(2), keepdims=0))
    add("ReduceMean", "channels", node("ReduceMean", ints(1)))
    add("ReduceSum", "image", node("ReduceSum", ints(2, 3)))
    add("ReduceSum", "nothing", node("ReduceSum", ints(), noop_with_empty_axes=1))
    add("GlobalAveragePool", "plain", node("GlobalAveragePool"), (4, "H", 6))
    add("Identity", "plain", node("Identity"))
    add("Flatten", "image", node("Flatten"))
    add("Reshape", "fewer", node("Reshape", ints(0, 4, 30)))
    add("Reshape", "other", node("Reshape", ints(0, 2, 10, 6)))
    add("Squeeze", "plain", node("Squeeze", ints(2, -1)), (4, 1, 1))
    add("Unsqueeze", "plain", node("Unsqueeze", ints(1, -1)), (4, 5))
    add("Transpose", "back", node("Transpose", perm=[0, 2, 3, 1]))
    add("Transpose", "swap", node("Transpose", perm=[0, 1, 3, 2]))
    add("Slice", "channels", node("Slice", ints(1), ints(3), ints(1)))
    add("Slice", "from behind", node("Slice", ints(-3, 0), ints(1000, -1), ints(1, -1)))
    add("Slice", "steps", node("Slice", ints(0, 1), ints(9, 9), ints(-3, 3), ints(2, 2)))
    add("Slice", "backwards", node("Slice", ints(-1), ints(-9), ints(1), ints(-1)))
    add("Pad", "channels", node("Pad", ints(0, 1, 0, 0, 0, 2, 0, 0)))
    add("Pad", "axes", node("Pad", ints(2, 1, 0, 3), np.float32(0), ints(1, -1)))
    add("Pad", "value", node("Pad", ints(0, 1, 1, 0, 0, 0, 0, 1), np.float32(0.5)))
    add("Pad", "reflect", node("Pad", ints(0, 0, 1, 1, 0, 0, 1, 1), mode="reflect"))
    add("Pad", "mirrored channels", node("Pad", ints(0, 1, 0, 0, 0, 1, 0, 0), mode="reflect"))
    add("Pad", "crop", node("Pad", ints(0, -1, 0, 0, 0, -1, 0, 0)))
    scales = np.array([1, 1, 2, 1.5], np.float32)
    add("Resize", "nearest", lambda net, x: net.node("Resize", x, "", net.const(scales)))
    add(
        "Resize",
        "linear",
        lambda net, x: net.node("Resize", x, "", net.const(scales), mode="linear"),
    )
    add(
        "Resize",
        "cubic to a size",
        lambda net, x: net.node("Resize", x, "", "", net.ints(7, 3), mode="cubic", axes=[2, 3]),
    )
    add(
        "Resize",
        "channels",
        lambda net, x: net.node("Resize", x, "", net.const([1, 2, 1, 1]), mode="linear"),
    )
    add(
        "Resize",
        "crop",
        lambda net, x: net.node(
            "Resize",
            x,
            net.const([0, 0, 0.2, -0.5, 1, 1, 0.9, 1.5]),
            net.const(scales),
            coordinate_transformation_mode="tf_crop_and_resize",
            extrapolation_value=2.0,
        ),
    )
    add("DepthToSpace", "DCR", node("DepthToSpace", blocksize=2))
    add("DepthToSpace", "CRD", node("DepthToSpace", blocksize=2, mode="CRD"))
    add("SpaceToDepth", "plain", node("SpaceToDepth", blocksize=2), (3, 4, 6))
    add("Gather", "channels", node("Gather", ints(3, 0, 0), axis=1))
    add("Gather", "places", node("Gather", ints(-1, 0), axis=-1))
    add("Expand", "places", node("Expand", ints(1, 1, 3, 2)), (4, 3, 1))
    add("Expand", "fewer axes", node("Expand", ints(3, 2)), (4, 3, 1))
    add("Tile", "channels", node("Tile", ints(1, 2, 1, 1)))
    add("Concat", "itself", lambda net, x: net.node("Concat", x, x, axis=1))
    add("Add", "constant", node("Add", floats[4, 1, 1]))
    add("Add", "itself", lambda net, x: net.node("Add", x, x))
    add("Sub", "constant", node("Sub", floats[5, 6]))
    add("Sub", "from a constant", lambda net, x: net.node("Sub", net.const(floats[4, 1, 1]), x))
    for shape, factor in floats.items():
        add("Mul", f"constant {list(shape)}", node("Mul", factor))
    add("Mul", "swapped", lambda net, x: net.node("Mul", net.const(floats[4, 1, 1]), x))
    add("Neg", "plain", node("Neg"))
    add("Div", "constant", node("Div", floats[4, 1, 1]))
    return made


@pytest.fixture(scope="session", params=cases(), ids=str)
def case(request):
    """Every case in turn."""
    return request.param


@pytest.fixture(scope="session")
def all_cases():
    return cases()


@pytest.fixture
def make(new_net):
    """The canonical graph of a case, and the node in it."""

    def make(case):
        net = new_net(seed=3)
        model = net.model(case.build(net, net.input(shape=("N", *case.shape))))
        # This form leaves sums and products as they are written.
        graph = canonicalise(model, keep_integers=True).graph
        (node,) = [n for n in graph.nodes if n.op == case.op]
        return graph, node

    return make


@pytest.fixture
def run_graph(run_stock):
    """The only output of a GraphSurgeon graph."""

    def run(graph, x):
        return run_stock(gs.export_onnx(graph.copy().cleanup().toposort()), x)[0]

    return run
