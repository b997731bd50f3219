"""Plan files that are damaged, foreign, or changed into what cannot be."""

import copy
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onnx2snn.plan import SCHEMA_VERSION


@pytest.fixture(scope="module")
def plan(files, invoke, tmp_path_factory):
    """A plan as JSON, with a diagnostic, per-channel arrays and a pool in it."""
    path = tmp_path_factory.mktemp("plans") / "plan.json"
    data = ("--calibration-data", files.calibration, "--threshold", "max")
    assert invoke("convert", files.float, *data, "--dry-run", "--save-plan", path).code == 0
    content = json.loads(path.read_text())
    assert len(content["neurons"][0]["threshold"]) == 24
    content["diagnostics"] = [{"code": "A", "severity": "info", "node": "n", "what": "w"}]
    assert {s["kind"] for s in content["sites"]} == {"relu", "average_pool"}
    return content


@pytest.fixture
def refused_plan(files, refused, folder):
    """Assert that converting with a plan of this text or content fails."""

    def check(content, *says):
        text = content if isinstance(content, (str, bytes)) else json.dumps(content)
        path = folder / "plan.json"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return refused("convert", files.float, "--plan", path, "-o", "out", says=(path, *says))

    return check


@pytest.fixture
def changed(plan, refused_plan):
    """Assert that a plan fails after a change."""

    def check(change, *says):
        content = copy.deepcopy(plan)
        change(content)
        return refused_plan(content, *says)

    return check


def test_the_plan_itself_is_sound(plan, files, invoke, folder):
    (folder / "plan.json").write_text(json.dumps(plan))
    assert invoke("convert", files.float, "--plan", "plan.json", "-o", "out").code == 0
    # As some editors save it.
    (folder / "plan.json").write_text("\ufeff" + json.dumps(plan), encoding="utf-8")
    assert invoke("convert", files.float, "--plan", "plan.json", "-o", "out").code == 0


def test_missing(files, refused, folder):
    refused("convert", files.float, "--plan", "gone.json", says=("gone.json", "No such file"))
    refused("convert", files.float, "--plan", folder, says=(folder, "Is a directory"))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "not json",
        b"\xff\xfe\x00",
        "[" * 100_000,
        '{"a": ' * 100_000,
        "9" * 10_000,
        "\0",
    ],
    ids=["empty", "open", "text", "bytes", "deep list", "deep object", "long number", "NUL"],
)
def test_no_json(text, refused_plan):
    refused_plan(text)


@pytest.mark.parametrize("content", [None, [], {}, 3, {"schema": "another"}, [{}]])
def test_no_plan(content, refused_plan):
    refused_plan(content, "not a conversion plan")


def test_truncated(plan, refused_plan):
    text = json.dumps(plan)
    for share in (0.1, 0.5, 0.99):
        refused_plan(text[: int(share * len(text))], "not JSON")


def test_a_model_is_no_plan(files, refused):
    refused("convert", files.float, "--plan", files.float, says=(files.float,))


def test_of_another_model(plan, files, refused, folder):
    (folder / "plan.json").write_text(json.dumps(plan))
    says = ("plan.json", "another model")
    refused("convert", files.int8, "--plan", "plan.json", "-o", "out", says=says)


@pytest.mark.parametrize("version", [SCHEMA_VERSION + 1, 0, None, "1", [1]])
def test_other_version(version, changed):
    changed(lambda p: p.update(schema_version=version), f"{SCHEMA_VERSION}")


@pytest.mark.parametrize(
    "name", ["source_digest", "config", "sites", "neurons", "schema", "schema_version"]
)
def test_missing_field(name, changed):
    changed(lambda p: p.pop(name))


@pytest.mark.parametrize(
    ("section", "name"),
    [
        ("sites", "name"),
        ("sites", "kind"),
        ("sites", "nodes"),
        ("sites", "rank"),
        ("neurons", "site"),
        ("neurons", "threshold"),
        ("neurons", "v_init"),
        ("neurons", "amplitude"),
        ("diagnostics", "what"),
    ],
)
def test_missing_field_inside(section, name, changed):
    changed(lambda p: p[section][0].pop(name), section, "number 1", name)


def test_unknown_field(changed):
    changed(lambda p: p.update(frobnicate=1), "frobnicate")
    changed(lambda p: p["config"].update(frobnicate=1), "config", "frobnicate")
    changed(lambda p: p["neurons"][2].update(frobnicate=1), "neurons", "number 3", "frobnicate")


THRESHOLDS = {
    "negative": -1.0,
    "zero": 0.0,
    "one of them negative": None,
    "text": "large",
    "infinite": "inf",
    "NaN": float("nan"),
    "too large for float32": 1e39,
    "nothing": None,
    "none": [],
    "too few": [1.0, 1.0],
    "ragged": [[1.0, 2.0], [3.0]],
    "text inside": [["a"]],
    "true": True,
    "too deep": [[[[1.0]]]] * 24,
    "an object": {"a": 1},
}


@pytest.mark.parametrize("value", THRESHOLDS.values(), ids=THRESHOLDS.keys())
def test_threshold(value, changed, request):
    def change(plan):
        if "one of them" in request.node.name:
            plan["neurons"][0]["threshold"][3] = [[-0.5]]
        else:
            plan["neurons"][0]["threshold"] = value

    changed(change, "threshold")


@pytest.mark.parametrize("name", ["v_init", "amplitude"])
@pytest.mark.parametrize("value", ["large", "nan", [], [1.0, 1.0], [[1.0], []], 1e39, None])
def test_other_arrays(name, value, changed):
    changed(lambda p: p["neurons"][0].update({name: value}))


@pytest.mark.parametrize(
    "change",
    [
        lambda p: p["neurons"].pop(),
        lambda p: p["neurons"].append(p["neurons"][0]),
        lambda p: p["neurons"].reverse(),
        lambda p: p["sites"].pop(),
        lambda p: (p["sites"].pop(), p["neurons"].pop()),
        lambda p: (p["sites"].pop(0), p["neurons"].pop(0)),
        lambda p: (p["sites"].reverse(), p["neurons"].reverse()),
        lambda p: p.update(sites=[], neurons=[]),
        lambda p: p["sites"][0].update(nodes=[]),
        lambda p: p["sites"][0].update(nodes=["frobnicate"]),
        lambda p: p["sites"][0].update(name="frobnicate"),
        lambda p: p["sites"][0].update(upper=3.0),
        lambda p: p["sites"][0].update(kind="average_pool"),
        lambda p: p["neurons"][0].update(site="frobnicate"),
        lambda p: p["neurons"][0].update(neuron="frobnicate"),
        lambda p: p["neurons"][0].update(neuron="average_pool"),
        lambda p: p["neurons"][0].update(amplitude=None),
        lambda p: p["neurons"][0].update(reset="frobnicate"),
        lambda p: p["config"].update(avgpool="linear"),
    ],
)
def test_neurons_that_do_not_fit(change, changed):
    changed(change)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("timesteps", 0),
        ("timesteps", -1),
        ("timesteps", 8.0),
        ("timesteps", "8"),
        ("timesteps", True),
        ("timesteps", None),
        ("timesteps", 2**40),
        ("timesteps", 10**400),
        ("timesteps", float("inf")),
        ("threshold", "frobnicate"),
        ("threshold", 3),
        ("granularity", "frobnicate"),
        ("percentile", 0),
        ("percentile", "inf"),
        ("v_init", "frobnicate"),
        ("reset", None),
        ("avgpool", "frobnicate"),
        ("keep_analog", "node"),
        ("keep_analog", [3]),
        ("keep_analog", ["frobnicate"]),
        ("input_range", [1]),
        ("input_range", [1, 0]),
        ("input_range", ["a", "b"]),
        ("samples", 0),
        ("seed", -1),
    ],
)
def test_config(name, value, changed):
    changed(lambda p: p["config"].update({name: value}))


@pytest.mark.parametrize(
    "options",
    [
        ("-T", "16"),
        ("--threshold", "max"),
        ("--v-init", "zero"),
        ("--calibration-data", "data.npz"),
        ("--seed", "1"),
        ("--keep-analog", "stem.relu"),
    ],
)
def test_options_that_the_plan_has_settled(options, plan, files, refused, folder):
    (folder / "plan.json").write_text(json.dumps(plan))
    arguments = ("convert", files.float, "--plan", "plan.json", "-o", "out", *options)
    says = (options[0].replace("-T", "--timesteps"), "plan")
    refused(*arguments, says=says, code=2, remedy=False)


# ---------------------------------------------------------------------------------------------
# Anything at any place


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from(["", "inf", "-inf", "nan", "x", "relu", "if", "subtract", "stem.relu"])
    | st.sampled_from([0, 1, -1, 1e39, 10**30]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["a", "name", "threshold"]), inner, max_size=2)
    ),
    max_leaves=5,
)


def places(value, path=()):
    """Every place in a JSON value, arrays of numbers aside as one."""
    yield path
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from places(inner, (*path, key))
    elif isinstance(value, list) and any(isinstance(v, (dict, str)) for v in value):
        for i, inner in enumerate(value):
            yield from places(inner, (*path, i))


@settings(max_examples=120)
@given(data=st.data())
def test_anything_anywhere(plan, files, invoke, tmp_path_factory, data):
    """One field replaced by anything or taken away: done, or one line."""
    content = copy.deepcopy(plan)
    (*way, last) = data.draw(st.sampled_from([p for p in places(plan) if p]))
    holder = content
    for step in way:
        holder = holder[step]
    if data.draw(st.booleans()):
        del holder[last]
    else:
        holder[last] = data.draw(JSON)
    path = tmp_path_factory.getbasetemp() / "any.json"
    path.write_text(json.dumps(content))
    target = path.with_name("any.onnx")
    target.unlink(missing_ok=True)
    answer = invoke("convert", files.float, "--plan", path, "-o", target)
    assert answer.code in {0, 1}, answer.err
    assert target.exists() == (answer.code == 0)
    if answer.code:
        lines = answer.err.splitlines()
        assert len(lines) == 1
        assert lines[0].startswith(f"error: {path}: ")
        assert "a defect of onnx2snn" not in lines[0]
