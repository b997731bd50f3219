"""Verification finds what is equal equal, and every tampering where it was done."""

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from onnx2snn.errors import ConfigError, ModelFileError
from onnx2snn.evaluation import ExactSession, verify
from onnx2snn.evaluation.verify import BATCH, OUTPUT_TOLERANCE

RECIPES = ["exact", "exact-asg", "exact-radix"]
TAMPERED = "right"


def node_of(model, name):
    return next(n for n in model.graph.node if n.name == name)


def change(model, tensor, values):
    """Replace an initializer by another of a new name, for one node may share it with others."""
    model.graph.initializer.append(numpy_helper.from_array(values, f"{tensor}.changed"))
    return f"{tensor}.changed"


def constant_of(model, name):
    return next(numpy_helper.to_array(t) for t in model.graph.initializer if t.name == name)


@pytest.mark.parametrize("arithmetic", ["rational", "ort"])
@pytest.mark.parametrize("recipe", RECIPES)
def test_equal(recipe, arithmetic, source, exact_model, samples):
    calls = []
    result = verify(
        ExactSession(exact_model(recipe, arithmetic)),
        source,
        samples(6),
        progress=lambda *call: calls.append(call),
    )
    assert result.equal
    assert (result.mismatches, result.miscounted, result.first) == (0, 0, None)
    assert (result.against, result.samples) == (arithmetic, 6)
    assert result.populations
    assert all(p.compared == 6 * p.neurons > 0 for p in result.populations)
    assert all(bool(p.kernel) is (arithmetic == "ort") for p in result.populations)
    assert "in" in result.without_population
    assert result.same_class == 1.0
    assert calls == [("verify", 6, 6)]
    if recipe == "exact":
        assert 20 < result.settled < result.simulated < result.timesteps
        assert result.settled == max(p.settled for p in result.populations)


def test_a_changed_threshold(source, exact_model, samples):
    """One level of one channel begins one accumulator earlier."""
    model = exact_model("exact-radix")
    node = node_of(model, TAMPERED)
    tau = constant_of(model, node.input[1]).copy()
    row = 2 if len(tau) > 2 else 0
    tau[row] -= max(1, int(np.diff(tau[row]).min()))
    node.input[1] = change(model, node.input[1], tau)
    result = verify(ExactSession(model), source, samples(6))
    assert not result.equal
    assert result.first.population == TAMPERED
    assert result.first.index[1] == 2
    assert result.first.spiking == result.first.source + 1
    wrong = {p.name for p in result.populations if p.mismatches}
    assert TAMPERED in wrong
    assert "left" not in wrong
    steps, distance = result.first.steps, result.first.distance
    assert abs(round(steps) - result.first.source) <= 1
    assert distance == pytest.approx(abs(steps - np.floor(steps) - 0.5))


def test_the_first_difference_is_the_first_one(source, exact_model, samples):
    """Its index counts over the whole data set, batch by batch."""
    model = exact_model("exact-radix")
    (feeds,) = samples(100).batches(100)
    reached = ExactSession(model).run(feeds).tracers[TAMPERED][:, 1].max(axis=(1, 2))
    later = int(reached[: BATCH + 3].max()) + 1
    assert reached.max() >= later
    node = node_of(model, TAMPERED)
    tau = constant_of(model, node.input[1]).copy()
    (lowest,) = constant_of(model, node.input[2]).tolist()
    tau[1, later - lowest - 1 :] = np.iinfo(np.int64).max
    node.input[1] = change(model, node.input[1], tau)
    session = ExactSession(model)
    whole = verify(session, source, samples(100))
    at = whole.first.index[0]
    assert at == np.nonzero(reached >= later)[0][0] > BATCH
    assert verify(session, source, samples(at)).equal
    assert verify(session, source, samples(at + 1)).first == whole.first


def test_a_train_that_is_not_its_tracer(source, exact_model, samples):
    """A tracer that starts at 1 ends at the right integer, by a train that is one short."""
    model = exact_model("exact")
    node = node_of(model, TAMPERED)
    node.input[4] = change(model, node.input[4], np.ones(1, np.int64))
    result = verify(ExactSession(model), source, samples(3))
    assert not result.equal
    broken = {p.name: p for p in result.populations}[TAMPERED]
    assert (broken.mismatches, broken.miscounted) == (0, broken.compared)


def test_a_wrong_readout(source, exact_model, samples):
    """All integers are right and the output is not."""
    model = exact_model("exact-radix")
    (output,) = model.graph.output
    maker = next(n for n in model.graph.node if output.name in n.output)
    maker.output[0] = "inner"
    scale = numpy_helper.from_array(np.float32(1 + 2 * OUTPUT_TOLERANCE), "twist")
    model.graph.initializer.append(scale)
    model.graph.node.append(onnx.helper.make_node("Mul", ["inner", "twist"], [output.name]))
    result = verify(ExactSession(model), source, samples(3))
    assert result.mismatches == 0
    assert not result.equal
    assert result.output_difference == pytest.approx(2 * OUTPUT_TOLERANCE, rel=1e-3)


def test_too_few_steps(source, exact_model, samples):
    result = verify(ExactSession(exact_model("exact")), source, samples(2), timesteps=10)
    assert not result.equal
    assert result.settled == result.simulated == result.timesteps == 10


def test_against_the_other_arithmetic(source, exact_model, samples):
    """Short decimal scales and means of four have ties that kernels round their own way."""
    session = ExactSession(exact_model("exact-radix"))
    result = verify(session, source, samples(6), against="ort")
    assert not result.equal
    assert result.first.distance < 1e-4
    assert {p.name for p in result.populations if p.mismatches} >= {"pool"}
    assert {p.name: p.kernel for p in result.populations}["left"] == "QLinearConv"
    with pytest.raises(ConfigError):
        verify(session, source, samples(2), against="float32")


def test_another_source(source, exact_model, samples):
    model = exact_model("exact-radix")
    other = onnx.ModelProto()
    other.CopyFrom(source)
    other.doc_string = "another one"
    with pytest.raises(ModelFileError) as error:
        verify(ExactSession(model), other, samples(2), source_name="other.onnx")
    assert "other.onnx" in str(error.value)
    del model.metadata_props[:]  # it no longer says what it was made of
    assert verify(ExactSession(model), other, samples(2)).equal
    node_of(model, TAMPERED).name = "renamed"
    with pytest.raises(ModelFileError) as error:
        verify(ExactSession(model), other, samples(2))
    assert "renamed" in str(error.value)


def test_swapped_populations(source, exact_model, samples):
    """Integers of differing shapes are never held against each other."""
    model = exact_model("exact-radix")
    first, second = node_of(model, "sum"), node_of(model, "pool")
    first.name, second.name = second.name, first.name
    with pytest.raises(ModelFileError) as error:
        verify(ExactSession(model), source, samples(2))
    assert "[2, 3, 5, 5]" in str(error.value)
    assert error.value.remedy
