"""Where neurons stand whose spikes are the answer."""

import numpy as np
import pytest

from onnx2snn.errors import UnsupportedModelError
from onnx2snn.frontend import canonicalise
from onnx2snn.sites import find_sites
from onnx2snn.sites.output_population import insert_output_populations, output_places


def found(canonical):
    return find_sites(canonical, avgpool="linear", keep_analog=frozenset(), diagnostics=[])


def places(model):
    canonical = canonicalise(model)
    return output_places(canonical, found(canonical))


def start(net):
    return net.node("Flatten", net.relu(net.conv(net.input(), (3, 2, 3, 3)), name="first"))


def test_behind_the_last_layer(new_net):
    net = new_net()
    assert places(net.model(net.gemm(start(net), (48, 4), name="last"))) == ["last_out"]


@pytest.mark.parametrize("tail", ["Softmax", "Sigmoid", "Exp"])
def test_in_front_of_functions(new_net, tail):
    net = new_net()
    y = net.node("Reshape", net.gemm(start(net), (48, 4)), net.ints(-1, 2, 2), name="seen")
    assert places(net.model(net.node(tail, y))) == ["seen_out"]


def test_spikes_are_counted_where_they_are(new_net):
    net = new_net()
    net.relu(net.conv(net.input(), (3, 2, 3, 3)), name="end")
    assert places(net.model("end_out")) == []


def test_several_outputs(new_net):
    net = new_net()
    x = start(net)
    left, right = (net.gemm(x, (48, n), name=name) for n, name in ((4, "left"), (2, "right")))
    assert places(net.model(left, net.node("Tanh", right))) == ["left_out", "right_out"]


def test_a_product_is_no_last_layer(new_net):
    net = new_net()
    x = start(net)
    y = net.node("Mul", net.gemm(x, (48, 4)), net.gemm(x, (48, 4)), name="product")
    with pytest.raises(UnsupportedModelError, match="'product_out' has no last layer") as caught:
        places(net.model(y))
    assert "--readout mean" in caught.value.remedy


def test_no_neurons_in_front(new_net):
    net = new_net()
    with pytest.raises(UnsupportedModelError, match="no last layer"):
        places(net.model(net.gemm(net.node("Flatten", net.input()), (72, 4))))


def test_others_go_on_reading_the_current(new_net, run_stock):
    """An output that later layers read too: they see values outside of the range."""
    net = new_net()
    early = net.gemm(start(net), (48, 4), name="early")
    late = net.gemm(net.relu(early), (4, 3), name="late")
    model = net.model(early, late)
    x = np.random.default_rng(0).normal(0, 2, (5, 2, 6, 6)).astype(np.float32)
    wanted = run_stock(model, x)
    canonical = canonicalise(model)
    names = insert_output_populations(canonical, found(canonical), 0.1, 0.2)
    assert names == {"early.readout", "late.readout"}
    got = run_stock(canonical.to_model(), x)
    for values, unlimited in zip(got, wanted, strict=True):
        assert np.allclose(values, np.clip(unlimited, 0.1, 0.2), atol=1e-5)
    assert [o.name for o in canonical.graph.outputs] == ["early_out", "late_out"]
