"""Random networks are converted, keep their values, and converge; quantized ones are equal.

``ONNX2SNN_FUZZ=20`` in the environment tries twenty times as many, new ones at every run.
"""

import os

import numpy as np
import onnx
import onnxruntime
from hypothesis import given, settings
from hypothesis import strategies as st
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

from onnx2snn import convert
from onnx2snn.calibration import open_dataset
from onnx2snn.evaluation import ExactSession, verify
from onnx2snn.frontend import canonicalise
from onnx2snn_runtime import SpikingSession

EFFORT = int(os.environ.get("ONNX2SNN_FUZZ", "0"))


def examples(count):
    """Settings for so many examples, always the same ones unless more effort is asked for."""
    if EFFORT:
        return settings(max_examples=count * EFFORT, print_blob=True)
    return settings(max_examples=count, derandomize=True, database=None)


def check_file(model):
    """What other tools will put a spiking file through."""
    onnx.checker.check_model(model, full_check=True)
    onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)


def deviation(got, wanted):
    """Root mean square of the difference, relative to that of the values, or to a tenth."""
    assert got.shape == wanted.shape
    return np.sqrt(((got - wanted) ** 2).mean()) / max(np.sqrt((wanted**2).mean()), 0.1)


@examples(25)
@given(data=st.data())
def test_the_canonical_form_computes_the_same(any_network, run_stock, data):
    model, x = data.draw(any_network())
    canonical = canonicalise(model).to_model()
    onnx.checker.check_model(canonical, full_check=True)
    wanted = run_stock(model, x)
    for got, want in zip(run_stock(canonical, x), wanted, strict=True):
        assert got.shape == want.shape
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-4 * np.abs(want).max(initial=1))


@examples(20)
@given(data=st.data())
def test_it_converges(any_network, run_stock, data):
    model, x = data.draw(any_network())
    options = {"avgpool": data.draw(st.sampled_from(["linear", "spiking"]))}
    if data.draw(st.booleans()):
        options |= {"threshold": "max"}
    else:
        options |= {"threshold": "percentile", "percentile": 100}
    spiking = convert(model, 8, calibration_data=x, **options).model
    check_file(spiking)
    session = SpikingSession(spiking)
    errors = []
    for timesteps in (8, 512):
        outputs = session.run(x, timesteps).values()
        pairs = zip(outputs, run_stock(model, x), strict=True)
        errors.append(max(deviation(got, want) for got, want in pairs))
    early, late = errors
    # Of 370 such networks the worst had 0.0104 behind 512 steps.
    assert late < 0.03
    assert late < max(early / 4, 0.01)


@examples(15)
@given(data=st.data())
def test_without_options(any_network, data):
    model, x = data.draw(any_network())
    spiking = convert(model).model
    check_file(spiking)
    session = onnxruntime.InferenceSession(
        spiking.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    outputs = session.run(None, {"x": x})
    for got, declared in zip(outputs, model.graph.output, strict=True):
        assert got.ndim == len(declared.type.tensor_type.shape.dim)
        assert np.isfinite(got).all()


RECIPES = ("exact-radix", "exact-asg", "exact")


def check_equal(result, source, x):
    """Every integer of every population is its quantizer's.

    Where quantizers stand next to an analog part, only exact arithmetic has one answer:
    onnxruntime's fused kernels may compute that part in another way.
    """
    check_file(result.model)
    session = ExactSession(result.model)
    found = verify(session, source, open_dataset(x, session.inputs))
    assert found.populations
    inputs = {n.name for n in source.graph.node if n.input[0] in {"x", "input"}}
    if found.against == "ort" and not set(found.without_population) <= inputs:
        return
    assert found.equal, found


@examples(12)
@given(data=st.data())
def test_a_quantized_twin_is_equal(any_network, data):
    model, x = data.draw(any_network(analog=False))
    recipe = data.draw(st.sampled_from(RECIPES))
    bits = data.draw(st.integers(2, 4 if recipe == "exact" else 8))
    result = convert(model, recipe=recipe, quantize=bits, calibration_data=x)
    check_equal(result, result.quantized, x)


class Rows(CalibrationDataReader):
    """Calibration data, one sample at a time."""

    def __init__(self, x):
        self.rows = iter({"x": row[None]} for row in x)

    def get_next(self):
        return next(self.rows, None)


@examples(12)
@given(data=st.data())
def test_a_network_quantized_by_onnxruntime_is_equalled(any_network, tmp_path_factory, data):
    model, x = data.draw(any_network(analog=False))
    path = str(tmp_path_factory.mktemp("quantized") / "model.onnx")
    kinds = st.sampled_from([QuantType.QInt8, QuantType.QUInt8])
    quantize_static(
        model,
        path,
        Rows(x),
        quant_format=data.draw(st.sampled_from([QuantFormat.QDQ, QuantFormat.QOperator])),
        per_channel=data.draw(st.booleans()),
        activation_type=data.draw(kinds),
        weight_type=QuantType.QInt8,
        extra_options={"ActivationSymmetric": data.draw(st.booleans())},
    )
    source = onnx.load(path)
    recipe = data.draw(st.sampled_from(RECIPES[:2]))
    arithmetic = data.draw(st.sampled_from(["rational", "rational", "ort"]))
    result = convert(source, recipe=recipe, arithmetic=arithmetic)
    check_equal(result, source, x)
