"""What is quantized of a float network."""

import numpy as np
import pytest

from onnx2snn import convert


@pytest.mark.parametrize("read_on", [False, True])
def test_an_activation_that_is_an_output(new_net, run_stock, read_on):
    """The output keeps its name and becomes what its quantizer gives."""
    net = new_net()
    y = net.relu(net.conv(net.input(), (3, 2, 3, 3), bias=True), name="act")
    outputs = [y, net.conv(y, (2, 3, 2, 2))] if read_on else [y]
    x = net.rng.normal(size=(8, 2, 6, 6)).astype(np.float32)
    result = convert(net.model(*outputs), recipe="exact-radix", quantize=2, calibration_data=x)
    assert [o.name for o in result.quantized.graph.output] == outputs
    values = run_stock(result.quantized, x)[0]
    assert len(np.unique(values)) <= 4
    spiking = run_stock(result.model, {"x": x})[0]
    # A flip at a tie of float32 is one level.
    assert (spiking != values).mean() < 0.01
    assert "act.quantized" in {
        n.name for n in result.model.graph.node if n.op_type == "StaircaseFire"
    }
