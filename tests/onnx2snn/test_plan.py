"""Plans go through JSON and come back as they were."""

import dataclasses
import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from onnx2snn.errors import PlanError
from onnx2snn.json_form import field_readers
from onnx2snn.plan import (
    SCHEMA,
    SCHEMA_VERSION,
    ActivationSite,
    ConversionConfig,
    ConversionPlan,
    Diagnostic,
    LayerCorrection,
    NeuronPlan,
)

TEXT = st.text(max_size=8)
FINITE = st.floats(allow_nan=False, allow_infinity=False)
BOUND = st.floats(allow_nan=False)
ARRAY = hnp.arrays(
    np.float32,
    hnp.array_shapes(min_dims=1, max_dims=3, max_side=4),
    elements=st.floats(width=32, allow_nan=False, allow_infinity=False),
)

#: How to draw a field, by its type as the dataclass states it.
KINDS = {
    "str": TEXT,
    "bool": st.booleans(),
    "int": st.integers(-(2**70), 2**70),
    "int | None": st.none() | st.integers(),
    "float": BOUND,
    "float | None": st.none() | FINITE,
    "Array": ARRAY,
    "Array | None": st.none() | ARRAY,
    "Mapping[str, str]": st.dictionaries(TEXT, TEXT, max_size=3),
    "tuple[str, ...]": st.lists(TEXT, max_size=3).map(tuple),
    "tuple[float, float] | None": st.none() | st.tuples(FINITE, FINITE),
}


def instances(kind):
    return st.builds(kind, **{f.name: KINDS[f.type] for f in dataclasses.fields(kind)})


KINDS["ConversionConfig"] = instances(ConversionConfig)
KINDS["tuple[ActivationSite, ...]"] = st.lists(instances(ActivationSite), max_size=2).map(tuple)
KINDS["tuple[NeuronPlan, ...]"] = st.lists(instances(NeuronPlan), max_size=2).map(tuple)
KINDS["tuple[LayerCorrection, ...]"] = st.lists(instances(LayerCorrection), max_size=2).map(tuple)
KINDS["tuple[Diagnostic, ...]"] = st.lists(instances(Diagnostic), max_size=2).map(tuple)

PLANS = st.builds(
    ConversionPlan,
    **{
        f.name: KINDS[f.type]
        for f in dataclasses.fields(ConversionPlan)
        if f.name != "schema_version"
    },
)


def same(a, b):
    """Equal in value, type, shape and bits, all the way down."""
    if dataclasses.is_dataclass(a):
        return type(a) is type(b) and all(
            same(getattr(a, f.name), getattr(b, f.name)) for f in dataclasses.fields(a)
        )
    if isinstance(a, np.ndarray):
        return isinstance(b, np.ndarray) and a.dtype == b.dtype and np.array_equal(a, b)
    if isinstance(a, tuple):
        return isinstance(b, tuple) and len(a) == len(b) and all(map(same, a, b))
    return type(a) is type(b) and a == b


@given(plan=PLANS)
def test_there_and_back(plan):
    text = plan.to_json()
    back = ConversionPlan.from_json(text)
    assert same(back, plan)
    assert back.to_json() == text


@given(plan=PLANS)
def test_plain_json(plan):
    """Any JSON reader takes it: no NaN, no Infinity, nothing but standard JSON."""

    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    content = json.loads(plan.to_json(), parse_constant=refuse)
    assert content["schema"] == SCHEMA
    assert content["schema_version"] == SCHEMA_VERSION


@pytest.mark.parametrize(
    "kind",
    [ConversionPlan, ConversionConfig, ActivationSite, NeuronPlan, LayerCorrection, Diagnostic],
)
def test_every_field_can_be_read(kind):
    """A new field of a new type needs a reader."""
    assert list(field_readers(kind)) == [f.name for f in dataclasses.fields(kind)]


def example():
    site = ActivationSite("relu", "relu", "x", "y", ("relu",), 2, 4)
    ones = np.ones((2, 1, 1), np.float32)
    neuron = NeuronPlan("relu", "if", ones, ones / 2, ones, provenance={"threshold": "max"})
    return ConversionPlan("digest", ConversionConfig(), (site,), (neuron,))


def content():
    return json.loads(example().to_json())


def refusal(value):
    with pytest.raises(PlanError) as error:
        ConversionPlan.from_json(value if isinstance(value, str) else json.dumps(value))
    assert error.value.remedy
    return str(error.value)


def test_what_the_json_looks_like():
    """People read and change it."""
    text = example().to_json()
    assert text.startswith('{\n "schema": "onnx2snn.plan",\n')
    assert content()["sites"][0]["upper"] == "inf"
    assert content()["neurons"][0]["threshold"] == [[[1.0]], [[1.0]]]


def large():
    """A plan with an array too large to be read by people."""
    values = np.random.default_rng(0).normal(0, 1, (70, 3, 5, 5)).astype(np.float32)
    return dataclasses.replace(
        example(), corrections=(LayerCorrection("conv", values, np.ones(70, np.float32)),)
    )


def test_large_arrays_are_packed():
    """Bit by bit, in a third of the room, with their shape in sight."""
    plan = large()
    text = plan.to_json()
    assert same(ConversionPlan.from_json(text), plan)
    packed = json.loads(text)["corrections"][0]
    assert packed["weight"]["shape"] == [70, 3, 5, 5]
    assert packed["bias"][0] == 1.0
    assert len(text) < 8 * plan.corrections[0].weight.size


@pytest.mark.parametrize(
    "change",
    [
        {"shape": [70, 3, 5, 4]},
        {"shape": [-70, -3, 5, 5]},
        {"shape": "70"},
        {"shape": [1.5]},
        {"float32": "AAAA!"},
        {"float32": "AAA="},
        {"float32": 7},
        {"float64": ""},
    ],
    ids=str,
)
def test_damaged_packed_arrays(change):
    data = json.loads(large().to_json())
    data["corrections"][0]["weight"].update(change)
    assert "weight" in refusal(data)


def test_packed_arrays_are_finite():
    data = json.loads(large().to_json())
    packed = data["corrections"][0]["weight"]
    packed["shape"], packed["float32"] = [1], "AACAfw=="  # infinity
    assert "not finite" in refusal(data)


def test_frozen():
    for thing in (example(), *example().sites, *example().neurons, Diagnostic("A", "info", "", "")):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(thing, dataclasses.fields(thing)[0].name, None)


@pytest.mark.parametrize("version", [0, SCHEMA_VERSION + 1, "1", None, 1.5])
def test_unknown_version(version):
    text = refusal({**content(), "schema_version": version})
    assert str(version) in text
    assert str(SCHEMA_VERSION) in text


def test_missing_version():
    value = content()
    del value["schema_version"]
    assert "version" in refusal(value)


@pytest.mark.parametrize("text", ["", "{", "[", "[" * 10**5, "9" * 10**4, '{"a": 1,}', "NaN x"])
def test_no_json(text):
    assert "not JSON" in refusal(text)


@pytest.mark.parametrize("value", [None, 1, [], {}, {"schema": "onnx2snn.convert/1"}])
def test_no_plan(value):
    assert "not a conversion plan" in refusal(value)


def test_messages_say_where():
    value = content()
    value["neurons"][0]["threshold"] = ["a"]
    text = refusal(value)
    for part in ("neurons", "number 1", "threshold", '["a"]'):
        assert part in text
    value = content()
    value["config"]["timesteps"] = "8"
    assert 'config: timesteps: "8" is no whole number' in refusal(value)


def test_messages_are_short():
    value = content()
    value["neurons"][0]["threshold"] = [["a"] * 1000]
    assert len(refusal(value)) < 250


@pytest.mark.parametrize("section", ["config", "sites", "neurons"])
def test_unknown_and_missing_fields(section):
    value = content()
    inner = value[section] if section == "config" else value[section][0]
    inner["frobnicate"] = 1
    assert "unknown: frobnicate" in refusal(value)
    del inner["frobnicate"]
    if section != "config":
        first = next(iter(inner))
        del inner[first]
        assert f"missing: {first}" in refusal(value)


def test_defaults_may_be_left_out():
    value = content()
    value["config"] = {}
    for name in ("timesteps_fixed", "diagnostics"):
        del value[name]
    del value["neurons"][0]["reset"]
    assert same(ConversionPlan.from_json(json.dumps(value)).config, ConversionConfig())


@pytest.mark.parametrize(
    ("field", "bad"),
    [
        ("lower", "nan"),
        ("lower", "low"),
        ("lower", None),
        ("lower", True),
        ("lower", [0.0]),
        ("lower", 10**400),
        ("rank", 4.0),
        ("rank", False),
        ("rank", "4"),
        ("channels", 2.0),
        ("nodes", "relu"),
        ("nodes", [["relu"]]),
        ("nodes", {"relu": 1}),
        ("name", 3),
        ("name", None),
        ("mean", "nan"),
        ("mean", [True, False]),
        ("mean", [1e39]),
        ("mean", [[1.0], [1.0, 2.0]]),
        ("mean", []),
    ],
)
def test_values_of_a_wrong_kind(field, bad):
    value = content()
    value["sites"][0][field] = bad
    assert f"{field}: " in refusal(value)


def test_one_number_is_an_array_of_one():
    """A person who edits the file writes a number where one will do."""
    value = content()
    value["neurons"][0]["threshold"] = 2
    plan = ConversionPlan.from_json(json.dumps(value))
    np.testing.assert_array_equal(plan.neurons[0].threshold, np.array([2], np.float32))


def test_infinite_bounds():
    value = content()
    value["sites"][0]["lower"] = "-inf"
    site = ConversionPlan.from_json(json.dumps(value)).sites[0]
    assert (site.lower, site.upper) == (-math.inf, math.inf)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)


@given(value=JSON)
def test_any_json(value):
    refusal(json.dumps(value))


@given(name=st.sampled_from(sorted(content())), value=JSON)
def test_any_json_inside(name, value):
    """Either it is a plan or it is refused in one line."""
    text = ""
    try:
        ConversionPlan.from_json(json.dumps({**content(), name: value}))
    except PlanError as error:
        text = str(error)
    assert "\n" not in text


class TestDiagnostic:
    @pytest.mark.parametrize(
        ("given_", "text"),
        [
            ({"node": "", "what": "a"}, "a"),
            ({"node": "'n'", "what": "a"}, "'n': a"),
            ({"node": "", "what": "a", "why": "b"}, "a; b"),
            ({"node": "", "what": "a", "remedy": "c"}, "a; c"),
            ({"node": "'n'", "what": "a", "why": "b", "remedy": "c"}, "'n': a; b; c"),
        ],
    )
    def test_text(self, given_, text):
        assert str(Diagnostic("CODE", "info", **given_)) == text
