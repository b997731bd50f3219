"""Segments put together are the network that they were cut from."""

import numpy as np
import pytest

from onnx2snn.calibration.runnable import source_network


@pytest.fixture(scope="module", params=["AveragePool", "MaxPool"])
def net(request, jointed, cut):
    return cut(jointed(request.param))


def test_source_is_the_source(net, run_stock):
    """Activations of all populations, and the result."""
    found = source_network(net.segments).run(net.inputs)
    [result] = [s for s in net.segments if s.is_result]
    assert {s.target for s in net.segments if s.site} <= set(found)
    [y] = run_stock(net.model, net.inputs)
    np.testing.assert_allclose(found[result.error], y, rtol=1e-4, atol=1e-4)


def test_first_feed_comes_first(net):
    """A tensor may be in several."""
    source = source_network(net.segments)
    [result] = [s.error for s in net.segments if s.is_result]
    zeros = {name: 0 * values for name, values in net.inputs.items()}
    np.testing.assert_array_equal(source.run(zeros, net.inputs)[result], source.run(zeros)[result])
