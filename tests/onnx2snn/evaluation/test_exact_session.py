"""What the populations of an exact network say."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from onnx2snn.errors import ModelFileError, TimestepsError
from onnx2snn.evaluation import ExactSession
from onnx2snn.evaluation.exact_session import FIRST_STEPS, GROWTH
from onnx2snn_runtime import DOMAIN, SpikingSession
from onnx2snn_runtime.opspec import functions_for


@pytest.fixture
def feeds(samples):
    return next(samples(5).batches(5))


@pytest.mark.parametrize("recipe", ["exact", "exact-asg", "exact-radix"])
def test_what_is_said(recipe, exact_model, feeds):
    """Trains are read as their emission says; tracers hold the same; a trace shows the trains."""
    model = exact_model(recipe)
    session = ExactSession(model)
    spoken = session.run(feeds)
    plain = SpikingSession(model)
    trace = plain.trace(feeds, spoken.steps)
    assert session.populations == plain.populations
    assert session.timesteps == plain.timesteps
    assert session.emission == {"exact": "unary", "exact-asg": "averaged"}.get(recipe, "radix")
    powers = 2 ** np.arange(spoken.steps)[::-1] if recipe == "exact-radix" else 1
    for name in session.populations:
        train = trace.spikes[name].astype(np.int64)
        weights = np.broadcast_to(powers, spoken.steps)
        np.testing.assert_array_equal(spoken.trains[name], np.tensordot(weights, train, 1))
        np.testing.assert_array_equal(spoken.tracers[name], spoken.trains[name])
        firing = np.nonzero(train.any(axis=tuple(range(1, train.ndim))))[0]
        assert spoken.settled[name] == (firing[-1] + 1 if firing.size else 0)
    for name, values in plain.run(feeds, spoken.steps).items():
        np.testing.assert_array_equal(spoken.outputs[name], values)


def test_stops_at_rest(exact_model, feeds):
    """What is said at rest is what is said at any later T."""
    session = ExactSession(exact_model("exact"))
    early = session.run(feeds)
    assert max(early.settled.values()) < early.steps < session.timesteps
    assert early.steps in {FIRST_STEPS * GROWTH**k for k in range(3)}
    late = ExactSession(exact_model("exact", timesteps=300)).run(feeds, 300)
    for name, tracer in early.tracers.items():
        np.testing.assert_array_equal(tracer, late.tracers[name])


def test_still_moving(exact_model, feeds):
    spoken = ExactSession(exact_model("exact")).run(feeds, 3)
    assert spoken.steps == 3
    assert max(spoken.settled.values()) == 3


def test_a_fixed_number_of_steps(exact_model, feeds):
    with pytest.raises(TimestepsError):
        ExactSession(exact_model("exact-radix")).run(feeds, 9)


def test_what_the_file_says(exact_model):
    rational, mirrored = (ExactSession(exact_model("exact-radix", a)) for a in ("rational", "ort"))
    assert (rational.arithmetic, mirrored.arithmetic) == ("rational", "ort")
    assert rational.source_digest == mirrored.source_digest
    assert rational.source_digest
    bare = exact_model("exact-radix", "ort")
    del bare.metadata_props[:]
    silent = ExactSession(bare)
    assert (silent.arithmetic, silent.source_digest) == ("rational", None)


def test_nothing_exact(source, exact_model):
    with pytest.raises(ModelFileError) as error:
        ExactSession(source)
    assert "--recipe exact" in str(error.value)


def test_without_a_readout_of_its_own(feeds):
    """A file whose output is a population's tracer has no function for the readout."""
    spikes = "spikes"
    neuron = helper.make_node(
        "StaircaseFire",
        ["current", "tau", "s_min", "zero", "zero", "timesteps"],
        [spikes, "acc", "tracer"],
        name="pop",
        domain=DOMAIN,
        emission="unary",
    )
    encode = helper.make_node(
        "CodeEncode", ["x", "none", "timesteps"], ["current", "t"], domain=DOMAIN, emission="once"
    )
    constants = {
        "tau": np.array([[-1, 0, 2, 5]]),
        "s_min": np.array([-2]),
        "zero": np.zeros(1, np.int64),
        "none": np.zeros((), np.int64),
        "timesteps": np.array(10),
    }
    graph = helper.make_graph(
        [encode, neuron],
        "bare",
        [helper.make_tensor_value_info("x", TensorProto.INT64, ["N", 2])],
        [helper.make_tensor_value_info("tracer", TensorProto.INT64, ["N", 2])],
        [numpy_helper.from_array(v, k) for k, v in constants.items()],
    )
    imports = [helper.make_opsetid("", 18), helper.make_opsetid(DOMAIN, 1)]
    model = helper.make_model(graph, opset_imports=imports, ir_version=8)
    model.functions.extend(functions_for(["CodeEncode", "StaircaseFire"], 18))
    onnx.checker.check_model(model)
    spoken = ExactSession(model).run({"x": np.array([[-9, 0], [3, 7]])})
    assert spoken.trains["pop"].tolist() == [[-2, 0], [1, 2]]
    assert spoken.outputs["tracer"].tolist() == [[-2, 0], [1, 2]]
    assert spoken.settled == {"pop": 2}
