"""What every encoding keeps; a new file is covered at once."""

import numpy as np
import onnx
import pytest

import onnx2snn
from onnx2snn.emit.encoding import ENCODINGS, SPIKE_CODES
from onnx2snn.errors import ConfigError, PlanError, RegistryError, UnsupportedModelError
from onnx2snn.plan import ConversionPlan
from onnx2snn_runtime import SpikingSession

NAMES = ["direct", "ice", "isi", "poisson", "rate"]
SPIKES = NAMES[1:]
T = 6


@pytest.fixture(params=SPIKES)
def encoding(request):
    return request.param


def images(seed=0, n=4, shape=(2, 5, 5)):
    """Values in [−2, 3], some of them at the ends."""
    x = np.random.default_rng(seed).uniform(-2, 3, (n, *shape)).astype(np.float32)
    x[0, 0, 0, :2] = -2, 3
    return x


def small(net, **attributes):
    """A padded convolution that reads the input, and a second layer."""
    x = net.conv(net.input(shape=("N", 2, 5, 5)), (3, 2, 3, 3), bias=True, name="first",
                 pads=[1] * 4, **attributes)  # fmt: skip
    x = net.relu(x, name="a")
    return net.model(net.conv(x, (2, 3, 5, 5), bias=True, name="last"))


def by_data(model, x, encoding, timesteps=T, **options):
    return onnx2snn.convert(
        model, timesteps, encoding=encoding, threshold="max", calibration_data=x, **options
    )


def coded(x, encoding, timesteps):
    """The value that each input's spikes stand for, in the range [−2, 3]."""
    share = (x.astype(np.float64) + 2) / 5
    if encoding == "rate":
        return np.rint(share * timesteps) / timesteps * 5 - 2
    if encoding == "isi":
        return np.sign(x) * np.floor(np.abs(x) / 3 * timesteps) / timesteps * 3
    levels = (timesteps, timesteps + 1, timesteps - 1)
    counts = [np.minimum(np.rint(share * n), timesteps) for n in levels]
    live = counts[: 2 if timesteps == 1 else 3]
    return np.mean(live, axis=0) / timesteps * 5 - 2


def mean_over_time(values, timesteps):
    return values.reshape(timesteps, -1, *values.shape[1:]).mean(axis=0)


def test_encodings_are_found():
    assert sorted(ENCODINGS.names()) == NAMES
    assert [e.name for e in ENCODINGS if not e.is_spikes] == ["direct"]


@pytest.mark.parametrize("timesteps", [1, T])
@pytest.mark.parametrize("code", ["ice", "isi", "rate"])
def test_the_first_layer_sees_the_coded_values(new_net, run_stock, tensors, code, timesteps):
    """Amplitude, offset and bias are where they belong, at the padded border too."""
    net, x = new_net(), images()
    model = small(net)
    shown = onnx.ModelProto()
    shown.CopyFrom(model)
    shown.graph.output.append(onnx.helper.make_tensor_value_info("first_out", 1, None))
    _, wanted = run_stock(shown, coded(x, code, timesteps).astype(np.float32))
    spiking = by_data(model, x, code, timesteps).model
    current = next(n.input[0] for n in spiking.graph.node if n.name == "a")
    got = tensors(spiking, x, [current])[current]
    np.testing.assert_allclose(mean_over_time(got, timesteps), wanted, atol=2e-5)


def test_the_first_layer_receives_unit_spikes(new_net, encoding, tensors):
    result = by_data(small(new_net()), images(), encoding)
    assert "VALUES_NOT_SPIKES" not in {d.code for d in result.diagnostics}
    (encoder,) = [n for n in result.model.graph.node if n.op_type in SPIKE_CODES]
    assert "DirectEncode" not in {n.op_type for n in result.model.graph.node}
    first = next(n for n in result.model.graph.node if n.name == "first")
    assert first.input[0] == encoder.output[0]
    assert encoder.doc_string
    spikes = tensors(result.model, images(), [encoder.output[0]])[encoder.output[0]]
    assert set(np.unique(spikes)) <= {-1.0, 0.0, 1.0}


def test_both_backends(new_net, encoding):
    x = images()
    spiking = by_data(small(new_net()), x, encoding).model
    onnx.checker.check_model(spiking, full_check=True)
    outputs = [
        next(iter(SpikingSession(spiking, backend=b).run(x).values()))
        for b in ("stock", "reference")
    ]
    np.testing.assert_allclose(*outputs, atol=1e-5)


@pytest.mark.parametrize("code", ["ice", "isi", "rate"])
def test_it_converges(new_net, run_stock, code):
    model, x = small(new_net()), images()
    (wanted,) = run_stock(model, x)
    spiking = by_data(model, x, code, 512).model
    got = SpikingSession(spiking).run(x)["last_out"]
    assert np.abs(got - wanted).max() < 0.03 * np.abs(wanted).max()


def test_normalisation_in_the_file_stays_in_front(new_net, encoding):
    """Each channel then has a range of its own, and none of it is wasted."""
    net = new_net()
    mean, std = net.const(np.array([[[1.0]], [[2.0]]])), net.const(np.array([[[2.0]], [[0.5]]]))
    x = net.node("Div", net.node("Sub", net.input(shape=("N", 2, 5, 5)), mean), std)
    x = net.relu(net.conv(x, (3, 2, 3, 3), pads=[1] * 4, name="first"), name="a")
    model = net.model(net.conv(x, (2, 3, 1, 1)))
    result = by_data(model, images(), encoding)
    constants = {t.name: onnx.numpy_helper.to_array(t) for t in result.model.graph.initializer}
    (encoder,) = [n for n in result.model.graph.node if n.op_type in SPIKE_CODES]
    if encoding == "isi":
        np.testing.assert_allclose(constants[encoder.input[1]].reshape(-1), [1.5, 8])
    elif encoding != "poisson":
        np.testing.assert_allclose(constants[encoder.input[1]].reshape(-1), [-1.5, -8])
        np.testing.assert_allclose(constants[encoder.input[2]].reshape(-1), [1, 2])
    assert "x" not in encoder.input


def test_a_skip_from_the_input(new_net, run_stock):
    """One encoder for both readers; the sum is in time."""
    net = new_net()
    x = net.input(shape=("N", 2, 5, 5))
    y = net.relu(net.conv(x, (2, 2, 3, 3), pads=[1] * 4, name="first"), name="a")
    y = net.node("Add", net.conv(y, (2, 2, 1, 1)), x, name="sum")
    model = net.model(net.conv(net.relu(y, name="b"), (2, 2, 1, 1)))
    x = images()
    (wanted,) = run_stock(model, x)
    result = by_data(model, x, "rate", 512)
    assert sum(n.op_type == "RateEncode" for n in result.model.graph.node) == 1
    assert "OFFSET_KEPT" in {d.code for d in result.diagnostics}
    got = next(iter(SpikingSession(result.model).run(x).values()))
    assert np.abs(got - wanted).max() < 0.03 * np.abs(wanted).max()


def test_neurons_that_read_the_input(new_net, run_stock):
    net = new_net()
    model = net.model(net.conv(net.relu(net.input(shape=("N", 2, 5, 5)), name="a"), (2, 2, 1, 1)))
    x = images()
    (wanted,) = run_stock(model, x)
    got = next(iter(SpikingSession(by_data(model, x, "rate", 512).model).run(x).values()))
    assert np.abs(got - wanted).max() < 0.03 * np.abs(wanted).max()


def test_what_spikes_cannot_pass_is_named(new_net, encoding):
    net = new_net()
    x = net.node("Sigmoid", net.input(shape=("N", 2, 5, 5)), name="squash")
    model = net.model(net.relu(net.conv(x, (3, 2, 3, 3))))
    with pytest.raises(UnsupportedModelError) as raised:
        by_data(model, images(), encoding)
    assert raised.value.node == "'squash' (Sigmoid)"
    assert raised.value.remedy == "convert with --encoding direct"


def test_what_no_neuron_reads_stays_analog(new_net, run_stock):
    net = new_net()
    x = net.input(shape=("N", 2, 5, 5))
    aside = net.node("Sigmoid", x, name="aside")
    model = net.model(net.relu(net.conv(x, (3, 2, 3, 3)), name="a"), aside)
    spiking = by_data(model, images(), "rate").model
    x = images()
    got = SpikingSession(spiking).run(x)["aside_out"]
    np.testing.assert_allclose(got, run_stock(model, x)[1], rtol=1e-5)


def test_the_plan_says_it_all(new_net, encoding):
    model = small(new_net())
    result = by_data(model, images(), encoding)
    assert result.plan.config.input_range == pytest.approx((-2, 3))
    plan = ConversionPlan.from_json(result.plan.to_json())
    assert onnx2snn.convert(model, plan=plan).model == result.model


def test_a_plan_without_a_range(new_net):
    model = small(new_net())
    text = by_data(model, images(), "direct").plan.to_json()
    plan = ConversionPlan.from_json(text.replace('"encoding": "direct"', '"encoding": "rate"'))
    with pytest.raises(PlanError, match="input_range"):
        onnx2snn.convert(model, plan=plan)


def test_an_assumed_range_is_told(new_net, encoding):
    result = onnx2snn.convert(small(new_net()), T, encoding=encoding)
    (told,) = [d for d in result.diagnostics if d.code == "INPUT_RANGE_ASSUMED"]
    assert told.severity == "warning"
    assert "[0, 1]" in told.what


def test_unknown_names_are_refused(new_net):
    with pytest.raises(RegistryError, match="unknown encoding 'morse'"):
        onnx2snn.convert(small(new_net()), T, encoding="morse")


def test_exact_recipes_have_their_own(new_net):
    with pytest.raises(ConfigError, match="takes no encoding"):
        onnx2snn.convert(small(new_net()), T, recipe="exact", encoding="rate")
