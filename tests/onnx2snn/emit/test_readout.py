"""Readouts: what their answers are, step by step."""

import numpy as np
import onnx
import pytest

import onnx2snn
from onnx2snn.emit.readout import READOUTS, default_delay
from onnx2snn.errors import ConfigError, PlanError
from onnx2snn.plan import ConversionPlan
from onnx2snn_runtime import SpikingSession

T = 6


@pytest.fixture
def images():
    return np.random.default_rng(1).uniform(-1, 1, (12, 2, 6, 6)).astype(np.float32)


@pytest.fixture
def network(new_net):
    def make(*, softmax=False, island=False):
        net = new_net()
        y = net.relu(net.conv(net.input(), (3, 2, 3, 3), bias=True))
        if island:
            y = net.relu(net.conv(net.node("Sigmoid", y), (3, 3, 1, 1), bias=True))
        y = net.gemm(net.node("Flatten", y), (48, 4), name="last")
        return net.model(net.node("Softmax", y, axis=1) if softmax else y)

    return make


def convert(model, images, **options):
    options = {"threshold": "mmse", **options}
    return onnx2snn.convert(model, T, calibration_data=images, **options)


def readouts(model):
    """The delays of all readouts."""
    return [
        onnx.helper.get_node_attr_value(n, "delay")
        for n in model.graph.node
        if n.op_type == "SpikeDecode"
    ]


def answer(model, images, **options):
    (values,) = SpikingSession(model, **options).run(images).values()
    return values


@pytest.mark.parametrize("readout", list(READOUTS), ids=READOUTS.names())
def test_describes_itself(readout):
    assert READOUTS.get(readout.name) is readout
    assert readout.summary
    assert not readout.summary.endswith(".")


@pytest.mark.parametrize("backend", ["native", "stock", "reference"])
@pytest.mark.parametrize("delay", [0, 1, 3, 5])
def test_delayed_is_the_mean_of_the_later_steps(network, images, backend, delay):
    model = network()
    plain = SpikingSession(convert(model, images).model, backend=backend)
    every = plain.observe(images).outputs["last_out"]
    late = convert(model, images, readout="delayed", readout_delay=delay).model
    before = delay * every[delay - 1] if delay else 0
    wanted = (T * every[-1] - before) / (T - delay)
    assert np.allclose(answer(late, images, backend=backend), wanted, atol=1e-5)


def test_delayed_after_every_step(network, images):
    """The answers of a run are those at every smaller T; while steps are left out, the newest's."""
    late = convert(network(), images, readout="delayed", readout_delay=2, threshold="percentile")
    session = SpikingSession(late.model)
    assert not session.timesteps_fixed
    every = session.observe(images).outputs["last_out"]
    for t in range(1, T + 1):
        (shorter,) = session.run(images, t).values()
        assert np.allclose(shorter, every[t - 1], atol=1e-6)
    assert np.allclose(answer(late.model, images), every[-1], atol=1e-6)


def test_delay_by_default(network, images):
    assert [default_delay(t) for t in (1, 2, 3, 8)] == [0, 1, 1, 4]
    result = convert(network(), images, readout="delayed")
    assert result.plan.config.readout_delay == 3
    assert readouts(result.model) == [3]
    assert readouts(convert(network(), images).model) == [0]


def test_islands_wait_for_the_whole_window(network, images):
    model = convert(network(island=True), images, readout="delayed", readout_delay=2).model
    assert sorted(readouts(model)) == [0, 2]


@pytest.mark.parametrize("neuron", ["if", "signed-if", "asg"])
def test_count(network, images, neuron):
    result = convert(network(), images, readout="count", neuron=neuron)
    site, plan = result.plan.sites[-1], result.plan.neurons[-1]
    assert (site.name, site.kind) == ("last.readout", "readout")
    low, high = result.plan.config.output_range
    assert plan.threshold.tolist() == [pytest.approx(high - low)]
    session = SpikingSession(result.model)
    spikes = session.trace(images, populations=["last.readout"]).spikes["last.readout"]
    wanted = low + (high - low) * spikes.sum(axis=0) / T
    assert np.allclose(answer(result.model, images), wanted, atol=1e-5)
    assert spikes.any()


def test_counts_approach_the_answers(network, images):
    """In a long window, but for what lies below the range."""
    model = network()
    counted = onnx2snn.convert(
        model, 400, calibration_data=images, threshold="max", readout="count"
    )  # fmt: skip
    source = onnx2snn.convert(model, 400, calibration_data=images, threshold="max")
    low, high = counted.plan.config.output_range
    (got,) = SpikingSession(counted.model).run(images).values()
    (wanted,) = SpikingSession(source.model).run(images).values()
    assert np.abs(got - np.clip(wanted, low, high)).max() < 0.03 * (high - low)
    assert (got.argmax(1) == wanted.argmax(1)).mean() > 0.9


def test_functions_behind_the_count_stay(network, images):
    result = convert(network(softmax=True), images, readout="count")
    values = answer(result.model, images)
    assert np.allclose(values.sum(axis=1), 1, atol=1e-5)
    assert result.plan.sites[-1].name == "last.readout"


@pytest.mark.parametrize("options", [{}, {"recipe": "regression", "threshold": None}])
def test_one_threshold_for_all_counts(network, images, options):
    """Counts compare: no stage gives outputs thresholds of their own."""
    plan = convert(network(), images, readout="count", **options).plan
    assert plan.neurons[-1].threshold.size == 1
    assert plan.neurons[-1].amplitude.size == 1


def test_a_plan_counts_again(network, images):
    first = convert(network(), images, readout="count")
    plan = ConversionPlan.from_json(first.plan.to_json())
    again = onnx2snn.convert(network(), plan=plan)
    assert np.array_equal(answer(again.model, images), answer(first.model, images))


def test_a_plan_without_a_range(network, images):
    text = convert(network(), images, readout="count").plan.to_json()
    low, high = ConversionPlan.from_json(text).config.output_range
    broken = ConversionPlan.from_json(
        text.replace(f'"output_range": [\n   {low},\n   {high}\n  ]', '"output_range": null')
    )
    assert broken.config.output_range is None
    with pytest.raises(PlanError, match="counts spikes without an output_range"):
        onnx2snn.convert(network(), plan=broken)


def test_a_given_range(network, images):
    result = convert(network(), images, readout="count", output_range=(-1.0, 2.0))
    assert result.plan.neurons[-1].threshold.tolist() == [3.0]
    values = answer(result.model, images)
    assert values.min() >= -1
    assert values.max() <= 2


def test_made_up_ranges_are_told(network):
    result = onnx2snn.convert(network(), T, readout="count", threshold="max")
    assert "SYNTHETIC_OUTPUT_RANGE" in {d.code for d in result.diagnostics}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"readout_delay": 2}, "readout 'mean' leaves no steps out"),
        ({"readout": "count", "readout_delay": 2}, "readout 'count' leaves no steps out"),
        ({"readout": "delayed", "readout_delay": T}, "leaves nothing of 6 steps"),
        ({"readout": "delayed", "readout_delay": -1}, "readout_delay must be a whole number"),
        ({"readout": "loud"}, "readout 'loud'"),
        ({"output_range": (0.0, 1.0)}, "readout 'mean' counts no spikes"),
        ({"readout": "count", "output_range": (1.0, 0.0)}, "output_range must be a smaller"),
    ],
)
def test_refused(network, images, options, message):
    with pytest.raises(onnx2snn.Onnx2SnnError, match=message) as caught:
        convert(network(), images, **options)
    assert isinstance(caught.value, ConfigError) or "loud" in message


def test_exact_recipes_have_readouts_of_their_own(network):
    with pytest.raises(ConfigError, match="recipe exact takes no readout"):
        onnx2snn.convert(network(), T, recipe="exact", readout="count")
