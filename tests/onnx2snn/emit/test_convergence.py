"""Spiking networks converge to their source as T grows."""

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onnx2snn_runtime import SpikingSession


@settings(max_examples=30)
@given(
    numbers=st.lists(st.integers(0, 999), max_size=4),
    shape=st.tuples(st.integers(1, 3), st.integers(4, 7), st.integers(4, 7)),
    avgpool=st.sampled_from(["spiking", "linear"]),
    granularity=st.sampled_from(["channel", "layer"]),
    v_init=st.sampled_from(["half", "zero"]),
    seed=st.integers(0, 999),
)
def test_random_networks(
    random_network, run_stock, by_maximum, numbers, shape, avgpool, granularity, v_init, seed
):
    model = random_network(numbers, shape, integer=False, avgpool=avgpool, seed=seed)
    x = np.random.default_rng(seed).normal(size=(4, *shape)).astype(np.float32)
    options = {"avgpool": avgpool, "granularity": granularity, "v_init": v_init}
    session = SpikingSession(by_maximum(model, x, **options).model)
    (wanted,) = run_stock(model, x)

    def error(timesteps):
        (got,) = session.run(x, timesteps).values()
        return np.sqrt(((got - wanted) ** 2).mean() / (wanted**2).mean())

    # Of 250 such networks the worst had 0.04 at T = 256; where it was above 0.01, a sixth or less
    # of the error at T = 8.
    early, late = error(8), error(256)
    assert late < 0.08
    assert late < max(early / 4, 0.01)


@pytest.mark.parametrize("avgpool", ["spiking", "linear"])
@pytest.mark.parametrize("name", ["digits_cnn_float", "mnist_cnn_float"])
def test_our_own_networks(pytestconfig, run_stock, by_maximum, error_at, name, avgpool):

    model = onnx.load(pytestconfig.rootpath / f"models/{name}.onnx")
    size = 28 if "mnist" in name else 8
    x = np.random.default_rng(0).uniform(0, 1, (4, 1, size, size)).astype(np.float32)
    spiking = by_maximum(model, x, avgpool=avgpool).model
    wanted = run_stock(model, x)
    errors = [error_at(spiking, wanted, x, t) for t in (8, 32, 256)]
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 0.05


def test_a_max_pool_is_as_exact_as_the_population_in_front(new_net, by_maximum):
    """Counts behind the pool are exactly the pooled counts, at every T."""
    net = new_net()
    y = net.relu(net.conv(net.input(), (3, 2, 3, 3)), name="a")
    pooled = net.node("MaxPool", y, kernel_shape=[2, 2], strides=[2, 2], name="pool")
    model = net.model(y, pooled)
    x = net.rng.normal(size=(3, 2, 6, 6)).astype(np.float32)
    spiking = by_maximum(model, x).model
    for timesteps in (1, 3, 8, 33):
        before, behind = SpikingSession(spiking).run(x, timesteps).values()
        wanted = before.reshape(3, 3, 2, 2, 2, 2).max(axis=(3, 5))
        np.testing.assert_allclose(behind, wanted, rtol=1e-6)
