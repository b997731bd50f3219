"""The closed form of averaging neurons, against the definition: every potential, every sum."""

import numpy as np
import pytest

from onnx2snn_runtime import SpikingSession


@pytest.mark.parametrize("T", [1, 2, 3, 8])
@pytest.mark.parametrize("theta", [1, 3, 4])
@pytest.mark.parametrize("backend", ["stock", "native"])
def test_every_potential_and_sum(builder, backend, theta, T):
    potentials = np.arange(-3 * theta * T, 3 * theta * T + 1)
    net = builder(T)
    x = net.onnx("Expand", [net.input("x", 1), net.const([1, len(potentials)], np.int64)])
    x = net.spiking("DirectEncode", [x], 1)
    x = net.spiking("AveragedIntegrateFire", [x, net.const([theta]), net.const(potentials)])
    model = net.model(net.readout(x, "sum"))
    currents = np.arange(-4 * theta, 4 * theta + 1, dtype=np.float32)[:, None]
    session = SpikingSession(model, backend=backend)
    assert session.is_counted
    (found,) = session.run(currents).values()
    (wanted,) = SpikingSession(model, backend="reference").run(currents).values()
    np.testing.assert_array_equal(found, wanted)
    assert set(np.unique(wanted)) == set(range(T + 1))
