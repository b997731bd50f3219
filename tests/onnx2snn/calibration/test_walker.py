"""The walk sees what the emitted network does."""

import numpy as np
import pytest

from onnx2snn.calibration.corrected import Corrected
from onnx2snn.calibration.signals import Constant, Train
from onnx2snn.calibration.walker import Walk, bytes_per_sample
from onnx2snn.errors import CalibrationError
from onnx2snn.frontend import canonicalise
from onnx2snn.sites import find_sites
from onnx2snn.sites.segments import find_segments

T = 4


def cut(model):
    canonical = canonicalise(model)
    sites = find_sites(canonical, avgpool="spiking", keep_analog=frozenset(), diagnostics=[])
    return find_segments(canonical, sites, ())


@pytest.fixture
def chain(new_net):
    """Two layers with a shortcut."""
    net = new_net()
    x = net.relu(net.conv(net.input(), (3, 2, 3, 3), bias=True, pads=[1] * 4), name="one")
    y = net.conv(x, (3, 3, 3, 3), bias=True, pads=[1] * 4, name="layer")
    x = net.relu(net.node("Add", y, x), name="two")
    return net.model(net.gemm(net.node("Flatten", x), (108, 4), name="last"))


@pytest.fixture
def images():
    return {"x": np.random.default_rng(0).normal(0, 1, (5, 2, 6, 6)).astype(np.float32)}


def train(view, steps=T):
    """Random spikes at the end of a segment."""
    rng = np.random.default_rng(1)
    spikes = rng.integers(0, 2, (steps, *view.wanted.shape)).astype(np.int8)
    return Train(spikes, np.full((3, 1, 1), 0.5, np.float32))


def exactly(walk):
    """Settle all with the source's own activations."""
    for view in walk:
        yield view
        walk.settle(view, Constant(view.wanted, walk.steps))


def test_reference(chain, images, run_stock):
    walk = Walk(cut(chain), images, T, T)
    views = list(exactly(walk))
    np.testing.assert_allclose(views[-1].wanted, run_stock(chain, images)[0], rtol=1e-5, atol=1e-5)
    assert all(view.is_exact for view in views)
    assert set(walk.values) == set(walk.signals) == set()


def test_exact_inputs_leave_no_error(chain, images):
    for view in exactly(Walk(cut(chain), images, T, T)):
        np.testing.assert_allclose(view.means()[view.segment.output], view.ann, atol=1e-5)
        for part, current in view.currents():
            assert current.shape == (T, *view.ann[part].shape)
            np.testing.assert_allclose(current.mean(axis=0), view.ann[part], atol=1e-5)


def test_means_are_means_of_currents(chain, images):
    walk = Walk(cut(chain), images, T, T)
    for view in walk:
        mean = view.means()[view.segment.output]
        parts = np.concatenate([c for _, c in view.currents()], axis=1)
        np.testing.assert_allclose(parts.mean(axis=0), mean, rtol=1e-4, atol=1e-5)
        end = Constant(mean, T) if view.site is None else train(view)
        walk.settle(view, end)
    assert not view.is_exact


def test_parts_do_not_matter(chain, images, monkeypatch):
    def last():
        walk = Walk(cut(chain), images, T, T)
        for view in walk:
            walk.settle(view, Constant(view.ann, T) if view.site is None else train(view))
        return np.concatenate([c for _, c in view.currents()], axis=1)

    whole = last()
    monkeypatch.setattr("onnx2snn.calibration.walker.ROWS", 2 * T)
    np.testing.assert_allclose(last(), whole, rtol=1e-5, atol=1e-6)


def test_corrections_stay(chain, images):
    """A corrected layer is seen corrected, by its own segment and by whoever asks for weights."""
    walk = Walk(cut(chain), images, T, T)
    for view in walk:
        if view.segment.name == "two":
            (layer,) = view.segment.layers
            old = view.weights(layer)
            new = Corrected(0 * old.weight, np.full(3, 7, np.float32))
            shortcut = view.means()
            changed = view.means({layer.node: new})
            difference = changed[view.segment.output] - shortcut[view.segment.inputs[0]]
            np.testing.assert_allclose(difference, 7, rtol=1e-5)
            walk.settle(view, train(view), {layer.node: new})
            np.testing.assert_array_equal(view.weights(layer).weight, new.weight)
        else:
            walk.settle(view, Constant(view.ann, T) if view.site is None else train(view))
    assert set(walk.corrections) == {layer.node}


def test_saturated_inputs(chain, images):
    """As if all fired at every step."""
    walk = Walk(cut(chain), images, T, T)
    for view in walk:
        if view.segment.name == "two":
            everything = view.saturated()
            ones = Train(np.ones((T, *view.wanted.shape), np.int8), np.full(1, 0.5, np.float32))
            again = Walk(cut(chain), images, T, T)
            for other in again:
                if other.segment.name == "two":
                    mean = other.means()[other.segment.output]
                    np.testing.assert_allclose(everything, mean[0], rtol=1e-5)
                again.settle(other, ones if other.site else Constant(other.ann, T))
        walk.settle(view, Constant(view.ann, T) if view.site is None else train(view))


def test_currents_are_kept_for_the_same_corrections(chain, images, monkeypatch):
    """Looked at again they are the same arrays; computed anew they have the same values."""

    def looks(view, corrections):
        return [[c for _, c in view.currents(corrections)] for _ in range(2)]

    walk = Walk(cut(chain), images, T, T)
    for view in walk:
        corrections = {}
        for layer in view.segment.layers:
            old = view.weights(layer)
            corrections[layer.node] = Corrected(2 * old.weight, old.bias)
        first, second = looks(view, corrections)
        assert all(a is b for a, b in zip(first, second, strict=True))
        with monkeypatch.context() as patched:
            patched.setattr("onnx2snn.calibration.walker.KEPT", 0)
            plain, again = looks(view, None)
            np.testing.assert_array_equal(np.concatenate(plain, 1), np.concatenate(again, 1))
            assert all(a is not b for a, b in zip(plain, again, strict=True))
            if corrections:
                assert not np.allclose(np.concatenate(plain, 1), np.concatenate(first, 1))
            anew, _ = looks(view, corrections)
        np.testing.assert_array_equal(np.concatenate(anew, 1), np.concatenate(first, 1))
        walk.settle(view, Constant(view.ann, T) if view.site is None else train(view))


def test_nan_is_named(chain, images):
    images["x"][0, 0, 0, 0] = np.nan
    with pytest.raises(CalibrationError) as error:
        list(exactly(Walk(cut(chain), images, T, T)))
    assert "preprocessing" in str(error.value)


def test_memory_grows_with_time(chain, images):
    segments = cut(chain)
    short, long = (bytes_per_sample(segments, images, t) for t in (8, 64))
    neurons = 3 * 36
    assert short >= 2 * neurons * 8
    assert long - short >= neurons * 56
    assert long < 10 * 2 * neurons * 64
