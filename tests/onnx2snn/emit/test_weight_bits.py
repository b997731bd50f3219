"""Files with weights of few bits: their form, what they compute, and what calibration sees."""

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

import onnx2snn
from onnx2snn.emit import rounded_corrections
from onnx2snn.errors import ConfigError
from onnx2snn.frontend import canonicalise
from onnx2snn_runtime import SpikingSession

LAYERS = {"Conv", "ConvTranspose", "Gemm", "MatMul"}


@pytest.fixture
def network(new_net):
    """Convolutions of all kinds, a pool, a residual sum, a fully connected layer."""
    net = new_net()
    x = net.relu(net.conv(net.input(shape=("N", 2, 8, 8)), (4, 2, 3, 3), bias=True, pads=[1] * 4))
    y = net.relu(net.conv(x, (4, 1, 3, 3), bias=True, group=4, pads=[1] * 4))
    y = net.relu(net.node("Add", net.conv(y, (4, 4, 1, 1), bias=True), x))
    y = net.node("AveragePool", y, kernel_shape=[2, 2], strides=[2, 2])
    y = net.relu(net.conv(y, (4, 3, 2, 2), op="ConvTranspose", bias=True, strides=[2, 2]))
    y = net.node("Flatten", y)
    return net.model(net.gemm(y, (192, 5)))


@pytest.fixture
def images():
    return np.random.default_rng(1).uniform(-1, 1, (24, 2, 8, 8)).astype(np.float32)


def rounded(model):
    """Integers, scales and axis by layer."""
    constants = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    made = {n.output[0]: n for n in model.graph.node if n.op_type == "DequantizeLinear"}
    found = {}
    for node in model.graph.node:
        if node.op_type in LAYERS and node.input[1] in made:
            source = made[node.input[1]]
            found[node.name] = (
                *(constants[i] for i in source.input),
                onnx.helper.get_node_attr_value(source, "axis"),
            )
    return found


@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("avgpool", ["spiking", "linear"])
def test_form(network, images, bits, avgpool):
    model = onnx2snn.convert(
        network, 8, weight_bits=bits, avgpool=avgpool, calibration_data=images, threshold="mmse"
    ).model
    found = rounded(model)
    layers = [n.name for n in model.graph.node if n.op_type in LAYERS]
    assert set(found) == set(layers)
    assert len(layers) == (5 if avgpool == "spiking" else 6)
    for codes, scales, axis in found.values():
        assert codes.dtype == np.int8
        assert np.abs(codes.astype(int)).max() < 2 ** (bits - 1)
        assert scales.shape == (codes.shape[axis],)
        assert (scales > 0).all()
    floats = {t.name for t in model.graph.initializer if t.data_type == onnx.TensorProto.FLOAT}
    biases = [n.input[2] for n in model.graph.node if n.op_type in LAYERS and len(n.input) > 2]
    assert biases
    assert set(biases) <= floats


@pytest.mark.parametrize("backend", ["native", "stock", "reference"])
def test_computes_with_the_rounded_weights(network, images, backend):
    """The file equals one with the same numbers as float32 weights."""
    result = onnx2snn.convert(network, 6, weight_bits=5, calibration_data=images, threshold="mmse")
    plain = onnx.ModelProto()
    plain.CopyFrom(result.model)
    for node in list(plain.graph.node):
        if node.op_type == "DequantizeLinear":
            constants = {t.name: numpy_helper.to_array(t) for t in plain.graph.initializer}
            codes, scales = (constants[i] for i in node.input)
            shape = [1] * codes.ndim
            shape[onnx.helper.get_node_attr_value(node, "axis")] = -1
            values = codes.astype(np.float32) * scales.reshape(shape)
            plain.graph.initializer.append(numpy_helper.from_array(values, node.output[0]))
            plain.graph.node.remove(node)
    (got,) = SpikingSession(result.model, backend=backend).run(images).values()
    (wanted,) = SpikingSession(plain, backend=backend).run(images).values()
    assert np.isfinite(got).all()
    # Sums in another order may move single spikes.
    assert np.mean(np.abs(got - wanted) < 1e-4 * np.abs(wanted).max()) > 0.97


def test_integers_of_a_quantized_source_stay(new_net):
    """Thresholds for each layer scale all weights of the next by one number."""
    rng = np.random.default_rng(3)
    integers = rng.integers(-127, 128, (3, 2, 3, 3)).astype(np.int8)
    integers.reshape(3, -1)[:, :2] = (127, 126)
    net = new_net()
    scales = rng.uniform(0.002, 0.01, 3)
    quantized = net.const(integers, dtype=np.int8)
    first = net.relu(net.conv(net.input(shape=("N", 2, 6, 6)), (2, 2, 1, 1)))
    weights = net.node(
        "DequantizeLinear", quantized, net.const(scales), net.const([0] * 3, dtype=np.int8), axis=0
    )
    out = net.relu(net.node("Conv", first, weights, name="layer"))
    images = rng.uniform(-1, 1, (16, 2, 6, 6)).astype(np.float32)
    model = onnx2snn.convert(
        net.model(out), 8, threshold="max", granularity="layer", weight_bits=8,
        calibration_data=images,
    ).model  # fmt: skip
    codes, found, _ = rounded(model)["layer"]
    assert np.array_equal(codes, integers)
    ratio = found / scales
    assert np.allclose(ratio, ratio[0], rtol=1e-5)


def test_calibration_sees_rounded_weights(network, images):
    """Potentials fit the rounded weights; thresholds stay, for they are in the weights."""
    options = {"threshold": "mmse", "v_init": "calibrate", "bias": "calibrate", "avgpool": "linear"}
    plain = onnx2snn.convert(network, 8, calibration_data=images, **options).plan
    fine = onnx2snn.convert(network, 8, weight_bits=4, calibration_data=images, **options).plan
    pairs = list(zip(plain.neurons, fine.neurons, strict=True))
    assert all(np.array_equal(a.threshold, b.threshold) for a, b in pairs)
    assert any(not np.array_equal(a.v_init, b.v_init) for a, b in pairs)


def test_corrections_say_what_the_file_computes(network, images):
    """In the network's own units, behind amplitudes of any channel."""
    result = onnx2snn.convert(
        network, 8, weight_bits=4, calibration_data=images, threshold="percentile",
        avgpool="linear",
    )  # fmt: skip
    canonical = canonicalise(network)
    corrections = rounded_corrections(canonical, result.plan)
    own = {n.name: n.inputs[1].values for n in canonical.graph.nodes if n.op in LAYERS}
    assert set(corrections) == set(own)
    for name, correction in corrections.items():
        assert correction.weight.shape == own[name].shape
        lost = np.square(correction.weight - own[name]).sum() / np.square(own[name]).sum()
        assert 0 < lost < 0.1
    # The first layer has no amplitudes in front of it: its weights are the file's own.
    codes, scales, _ = next(iter(rounded(result.model).values()))
    first = next(iter(corrections.values())).weight
    assert np.allclose(first, codes * scales.reshape(-1, 1, 1, 1), rtol=1e-6, atol=1e-9)


def test_expanded_inputs(network, images):
    """An encoder that widens the first layer repeats its weights."""
    result = onnx2snn.convert(
        network, 4, weight_bits=6, encoding="ice", calibration_data=images, v_init="calibrate"
    )
    (got,) = SpikingSession(result.model).run(images[:4]).values()
    assert np.isfinite(got).all()


def test_plan_and_provenance(network, images):
    result = onnx2snn.convert(network, 8, weight_bits=6, calibration_data=images, threshold="mmse")
    told = {p.key: p.value for p in result.model.metadata_props}
    assert '"weight_bits": 6' in told["org.onnx2snn.config"]
    again = onnx2snn.convert(network, plan=type(result.plan).from_json(result.plan.to_json()))
    assert rounded(again.model).keys() == rounded(result.model).keys()
    assert "WEIGHTS_ROUNDED" in {d.code for d in result.diagnostics}


@pytest.mark.parametrize("bits", [1, 3, 9, 4.5])
def test_bits_out_of_range(network, bits):
    with pytest.raises(ConfigError, match="weight_bits must be a whole number of at least 4"):
        onnx2snn.convert(network, 8, weight_bits=bits)


def test_exact_recipes_keep_their_integers(network):
    with pytest.raises(ConfigError, match="recipe exact takes no weight_bits") as caught:
        onnx2snn.convert(network, 8, recipe="exact", weight_bits=8)
    assert "stay the integers" in caught.value.remedy
