"""What every neuron model for activations keeps; a new file is covered at once."""

import numpy as np
import onnx
import pytest

import onnx2snn
from onnx2snn.emit.neuron import NEURONS, POOL_NEURONS
from onnx2snn.errors import PlanError
from onnx2snn_runtime import SpikingSession
from onnx2snn_runtime.opspec import DOMAIN, OPS

MODELS = sorted(set(NEURONS.names()) - POOL_NEURONS)
#: What a model needs beside threshold, potential and amplitude, such that it rounds as "if" does.
NEEDS = {"lif": {"leak": np.zeros(1, np.float32)}}


@pytest.fixture(params=MODELS)
def model(request):
    return request.param


def test_models_are_found():
    assert MODELS == ["asg", "if", "lif", "signed-if"]
    assert set(NEURONS.names()) >= POOL_NEURONS


def test_the_file(converted, model):
    network = converted(model, **NEEDS.get(model, {}))
    spiking = network.spiking
    onnx.checker.check_model(spiking, full_check=True)
    onnx.shape_inference.infer_shapes(spiking, strict_mode=True, data_prop=True, check_type=True)
    node = network.node()
    spec = OPS.get(node.op_type)
    assert node.domain == DOMAIN
    assert spec.is_population
    assert len(node.input) == len(spec.inputs)
    assert {a.name for a in node.attribute} == {a.name for a in spec.attributes}
    states = [p.name for p in (*spec.inputs, *spec.outputs) if p.name.endswith(("_init", "_final"))]
    assert {f"first.{name}" for name in states} <= {*node.input, *node.output}
    assert node.doc_string.startswith("Replaces first (relu). Threshold 3 to 5.")
    assert SpikingSession(spiking).populations == ("first", "second")


def test_both_backends(converted, model):
    network = converted(model, **NEEDS.get(model, {}))
    stock = network.trace
    reference = SpikingSession(network.spiking, backend="reference").trace(network.x)
    for name, train in stock.spikes.items():
        assert train.any()
        np.testing.assert_array_equal(train, reference.spikes[name])


def test_layers_behind_receive_unit_spikes(converted, model):
    """The amplitude has gone into the weights."""
    amplitude = np.array([2.0, 3.0, 5.0], np.float32)
    network = converted(model, amplitude=amplitude, **NEEDS.get(model, {}))
    assert network.node("layer").input[0] == network.node().output[0]
    assert not [d for d in network.result.diagnostics if d.code == "VALUES_NOT_SPIKES"]


def test_rates_converge_to_the_activations(converted, model, run_stock):
    """Also where the activation's lower bound is not zero."""
    for lower in (None, -3.0):
        network = converted(
            model,
            lower=lower,
            threshold=np.full(3, 256, np.float32),
            v_init=np.full(3, 128, np.float32),
            amplitude=np.full(3, 256, np.float32),
            **NEEDS.get(model, {}),
        )
        session = SpikingSession(network.spiking)
        (want,) = run_stock(network.model, network.x)
        errors = []
        for steps in (8, 2048):
            (got,) = session.run(network.x, steps).values()
            errors.append(np.abs(got - want).max())
        assert errors[1] < min(1, errors[0] / 8)
        codes = {d.code for d in network.result.diagnostics}
        assert ("OFFSET_KEPT" in codes) == (lower is not None)


@pytest.mark.parametrize("name", ["threshold", "v_init", "amplitude", "leak"])
def test_numbers_that_are_none(converted, model, name):
    network = converted(model, **NEEDS.get(model, {}) | {name: np.array([np.nan], np.float32)})
    with pytest.raises(PlanError, match=f"'first'.*{name} must be finite"):
        network.result  # noqa: B018


@pytest.mark.parametrize("pool", sorted(POOL_NEURONS))
def test_an_activation_is_no_pool(converted, pool):
    network = converted(pool)
    with pytest.raises(PlanError, match=f"neuron '{pool}' does not fit a relu"):
        network.result  # noqa: B018


def test_an_unknown_model(converted):
    network = converted("izhikevich")
    with pytest.raises(PlanError, match="neuron 'izhikevich' does not fit a relu"):
        network.result  # noqa: B018


def test_a_pool_keeps_its_own_model(new_net):
    net = new_net()
    y = net.node("AveragePool", net.relu(net.input()), kernel_shape=[2, 2], name="pool")
    model = net.model(y)
    x = net.rng.normal(size=(2, 2, 6, 6)).astype(np.float32)
    text = onnx2snn.convert(model, 4, threshold="max", calibration_data=x).plan.to_json()
    assert '"average_pool"' in text
    plan = onnx2snn.ConversionPlan.from_json(
        text.replace('"neuron": "average_pool"', '"neuron": "asg"')
    )
    with pytest.raises(PlanError, match="neuron 'asg' does not fit a average_pool"):
        onnx2snn.convert(model, plan=plan)
