"""rnl: one share for all layers, found on the network's own loss."""

import numpy as np
import pytest

import onnx2snn
from onnx2snn.calibration.clipped import Clipped
from onnx2snn.methods import THRESHOLDS
from onnx2snn.methods.threshold.rnl import LAMBDA, SHARES, least
from onnx2snn.plan import ConversionConfig


@pytest.mark.parametrize("target", [0.05, 0.163, 0.47, 0.81, 1.0])
def test_least(target):
    """The search ends near the minimum, within a sixteenth of the grid's step."""
    assert abs(least(lambda p: (p - target) ** 2) - target) <= 0.1 / 16 + 1e-9


def test_least_of_a_constant():
    assert least(lambda p: 1.0) in SHARES


class Recorder:
    """A network on which clipping costs what is given, and what it was asked."""

    def __init__(self):
        self.asked = []

    def run(self, limits):
        self.asked.append(limits)
        p = limits["relu"].max() / self.top
        return Clipped(cosine=1 - 0.3 * (1 - p) ** 2, rate_inference_loss=1 + p)


@pytest.mark.parametrize("granularity", ["layer", "channel"])
def test_share(statistics, granularity):
    """All layers at one share of their maxima; the least of eq. 13, by hand p = 1 - 1/1.2."""
    method, network = THRESHOLDS.get("rnl"), Recorder()
    known = {name: statistics[name] for name in ("relu", "clip")}
    network.top = known["relu"].maximum.max()
    found = method.share(network, known, ConversionConfig(granularity=granularity))
    assert set(found) == set(known)
    assert len(set(found.values())) == 1
    assert found["relu"] == pytest.approx(1 - LAMBDA / 0.6, abs=0.01)
    for limits in network.asked:
        shares = {
            tuple(np.round(limit / (s.maximum if limit.size > 1 else s.maximum.max()), 9))
            for limit, s in ((limits[n], known[n]) for n in known)
        }
        assert len({x for row in shares for x in row}) == 1
        assert all(
            limit.size == (6 if granularity == "channel" else 1) for limit in limits.values()
        )


def test_thresholds_of_a_network(new_net):
    net = new_net()
    y = net.relu(net.conv(net.input(), (4, 2, 3, 3), bias=True))
    y = net.relu(net.conv(y, (4, 4, 3, 3), bias=True))
    model = net.model(net.gemm(net.node("Flatten", y), (16, 3)))
    images = np.random.default_rng(0).normal(0, 1, (32, 2, 6, 6)).astype(np.float32)

    def thresholds(name):
        found = onnx2snn.convert(
            model, 8, threshold=name, granularity="layer", calibration_data=images
        )
        told = [d.what for d in found.diagnostics if d.code == "SHARE_FOUND"]
        return np.array([n.threshold.item() for n in found.plan.neurons]), told

    most, silent = thresholds("max")
    shared, told = thresholds("rnl")
    assert silent == []
    assert len(told) == 1
    ratio = shared / most
    assert ratio[0] == pytest.approx(ratio[1], rel=1e-5)
    assert 0.05 <= ratio[0] < 1
    own, _ = thresholds("rnl-layer")
    moved = own / shared
    assert all(m == pytest.approx(1, rel=1e-5) or not 0.81 < m < 1.1 for m in moved)
    assert (own <= most * (1 + 1e-6)).all()


def test_layers_move_where_the_loss_shrinks(statistics):
    """The loss of one layer wants a share above the shared one, the other's below."""

    class Pulled:
        def run(self, limits):
            a, b = (limits[n].max() / statistics[n].maximum.max() for n in ("relu", "clip"))
            return Clipped(1 - (a - 0.6) ** 2 - (b - 0.4) ** 2, 0.0)

    known = {name: statistics[name] for name in ("relu", "clip")}
    config = ConversionConfig(granularity="layer")
    shared = THRESHOLDS.get("rnl").share(Pulled(), known, config)
    own = THRESHOLDS.get("rnl-layer").share(Pulled(), known, config)
    assert shared["relu"] == shared["clip"] == pytest.approx(0.5, abs=0.01)
    assert own["relu"] == pytest.approx(1.25 * shared["relu"])
    assert own["clip"] == pytest.approx(0.8 * shared["clip"])
