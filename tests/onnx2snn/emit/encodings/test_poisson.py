"""Random spikes that belong to the image."""

import numpy as np
import pytest

import onnx2snn
from onnx2snn_runtime import SpikingSession


@pytest.fixture
def network(new_net):
    """A function: options to the spiking form of a small network."""
    net = new_net()
    x = net.relu(net.conv(net.input(shape=("N", 2, 4, 4)), (3, 2, 1, 1), name="first"), name="a")
    model = net.model(net.conv(x, (2, 3, 4, 4)))

    def convert(timesteps=8, **options):
        given = {"threshold": "max", "calibration_data": images(), **options}
        result = onnx2snn.convert(model, timesteps, encoding="poisson", **given)
        return SpikingSession(result.model)

    return convert


def images(n=6):
    x = np.random.default_rng(3).uniform(0, 1, (n, 2, 4, 4)).astype(np.float32)
    x[0] = 1
    return x


def train(session, x, **options):
    return session.trace(x, **options).spikes["a"]


def test_batches_order_and_windows_do_not_matter(network):
    session, x = network(), images()
    whole = train(session, x)
    one_by_one = np.concatenate([train(session, x[i : i + 1]) for i in range(len(x))], axis=1)
    np.testing.assert_array_equal(whole, one_by_one)
    np.testing.assert_array_equal(train(session, x[::-1])[:, ::-1], whole)
    np.testing.assert_array_equal(train(session, x, window=3), whole)


def test_one_run_tells_every_smaller_T(network):  # noqa: N802  (T is the symbol)
    session, x = network(), images()
    assert session.is_anytime
    answers = session.observe(x, 8).outputs[session.outputs[0].name]
    np.testing.assert_allclose(answers[4], next(iter(session.run(x, 5).values())), atol=1e-5)


def test_other_seeds_give_other_trains(network):
    x = images()
    assert (train(network(seed=1), x) != train(network(), x)).any()


def test_the_rate_is_the_value(network, tensors):
    x = images()
    given = network(timesteps=2000)
    model = given._model
    (encoder,) = [n for n in model.graph.node if n.op_type == "PoissonEncode"]
    spikes = tensors(model, x, [encoder.output[0]])[encoder.output[0]]
    low, high = x.min(), x.max()
    rates = spikes.reshape(2000, *x.shape).mean(axis=0)
    share = (x - low) / (high - low)
    assert np.abs(rates - share).max() < 5 * np.sqrt(0.25 / 2000)
    assert (rates[0] == 1).all()
