"""Random networks through onnxruntime's own quantizer, and on to spikes."""

import numpy as np
import onnx
import pytest
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

import onnx2snn
from onnx2snn_runtime import SpikingSession


class Reader(CalibrationDataReader):
    def __init__(self, x):
        self.rows = iter([{"x": x[i : i + 1]} for i in range(len(x))])

    def get_next(self):
        return next(self.rows, None)


@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("symmetric", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_they_come_out_as_they_were(
    random_network, blocks, run_stock, same_function, tmp_path, seed, symmetric, per_channel
):
    rng = np.random.default_rng([seed, symmetric, per_channel])
    # A signed Clip vanishes in an asymmetric quantizer without a trace: nothing can tell it there.
    known = [i for i, name in enumerate(blocks) if name != "signed"]
    shape, avgpool = (2, 6, 7), ("spiking", "linear")[seed % 2]
    numbers = rng.choice(known, size=seed % 4 + 1)
    model = random_network(numbers, shape, integer=False, avgpool=avgpool, seed=seed)
    x = rng.normal(size=(8, *shape)).astype(np.float32)
    onnx.save(model, tmp_path / "float.onnx")
    quantize_static(
        tmp_path / "float.onnx",
        tmp_path / "int8.onnx",
        Reader(x),
        quant_format=QuantFormat.QDQ,
        per_channel=per_channel,
        activation_type=QuantType.QInt8 if symmetric else QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        extra_options={"ActivationSymmetric": symmetric},
    )
    quantized = onnx.load(tmp_path / "int8.onnx")
    canonical = same_function(quantized, x, tolerance=0)
    assert canonical.source.dialects == ("QDQ",)

    result = onnx2snn.convert(quantized, 4, threshold="quantizer", avgpool=avgpool)
    # An activation for each of the float network's, whatever form they take now. There may be
    # more: the quantizer of a scaled activation looks as if it had absorbed a Relu.
    floats = onnx2snn.convert(model, 4, threshold="max", calibration_data=x, avgpool=avgpool)
    assert len(result.plan.sites) >= len(floats.plan.sites)
    assert {s.kind for s in result.plan.sites if not s.is_pool} == {"quantizer"}
    (got,) = SpikingSession(result.model).run(x, 1024).values()
    (wanted,) = run_stock(quantized, x)
    # Of 160 such networks the worst was off by 0.045, as the quantized from the float network.
    assert np.sqrt(((got - wanted) ** 2).mean() / (wanted**2).mean()) < 0.08
