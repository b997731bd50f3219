"""What onnxruntime cannot run as it is, it runs in canonical form."""

import numpy as np
import onnx
import pytest

from onnx2snn.frontend.runnable import runnable

DOMAIN = "qonnx.custom_op.general"


def test_an_ordinary_source_stays_what_it_is(new_net):
    net = new_net()
    model = net.model(net.relu(net.input()))
    assert runnable(model) is model


@pytest.mark.parametrize("signed", [0, 1])
def test_qonnx(new_net, run_stock, signed):
    net = new_net()
    x = net.input(shape=("N", 4))
    given = [net.const(0.5), net.const(0.0), net.const(4.0)]
    y = net.node("Quant", x, *given, domain=DOMAIN, signed=signed, narrow=0, rounding_mode="ROUND")
    model = net.model(y, check=False, shape=["N", 4])
    model.opset_import.append(onnx.helper.make_opsetid(DOMAIN, 1))
    values = np.linspace(-9, 9, 40, dtype=np.float32).reshape(10, 4)
    low, high = (-8, 7) if signed else (0, 15)
    wanted = np.clip(np.rint(values / 0.5), low, high) * 0.5
    np.testing.assert_array_equal(run_stock(runnable(model), values)[0], wanted)
