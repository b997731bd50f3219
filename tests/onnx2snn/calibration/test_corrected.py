"""A piece of network with other weights computes what they say, with the threads it is given."""

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from onnx2snn.calibration import corrected
from onnx2snn.calibration.corrected import Corrected, Runner, by_layer
from onnx2snn.plan import LayerCorrection
from onnx2snn_runtime.backend import BackendOptions
from onnx2snn_runtime.backends.stock import StockExecutable


@pytest.fixture(scope="module")
def segment(jointed, cut):
    """The first one that has a layer."""
    net = cut(jointed("AveragePool"))
    return net, next(s for s in net.segments if s.layers)


def test_corrected_weights(segment):
    """Twice the weights and no bias: twice the answer without bias."""
    net, piece = segment
    layer = piece.layers[0]
    plain = Runner(piece.model, {})
    feeds = {n: net.inputs[n] for n in plain.inputs}
    at_zero = plain.run({n: 0 * v for n, v in feeds.items()})[piece.output]
    linear = plain.run(feeds)[piece.output] - at_zero
    weight = _constant(piece.model, layer.weight)
    other = {layer.node: Corrected(2 * weight, np.zeros(len(weight), np.float32))}
    doubled = Runner(piece.model, other).run(feeds)[piece.output]
    np.testing.assert_allclose(doubled, 2 * linear, rtol=1e-4, atol=1e-4)


def test_options_reach_onnxruntime(segment, monkeypatch):
    """As many threads as a caller says."""
    _, piece = segment
    seen = []

    def noted(model, options):
        seen.append(options)
        return StockExecutable(model, options)

    monkeypatch.setattr(corrected, "StockExecutable", noted)
    options = BackendOptions(threads=1, spinning=False)
    Runner(piece.model, {}, options)
    assert seen == [options]


def test_by_layer():
    weight = np.ones((2, 3), np.float32)
    found = by_layer([LayerCorrection("one", weight, None)])
    assert found == {"one": Corrected(weight, None)}


def _constant(model, name):
    [found] = [t for t in onnx.load_from_string(model).graph.initializer if t.name == name]
    return numpy_helper.to_array(found)
