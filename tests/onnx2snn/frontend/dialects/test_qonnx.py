"""QONNX quantizers, judged by an evaluator written from their specification."""

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import helper, version_converter
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun

from onnx2snn.errors import UnsupportedModelError
from onnx2snn.frontend import canonicalise

GENERAL, BREVITAS = "qonnx.custom_op.general", "onnx.brevitas"
PAIR = ["QuantizeLinear", "DequantizeLinear"]


def operators(domain):
    """The quantizers for onnx's reference evaluator."""

    class Quant(OpRun):
        op_domain = domain

        def _run(self, x, scale, zero, bits, narrow=None, signed=None, rounding_mode=None):
            narrow, signed, bits = narrow or 0, 1 if signed is None else signed, int(bits)
            low = -(2 ** (bits - 1)) + narrow if signed else 0
            high = 2 ** (bits - 1) - 1 if signed else 2**bits - 1 - narrow
            codes = np.round(np.clip(x / scale + zero, low, high))
            return (((codes - zero) * scale).astype(np.float32),)

    class IntQuant(Quant):
        pass

    class BipolarQuant(OpRun):
        op_domain = domain

        def _run(self, x, scale):
            return (np.where(x >= 0, scale, -scale).astype(np.float32),)

    return [Quant, IntQuant, BipolarQuant]


def reference(model, x):
    """All outputs of a QONNX model."""
    domain = next(n.domain for n in model.graph.node if n.domain)
    feeds = {model.graph.input[0].name: x}
    return ReferenceEvaluator(model, new_ops=operators(domain)).run(None, feeds)


@pytest.fixture(scope="session")
def same_levels(run_stock):
    """Assert that the canonical form, both ways, computes what the specification says."""

    def check(model, x, least=2):
        wanted = reference(model, x)[0]
        assert len(np.unique(wanted)) >= least
        for keep in (True, False):
            canonical = canonicalise(model, keep_integers=keep)
            written = canonical.to_model()
            onnx.checker.check_model(written, full_check=True)
            np.testing.assert_array_equal(run_stock(written, x)[0], wanted)
        return canonical

    return check


def quant(net, x, scale, zero, bits, op="Quant", domain=GENERAL, **attributes):
    net.domains = [domain]
    parameters = [net.const(scale), net.const(zero), net.const(bits)]
    return net.node(op, x, *parameters, domain=domain, **attributes)


@settings(max_examples=40)
@given(
    bits=st.sampled_from([1, 2, 3, 4, 7, 8, 11, 16]),
    signed=st.sampled_from([0, 1]),
    narrow=st.sampled_from([0, 1]),
    scale=st.sampled_from([0.25, 2.0**-11, 0.03]),
    zero=st.sampled_from([0, 2]),
    op=st.sampled_from(["Quant", "IntQuant"]),
    domain=st.sampled_from([GENERAL, BREVITAS]),
    rounding=st.sampled_from(["ROUND", "HALF_EVEN", "round"]),
    relu=st.booleans(),
)
def test_activations(
    new_net, same_levels, bits, signed, narrow, scale, zero, op, domain, rounding, relu
):
    if narrow and bits == 1:
        bits = 2
    if zero and not signed and bits == 1:
        zero = 0
    net = new_net()
    x = net.relu(net.input(shape=("N", 50))) if relu else net.input(shape=("N", 50))
    kind = {"signed": signed, "narrow": narrow, "rounding_mode": rounding}
    y = quant(net, x, scale, zero, bits, op, domain, **kind)
    model = net.model(y, shape=["N", 50])
    spread = scale * 2.0 ** min(bits, 8)
    values = net.rng.normal(0, spread, (4, 50)).astype(np.float32)
    if scale != 0.03:  # not exact in float32: QONNX divides, adds and rounds in another order
        values[0, :8] = scale * (np.arange(8) - 3.5)  # halfway between levels
    same_levels(model, values, least=1 + (not relu))


def test_attributes_have_defaults(new_net, same_levels, ops_of):
    net = new_net()
    model = net.model(quant(net, net.input(shape=("N", 50)), 0.5, 0, 8), shape=["N", 50])
    canonical = same_levels(model, net.rng.normal(0, 90, (4, 50)).astype(np.float32), least=50)
    assert ops_of(canonical) == PAIR  # all of int8: nothing is left to clip
    (site,) = [n for n in canonical.graph.nodes if n.op == "QuantizeLinear"]
    assert site.name == model.graph.node[0].name


@pytest.mark.parametrize("shape", [(1, 3, 1, 1), (3, 1, 1)])
@pytest.mark.parametrize("bits", [4, 8])
def test_activations_by_channel(new_net, same_levels, ops_of, shape, bits):
    net = new_net()
    scale = np.array([0.5, 0.25, 0.03]).reshape(shape)
    y = quant(net, net.input(shape=("N", 3, 4, 4)), scale, 0, bits, narrow=1)
    model = net.model(y, shape=["N", 3, 4, 4])
    x = net.rng.normal(0, 3, (2, 3, 4, 4)).astype(np.float32)
    ops = ops_of(same_levels(model, x, least=20))
    assert [o for o in ops if o in PAIR] == PAIR


WEIGHTS = [
    ((), 0, 8, 1), ((1,), 0, 4, 1), ((6, 1, 1, 1), 0, 3, 1), ((6, 1, 1, 1), 2, 5, 0),
    ((), 1, 2, 1), ((), 0, 12, 1), ((), 0, 20, 1), ((6, 1, 1, 1), 0, 16, 0),
]  # fmt: skip


@pytest.mark.parametrize(("shape", "zero", "bits", "signed"), WEIGHTS)
def test_weights(new_net, same_levels, ops_of, shape, zero, bits, signed):
    net = new_net()
    scale = net.rng.uniform(0.1, 0.3, shape) / 2.0 ** max(0, bits - 4)
    w = quant(net, net.random(6, 2, 3, 3), scale, zero, bits, signed=signed, narrow=1)
    model = net.model(net.node("Conv", net.input(), w), shape=["N", 6, 4, 4])
    x = net.rng.integers(-2, 3, (2, 2, 6, 6)).astype(np.float32)
    kept = canonicalise(model, keep_integers=True)
    assert ops_of(kept) == ["DequantizeLinear", "Conv"]
    integers = kept.graph.nodes[0].inputs[0]
    size = 8 if bits <= 8 else 16 if bits <= 16 else 32
    assert integers.dtype == np.dtype(f"{'' if signed else 'u'}int{size}")
    canonical = canonicalise(model)
    wanted = reference(model, x)[0]
    assert ops_of(canonical) == ["Conv"]
    one = onnx.reference.ReferenceEvaluator(canonical.to_model()).run(None, {"x": x})[0]
    np.testing.assert_array_equal(one, wanted)


def test_bipolar_weights_behind_a_transpose(new_net, same_levels, ops_of):
    """As Brevitas writes its fully connected layers; the integers are what is transposed."""
    net = new_net()
    net.domains = [BREVITAS]
    w = net.node("BipolarQuant", net.random(5, 8), net.const(0.5), domain=BREVITAS)
    y = net.node("MatMul", net.input(shape=("N", 8)), net.node("Transpose", w, perm=[1, 0]))
    model = net.model(y, shape=["N", 5])
    x = net.rng.integers(-9, 9, (4, 8)).astype(np.float32)
    assert ops_of(same_levels(model, x, least=10)) == ["Gemm"]
    kept = canonicalise(model, keep_integers=True)
    assert ops_of(kept) == ["DequantizeLinear", "MatMul"]
    weights = kept.graph.nodes[0].inputs[0].values
    assert weights.shape == (8, 5)
    assert weights.dtype == np.int8
    assert set(np.unique(weights)) == {-1, 1}


@pytest.mark.parametrize("scale", [1.0, 0.3, [[0.5], [2.0], [0.3]]])
def test_bipolar_activations(new_net, same_levels, ops_of, scale):
    """Zero belongs to the upper level, whatever its sign."""
    net = new_net()
    net.domains = [GENERAL]
    x = net.input(shape=("N", 3, 8))
    model = net.model(
        net.node("BipolarQuant", x, net.const(scale), domain=GENERAL), shape=["N", 3, 8]
    )
    values = net.rng.normal(size=(4, 3, 8)).astype(np.float32)
    values[0] = [0, -0.0, 1e-3, -1e-3, 1e30, -1e30, 0.5, -0.5]
    ops = ops_of(same_levels(model, values))
    assert [o for o in ops if o in PAIR] == PAIR


def test_old_files_without_the_import(new_net, run_stock, ops_of):
    """Brevitas' files of opset 9 lack the import of its domain."""
    net = new_net(opset=9)
    x = quant(net, net.input(shape=(1, 8)), 0.25, 0, 2, domain=BREVITAS, narrow=1)
    w = net.node("BipolarQuant", net.random(8, 5), net.const(1.0), domain=BREVITAS)
    model = net.model(net.norm(net.node("MatMul", x, w), 5), shape=[1, 5])
    complete = version_converter.convert_version(model, 18)
    model.opset_import.pop()
    values = net.rng.normal(size=(1, 8)).astype(np.float32)
    got = run_stock(canonicalise(model).to_model(), values)[0]
    np.testing.assert_allclose(got, reference(complete, values)[0], rtol=1e-5, atol=1e-6)


def test_odd_zero_points_are_reported(new_net):
    net = new_net()
    y = quant(net, net.input(shape=("N", 50)), 0.5, 3, 8)
    (said,) = canonicalise(net.model(y, shape=["N", 50])).diagnostics
    assert (said.code, said.severity) == ("QUANTIZER_TIES", "info")
    assert said.node == "'quant0' (Quant)"


REFUSED = [
    ({"rounding_mode": "FLOOR"}, {}, "rounding mode FLOOR"),
    ({}, {"bits": 32}, "activations of 32 bits, at most 16"),
    ({}, {"bits": 2.5}, "bit width of 2.5"),
    ({}, {"bits": 0}, "bit width of 0"),
    ({"narrow": 1}, {"bits": 1}, "one value only"),
    ({}, {"zero": 0.5}, "zero point that is no int8 number"),
    ({"signed": 0}, {"zero": -1}, "zero point that is no uint8 number"),
    ({}, {"scale": np.ones((3, 50))}, "several axes"),
]


@pytest.mark.parametrize(("attributes", "parameters", "reason"), REFUSED)
def test_what_has_no_such_form(new_net, attributes, parameters, reason):
    net = new_net()
    given = {"scale": 0.5, "zero": 0, "bits": 8} | parameters
    x = net.input(shape=("N", 3, 50))
    model = net.model(quant(net, x, **given, **attributes), shape=["N", 3, 50])
    with pytest.raises(UnsupportedModelError, match=rf"net.onnx: node .*\(Quant\): .*{reason}"):
        canonicalise(model, "net.onnx")


@pytest.mark.parametrize("shape", [(4,), (1, 1, 6, 1, 1)])
def test_scales_that_do_not_fit_the_weights(new_net, shape):
    net = new_net()
    w = quant(net, net.random(6, 2, 3, 3), np.ones(shape), 0, 8)
    model = net.model(net.node("Conv", net.input(), w), shape=["N", 6, 4, 4])
    with pytest.raises(UnsupportedModelError, match="its scale does not fit its values"):
        canonicalise(model)


def test_computed_parameters(new_net):
    net = new_net()
    net.domains = [GENERAL]
    x = net.input(shape=("N", 5))
    scale = net.node("ReduceMax", x, keepdims=0)
    y = net.node("Quant", x, scale, net.const(0.0), net.const(4.0), domain=GENERAL)
    model = net.model(y, shape=["N", 5])
    with pytest.raises(UnsupportedModelError, match="is computed; export the network in QDQ"):
        canonicalise(model)


@pytest.mark.parametrize("op", ["Trunc", "FloatQuant"])
def test_operators_known_by_name_only(new_net, op):
    net = new_net()
    net.domains = [GENERAL]
    y = net.node(op, net.input(), net.const(1.0), domain=GENERAL, name="cut")
    with pytest.raises(UnsupportedModelError, match=rf"'cut' \({op}\): {op} is not supported"):
        canonicalise(net.model(y, shape=["N", 2, 6, 6]))


@pytest.mark.realdata
@pytest.mark.parametrize("name", ["qonnx_mnist_TFC_1W2A", "qonnx_mnist_TFC_2W2A"])
def test_trained_by_brevitas(data_folder, run_stock, name):
    model = onnx.load(data_folder / f"models/{name}.onnx")
    canonical = canonicalise(model)
    assert canonical.source.dialects == ("QONNX",)
    with np.load(data_folder / "mnist_test.npz") as archive:
        x = archive["images"][:40].astype(np.float32).reshape(-1, 1, 28, 28) / np.float32(255)
    constants = {t.name for t in model.graph.initializer}
    inputs = [i for i in model.graph.input if i.name not in constants]
    del model.graph.input[:]
    model.graph.input.extend(inputs)
    model.ir_version = 8
    model.opset_import.append(helper.make_opsetid(BREVITAS, 1))
    # The evaluator's BatchNormalization of opset 9 trains.
    lifted = version_converter.convert_version(model, 18)
    wanted = np.concatenate([reference(lifted, image[None])[0] for image in x])
    got = run_stock(canonical.to_model(), x)[0]
    # Nothing but the last affine operators rounds; one integer less would change 0.04.
    np.testing.assert_allclose(got, wanted, rtol=0, atol=1e-6)


@pytest.mark.realdata
def test_the_two_forms_of_one_network(data_folder, run_stock):
    name = "hls4ml_cifar10_rn08_w8a8pow2"
    qonnx, qdq = (onnx.load(data_folder / f"models/{name}_{k}.onnx") for k in ("qonnx", "qdq"))
    with np.load(data_folder / "cifar10_test_lossless.npz") as archive:
        x = np.moveaxis(archive["images"][:32], -1, 1).astype(np.float32) / np.float32(256)
    wanted = run_stock(qdq, x)[0]
    for keep in (True, False):
        got = run_stock(canonicalise(qonnx, keep_integers=keep).to_model(), x)[0]
        np.testing.assert_array_equal(got, wanted)
