"""The random VGG-16: its sizes, and activations that neither die out nor explode."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import numpy_helper

from onnx2snn.api import inspect
from onnx2snn_runtime.backend import BackendOptions
from onnx2snn_runtime.backends.stock import StockExecutable


def test_sizes(script):
    model = script("vgg16").vgg16(seed=0)
    onnx.checker.check_model(model, full_check=True)
    macs = inspect(model).macs
    # 313.2 million in the convolutions, as VGG-16 has on images of 32 × 32, and the head.
    assert sum(macs.values()) == 313_196_544 + 5120
    assert len(macs) == 14
    weights = sum(int(np.prod(t.dims)) for t in model.graph.initializer)
    assert weights == 14_710_464 + 4224 + 5130


def test_activity_stays_of_its_size(script):
    model = script("vgg16").vgg16(seed=1)
    relus = [n.output[0] for n in model.graph.node if n.op_type == "Relu"]
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in relus)
    images = np.random.default_rng(0).normal(size=(2, 3, 32, 32)).astype(np.float32)
    found = StockExecutable(model, BackendOptions(threads=1)).run(relus, {"input": images})
    assert all(0.1 < values.std() < 10 for values in found)


def test_seed(script):
    def weights(seed):
        return numpy_helper.to_array(script("vgg16").vgg16(seed).graph.initializer[0])

    np.testing.assert_array_equal(weights(3), weights(3))
    assert not np.array_equal(weights(3), weights(4))
