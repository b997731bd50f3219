"""On integers all is exact: stock onnxruntime, the reference, and the step-by-step oracle."""

import dataclasses

import numpy as np
import onnx
import onnx.version_converter
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import onnx2snn
from onnx2snn_runtime import SpikingSession


def with_integers(plan, rng, amplitudes, model="if"):
    """The plan with random whole thresholds, potentials and so on, per channel or layer.

    Neurons that are no pool are of the given model.
    """
    neurons = []
    for site, neuron in zip(plan.sites, plan.neurons, strict=True):
        if site.is_pool:
            neurons.append(neuron)
            continue
        per_channel = (site.channels, *[1] * (site.rank - 2))

        def draw(low, high, shape=per_channel):
            shape = shape if rng.random() < 0.7 else (1,)
            return rng.integers(low, high, shape).astype(np.float32)

        neurons.append(
            dataclasses.replace(
                neuron,
                neuron=model,
                threshold=draw(1, 8),
                v_init=draw(-3, 9),
                amplitude=draw(1, 1 + amplitudes),
                leak=draw(-2, 3) if model == "lif" else None,
                reset="subtract" if model == "signed-if" else neuron.reset,
            )
        )
    return dataclasses.replace(plan, neurons=tuple(neurons))


@settings(max_examples=50)
@given(
    numbers=st.lists(st.integers(0, 999), max_size=4),
    shape=st.tuples(st.integers(1, 3), st.integers(3, 6), st.integers(3, 6)),
    timesteps=st.integers(1, 8),
    samples=st.integers(1, 3),
    avgpool=st.sampled_from(["spiking", "linear"]),
    reset=st.sampled_from(["subtract", "zero"]),
    amplitudes=st.sampled_from([1, 3]),
    neuron=st.sampled_from(["if", "lif", "signed-if"]),
    seed=st.integers(0, 999),
)
def test_spike_trains(
    random_network, oracle, synapses, tensors,
    numbers, shape, timesteps, samples, avgpool, reset, amplitudes, neuron, seed,
):  # fmt: skip
    model = random_network(numbers, shape, integer=True, avgpool=avgpool, seed=seed)
    rng = np.random.default_rng(seed)
    x = rng.integers(-3, 4, (samples, *shape)).astype(np.float32)
    plan = onnx2snn.convert(
        model, timesteps, threshold="max", calibration_data=x, avgpool=avgpool, reset=reset
    ).plan
    plan = with_integers(plan, rng, amplitudes, neuron)
    spiking = onnx2snn.convert(model, plan=plan).model

    stock = SpikingSession(spiking).trace(x)
    reference = SpikingSession(spiking, backend="reference").trace(x)
    wanted, mean = oracle(model, plan).run({"x": x}, timesteps)
    neurons = [s.name for s in plan.sites if s.kind != "max_pool"]
    assert list(stock.spikes) == list(reference.spikes) == neurons
    for name in neurons:
        np.testing.assert_array_equal(stock.spikes[name], reference.spikes[name])
        np.testing.assert_array_equal(stock.v_final[name], reference.v_final[name])
        np.testing.assert_array_equal(stock.spikes[name], wanted[name])
    pools = {n.name: n.output[0] for n in spiking.graph.node if n.op_type == "SpikeMaxPool"}
    assert set(pools) == set(wanted) - set(neurons)
    pooled = tensors(spiking, x, pools.values())
    for name, tensor in pools.items():
        np.testing.assert_array_equal(pooled[tensor].reshape(wanted[name].shape), wanted[name])
    (output,) = SpikingSession(spiking).run(x).values()
    np.testing.assert_allclose(output, mean, rtol=1e-5, atol=1e-4)

    arriving = {n.input[0] for n in synapses(spiking) if not n.name.startswith("gemm")}
    for values in tensors(spiking, x, arriving).values():
        assert set(np.unique(values)) <= ({-1, 0, 1} if neuron == "signed-if" else {0, 1})


def test_every_block_is_tried(random_network, blocks):
    """The numbers above reach every block, and every block makes a network that converts."""
    assert len(blocks) == 18
    plain = random_network([], (2, 5, 4), integer=True)
    for number, name in enumerate(blocks):
        model = random_network([number], (2, 5, 4), integer=True)
        assert len(model.graph.node) > len(plain.graph.node), name


@pytest.mark.parametrize("timesteps", [1, 5, 9])
def test_another_t_at_run_time_is_another_conversion(random_network, timesteps):
    model = random_network([0, 5, 8], (2, 5, 5), integer=True)
    x = np.random.default_rng(0).integers(-3, 4, (2, 2, 5, 5)).astype(np.float32)
    plan = onnx2snn.convert(model, 3, threshold="max", calibration_data=x).plan
    plan = with_integers(plan, np.random.default_rng(1), 3)
    at_run_time = SpikingSession(onnx2snn.convert(model, plan=plan).model).trace(x, timesteps)
    config = dataclasses.replace(plan.config, timesteps=timesteps)
    other = onnx2snn.convert(model, plan=dataclasses.replace(plan, config=config)).model
    own = SpikingSession(other).trace(x)
    assert own.spikes.keys() == at_run_time.spikes.keys()
    for name, train in own.spikes.items():
        assert train.shape[0] == timesteps
        np.testing.assert_array_equal(train, at_run_time.spikes[name])


@pytest.mark.parametrize("avgpool", ["spiking", "linear"])
def test_our_own_network_in_both_backends(pytestconfig, avgpool):
    """Float weights: the same spikes up to ties that rounding decides."""
    root = pytestconfig.rootpath
    model = onnx.load(root / "onnx2snn/demo_data/digits_cnn_int8.onnx")
    # The reference evaluator of the onnx package has DequantizeLinear from opset 19 on only.
    model = onnx.version_converter.convert_version(model, 19)
    spiking = onnx2snn.convert(model, 4, avgpool=avgpool).model
    x = np.random.default_rng(0).uniform(0, 1, (4, 1, 8, 8)).astype(np.float32)
    stock = SpikingSession(spiking).trace(x).spikes
    reference = SpikingSession(spiking, backend="reference").trace(x).spikes
    for name, train in stock.items():
        assert train.any(), name
        assert (train != reference[name]).mean() < 0.01, name
