"""What other people's programs may lean on."""

import dataclasses
import importlib.resources as resources
import inspect
import subprocess
import sys
import typing

import numpy as np
import onnx
import onnx_graphsurgeon as gs
import pytest

import onnx2snn
import onnx2snn_runtime
from onnx2snn import errors
from onnx2snn.methods import POTENTIALS, THRESHOLDS
from onnx2snn.steps import survey
from onnx2snn.steps.settings import CHOICES

PACKAGES = {
    onnx2snn: [
        "ActivationSite",
        "Checkpoint",
        "ConversionConfig",
        "ConversionPlan",
        "ConversionResult",
        "Diagnostic",
        "Inspection",
        "NeuronPlan",
        "Onnx2SnnError",
        "Preprocessing",
        "convert",
        "errors",
        "inspect",
    ],
    onnx2snn_runtime: [
        "DOMAIN",
        "DOMAIN_VERSION",
        "OPS",
        "BackendError",
        "DataError",
        "ModelFileError",
        "Observation",
        "Onnx2SnnError",
        "OpSpec",
        "RegistryError",
        "SpikingSession",
        "TensorInfo",
        "TimestepsError",
        "Totals",
        "Trace",
        "register_schemas",
    ],
}
PUBLIC = [
    pytest.param(getattr(package, name), id=f"{package.__name__}.{name}")
    for package, names in PACKAGES.items()
    for name in names
    if inspect.isclass(getattr(package, name)) or inspect.isfunction(getattr(package, name))
]


@pytest.mark.parametrize("package", PACKAGES, ids=lambda p: p.__name__)
def test_names(package):
    assert package.__all__ == PACKAGES[package]
    assert all(hasattr(package, name) for name in package.__all__)


@pytest.mark.parametrize("package", PACKAGES, ids=lambda p: p.__name__)
def test_typed(package):
    """Type checkers look into a package that says so."""
    assert (resources.files(package) / "py.typed").is_file()


@pytest.mark.parametrize("thing", PUBLIC)
def test_documented(thing):
    assert inspect.getdoc(thing)
    if not inspect.isclass(thing):
        return
    for name, member in vars(thing).items():
        if not name.startswith("_") and (callable(member) or isinstance(member, property)):
            assert inspect.getdoc(getattr(thing, name)), name
    if dataclasses.is_dataclass(thing) and "\n" in thing.__doc__.strip():
        for field in dataclasses.fields(thing):
            assert f"{field.name}:" in thing.__doc__, field.name


@pytest.mark.parametrize("function", [onnx2snn.convert, onnx2snn.inspect])
def test_arguments_are_documented(function):
    for name in inspect.signature(function).parameters:
        assert f"{name}:" in function.__doc__, name


def test_every_raised_kind_is_documented():
    told = onnx2snn.convert.__doc__.partition("Raises:")[2]
    for kind in ("ModelFileError", "UnsupportedModelError", "ConfigError", "PlanError"):
        assert kind in told


def test_convert_and_config_share_their_options():
    """An option in one but not in the other would be lost on the way into the plan."""
    options = inspect.signature(onnx2snn.convert).parameters
    for field in dataclasses.fields(onnx2snn.ConversionConfig):
        assert field.name in options
        default = options[field.name].default
        # None: the recipe says, else the config's default.
        assert default in {None, field.default}


# ---------------------------------------------------------------------------------------------
# Importing


def modules_after(code):
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; {code}; print(' '.join(sys.modules))"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return set(done.stdout.split())


def test_the_runtime_stands_alone():
    """An edge device installs numpy, onnx and onnxruntime, and no more."""
    loaded = modules_after(
        "import onnx2snn_runtime as r; r.OPS.names(); "
        "from onnx2snn_runtime.backend import BACKENDS; BACKENDS.names()"
    )
    assert "onnx2snn_runtime.session" in loaded
    for name in ("onnx2snn", "onnx_graphsurgeon", "click", "rich", "torch"):
        assert name not in loaded


def test_importing_loads_no_more_than_needed():
    loaded = modules_after("import onnx2snn")
    assert "onnx2snn.api" in loaded
    for name in ("click", "rich", "onnx2snn.cli", "torch", "sklearn", "matplotlib", "hypothesis"):
        assert name not in loaded


def test_the_command_line_loads_verbs_when_asked():
    loaded = modules_after("import onnx2snn.cli")
    assert "onnx2snn.cli.main" in loaded
    for verb in ("convert", "evaluate", "demo"):
        assert f"onnx2snn.cli.{verb}" not in loaded


# ---------------------------------------------------------------------------------------------
# What convert takes and gives


@pytest.fixture(scope="module")
def path(pytestconfig):
    return pytestconfig.rootpath / "models" / "digits_cnn_float.onnx"


def test_every_kind_of_source(path):
    """Path, text, ModelProto, graph: the same network comes out, and the source is unchanged."""
    proto = onnx.load(path)
    before = proto.SerializeToString()
    graph = gs.import_onnx(proto)
    results = [onnx2snn.convert(s) for s in (path, str(path), proto, graph)]
    weights = [[t.SerializeToString() for t in r.model.graph.initializer] for r in results]
    assert weights[0] == weights[1] == weights[2]
    assert len(weights[3]) == len(weights[0])
    assert proto.SerializeToString() == before
    assert results[0].source.file == results[1].source.file == str(path)
    assert results[2].source.file is None
    session = [onnx2snn_runtime.SpikingSession(r.model) for r in results]
    x = np.random.default_rng(0).uniform(0, 1, (3, 1, 8, 8)).astype(np.float32)
    answers = [s.run(x)["logits"] for s in session]
    for answer in answers[1:]:
        np.testing.assert_array_equal(answers[0], answer)


def test_result(path, tmp_path):
    result = onnx2snn.convert(path, 4)
    assert isinstance(result, onnx2snn.ConversionResult)
    assert result.plan.config.timesteps == 4
    assert result.diagnostics == result.plan.diagnostics
    result.save(tmp_path / "net.onnx")
    assert onnx.load(tmp_path / "net.onnx") == result.model
    with pytest.raises(dataclasses.FrozenInstanceError):
        result.plan = None


def test_progress(path, pytestconfig):
    """Called with what is done, steps done and steps in all, up to the end."""
    calls = []
    data = pytestconfig.rootpath / "models" / "digits_calibration.npz"
    onnx2snn.convert(path, calibration_data=data, progress=lambda *a: calls.append(a))
    assert calls
    for what, done, total in calls:
        assert isinstance(what, str)
        assert 1 <= done <= total
    assert calls[-1][1] == calls[-1][2]


@pytest.mark.parametrize(
    "options",
    [
        {"timesteps": 0},
        {"timesteps": -1},
        {"timesteps": 2.5},
        {"timesteps": "8"},
        {"timesteps": 2**40},
        {"samples": 0},
        {"samples": 1.5},
        {"seed": -1},
        {"percentile": 0},
        {"percentile": 100.1},
        {"percentile": float("nan")},
        {"granularity": "neuron"},
        {"reset": "none"},
        {"avgpool": "max"},
        {"input_range": (1, 0)},
        {"input_range": (0, float("inf"))},
        {"keep_analog": ["no such node"]},
        {"keep_analog": "stem.relu"},
    ],
    ids=str,
)
def test_options_that_cannot_be(path, options):
    with pytest.raises(errors.ConfigError) as error:
        onnx2snn.convert(path, **options)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "options", [{"threshold": "frobnicate"}, {"v_init": "frobnicate"}], ids=str
)
def test_unknown_methods(path, options):
    with pytest.raises(errors.RegistryError) as error:
        onnx2snn.convert(path, **options)
    assert "known: " in str(error.value)


def test_options_are_checked_before_the_work(monkeypatch, path):
    monkeypatch.setattr(survey, "canonicalise", lambda *_: pytest.fail("worked first"))
    with pytest.raises(errors.ConfigError):
        onnx2snn.convert(path, 0)


def test_annotations_can_be_resolved():
    for thing in (onnx2snn.ConversionPlan, onnx2snn.NeuronPlan, onnx2snn.ActivationSite):
        assert typing.get_type_hints(thing)


@pytest.mark.parametrize("option", ["threshold", "v_init", "granularity", "reset", "avgpool"])
def test_documentation_names_every_choice(option):
    choices = {"threshold": THRESHOLDS.names(), "v_init": POTENTIALS.names(), **CHOICES}[option]
    for choice in choices:
        assert f'"{choice}"' in onnx2snn.convert.__doc__
