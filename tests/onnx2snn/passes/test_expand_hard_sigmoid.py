"""HardSigmoid becomes a Clip of a line."""

import numpy as np
import pytest


@pytest.mark.parametrize("given", [{}, {"alpha": 1 / 6}, {"alpha": -0.4, "beta": 1.25}])
def test_any_line(new_net, same_function, ops_of, given):
    net = new_net()
    x = 3 * net.rng.normal(size=(5, 2, 6, 6)).astype(np.float32)
    model = net.model(net.node("HardSigmoid", net.input(), **given))
    assert ops_of(same_function(model, x, 1e-6)) == ["Mul", "Add", "Clip"]
