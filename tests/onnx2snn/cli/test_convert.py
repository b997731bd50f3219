"""``onnx2snn convert``: files written, tables printed, plans saved and used again."""

import json
from pathlib import Path

import numpy as np
import onnx
import pytest

from onnx2snn import convert as convert_in_python
from onnx2snn.cli.convert import default_output
from onnx2snn_runtime import SpikingSession


@pytest.mark.parametrize(
    ("model", "output"),
    [
        ("net.onnx", "net.snn.onnx"),
        ("a/net.onnx", "a/net.snn.onnx"),
        ("net", "net.snn.onnx"),
        ("net.v2.onnx", "net.v2.snn.onnx"),
        ("./net.onnx", "net.snn.onnx"),
    ],
)
def test_default_output(model, output):
    assert default_output(model) == Path(output)


@pytest.fixture
def net(files, folder):
    (folder / "net.onnx").write_bytes(files.float.read_bytes())
    return "net.onnx"


def test_writes_beside_the_model(net, invoke, folder):
    answer = invoke("convert", net)
    assert (answer.code, answer.err) == (0, "")
    assert sorted(p.name for p in folder.iterdir()) == ["net.onnx", "net.snn.onnx"]
    assert answer.out.splitlines()[-1] == "wrote net.snn.onnx"
    assert SpikingSession("net.snn.onnx").timesteps == 8
    # Again: what is there is replaced.
    assert invoke("convert", net, "-T", "5").code == 0
    assert SpikingSession("net.snn.onnx").timesteps == 5


def test_writes_where_it_is_told(net, invoke, folder):
    (folder / "there").mkdir()
    assert invoke("convert", net, "-o", "there/other").code == 0
    assert sorted(p.name for p in folder.iterdir()) == ["net.onnx", "there"]
    assert SpikingSession("there/other").timesteps == 8


def test_shows_every_population(net, invoke):
    out = invoke("convert", net).out
    assert "6 populations, T = 8 (only this T)" in out
    for name in ("stem.relu", "block.first.relu", "block.relu", "pool", "top.relu", "global_pool"):
        assert name in out
    assert "gaussian" in out


def test_shows_what_changed_thresholds(files, invoke):
    """Those that were tuned are no longer what the method at first made them."""

    def shown(*options):
        data = ("--calibration-data", files.calibration, "--samples", "64", "--dry-run")
        out = invoke("convert", files.float, "-T", "4", *options, *data).out
        return " ".join(out.replace("│", " ").split())  # cells may be cut into lines

    assert "mmse of 64 samples" in shown("--threshold", "mmse")
    assert "then distill" not in shown("--threshold", "mmse")
    assert "then distill" in shown("--neuron", "asg", "--recipe", "distill")


def test_dry_run_writes_nothing(net, invoke, folder):
    answer = invoke("convert", net, "--dry-run")
    assert answer.code == 0
    assert "6 populations" in answer.out
    assert "wrote" not in answer.out
    assert [p.name for p in folder.iterdir()] == ["net.onnx"]


def test_dry_run_with_plan(net, invoke, folder):
    assert invoke("convert", net, "--dry-run", "--save-plan", "plan.json").code == 0
    assert sorted(p.name for p in folder.iterdir()) == ["net.onnx", "plan.json"]


VARIANTS = {
    "float": lambda f: (f.float,),
    "calibrated": lambda f: (f.float, "--calibration-data", f.calibration, "--samples", "50"),
    "synthetic": lambda f: (f.float, "--threshold", "max", "--seed", "3"),
    "layer, zero": lambda f: (f.float, "--granularity", "layer", "--v-init", "zero"),
    "linear pools, hard reset": lambda f: (f.float, "--avgpool", "linear", "--reset", "zero"),
    "analog": lambda f: (f.float, "--keep-analog", "top.relu"),
    "int8": lambda f: (f.int8, "-T", "32"),
    "mnist": lambda f: (f.mnist,),
}


@pytest.mark.parametrize("variant", VARIANTS.values(), ids=VARIANTS.keys())
def test_same_bytes(variant, files, invoke, folder):
    """Twice the same, and the same again from the saved plan; the plan, too."""
    options = variant(files)
    assert invoke("convert", *options, "-o", "one.onnx", "--save-plan", "one.json").code == 0
    assert invoke("convert", *options, "-o", "two.onnx", "--save-plan", "two.json").code == 0
    plan = ("--plan", "one.json", "--save-plan", "three.json")
    assert invoke("convert", options[0], *plan, "-o", "three.onnx").code == 0
    for suffix in ("onnx", "json"):
        first = (folder / f"one.{suffix}").read_bytes()
        assert first == (folder / f"two.{suffix}").read_bytes()
        assert first == (folder / f"three.{suffix}").read_bytes()


def test_a_changed_plan_changes_the_file(net, invoke, folder):
    """One goes on after looking: the number that was changed is the number in the file."""
    assert invoke("convert", net, "--dry-run", "--save-plan", "plan.json").code == 0
    plan = json.loads((folder / "plan.json").read_text())
    plan["neurons"][0]["threshold"] = 1.25
    plan["neurons"][0]["v_init"] = [0.25]
    plan["config"]["timesteps"] = 3
    (folder / "plan.json").write_text(json.dumps(plan))
    assert invoke("convert", net, "--plan", "plan.json").code == 0
    model = onnx.load("net.snn.onnx")
    values = {t.name: onnx.numpy_helper.to_array(t) for t in model.graph.initializer}
    node = next(n for n in model.graph.node if n.name == "stem.relu")
    assert values[node.input[1]] == np.float32(1.25)
    assert values[node.input[2]] == np.float32(0.25)
    assert SpikingSession("net.snn.onnx").timesteps == 3


def test_the_command_line_and_python_agree(files, invoke, folder):
    data = ("--calibration-data", files.calibration, "--samples", "40", "--seed", "7")
    options = ("-T", "6", "--threshold", "percentile", "--percentile", "99")
    assert invoke("convert", files.float, *data, *options, "-o", "a.onnx").code == 0
    result = convert_in_python(
        files.float,
        6,
        threshold="percentile",
        percentile=99,
        calibration_data=files.calibration,
        samples=40,
        seed=7,
    )
    result.save("b.onnx")
    assert (folder / "a.onnx").read_bytes() == (folder / "b.onnx").read_bytes()


def test_json(net, invoke):
    answer = invoke("convert", net, "-T", "4", "--threshold", "max", "--json")
    assert (answer.code, answer.err) == (0, "")
    content = json.loads(answer.out)
    assert content["schema"] == "onnx2snn.convert/1"
    assert content["source"] == net
    assert content["output"] == "net.snn.onnx"
    assert content["timesteps"] == 4
    assert content["timesteps_fixed"] is False
    names = [p["name"] for p in content["populations"]]
    assert names == list(SpikingSession("net.snn.onnx").populations)
    assert [d["code"] for d in content["diagnostics"]].count("SYNTHETIC_CALIBRATION") == 1
    assert json.loads(invoke("convert", net, "--dry-run", "--json").out)["output"] is None


def test_diagnostics_go_to_standard_error(net, invoke):
    answer = invoke("convert", net, "--threshold", "max")
    assert "synthetic inputs in [0, 1]" in answer.err
    assert "warning" not in answer.out
    assert all(line.split(":")[0] in {"warning", "info"} for line in answer.err.splitlines())


def test_the_reason_for_made_up_data_is_the_true_one(net, tiny, invoke, folder):
    """This model has batch norm; it is the method that was asked for that needs data."""
    err = invoke("convert", net, "--threshold", "max", "--dry-run").err
    assert "the threshold method 'max' needs data" in err
    assert "batch norm" not in err
    bare = tiny([("Relu", ["x"], ["y"], {})], x=("N", 3))
    (folder / "bare.onnx").write_bytes(bare.SerializeToString())
    assert "no quantizers and no batch norm" in invoke("convert", "bare.onnx").err


def test_input_range(net, invoke, folder):
    """Made-up inputs lie in the range that is given: four times the range, larger thresholds."""
    options = ("--threshold", "max", "--dry-run", "--json")

    def thresholds(*more):
        content = json.loads(invoke("convert", net, *options, *more).out)
        pops = [p for p in content["populations"] if p["kind"] == "relu"]
        return np.array([p["threshold_max"] for p in pops]), content["diagnostics"][0]["what"]

    plain, _ = thresholds()
    wide, what = thresholds("--input-range", "-2", "2")
    assert "[-2, 2]" in what
    assert (wide > plain).all()


def test_samples_and_seed_choose_the_data(files, invoke):
    def provenance(*options):
        data = ("--calibration-data", files.calibration, "--threshold", "max", "--dry-run")
        content = json.loads(invoke("convert", files.float, *data, "--json", *options).out)
        first = content["populations"][0]
        return first["provenance"]["threshold"], first["threshold_max"]

    everything, top = provenance()
    assert "200 samples" in everything
    few, one = provenance("--samples", "3", "--seed", "1")
    assert "3 samples" in few
    _, other = provenance("--samples", "3", "--seed", "2")
    assert one <= top
    assert one != other
    assert provenance("--samples", "3", "--seed", "1") == (few, one)


def weights(path):
    """Everything but the documentation, which names the data."""
    return [t.SerializeToString() for t in onnx.load(path).graph.initializer]


def test_preprocessing_is_applied(files, invoke, folder):
    """The same images three times: as they come, scaled already, and channels last."""
    with np.load(files.heldout) as archive:
        images = archive["images"][:50]
    np.savez(folder / "bytes.npz", images=images)
    np.savez(folder / "floats.npz", images=images.astype(np.float32) / 16)
    np.savez(folder / "last.npz", images=images.transpose(0, 2, 3, 1))
    models = []
    for data, options in {
        "bytes.npz": ("--scale", "1/16"),
        "floats.npz": (),
        "last.npz": ("--scale", "0.0625", "--layout", "NHWC"),
    }.items():
        call = ("convert", files.float, "--calibration-data", data, "--threshold", "max")
        assert invoke(*call, *options, "-o", "out.onnx").code == 0
        models.append(weights("out.onnx"))
    assert models[0] == models[1] == models[2]
    shifted = ("--calibration-data", "floats.npz", "--threshold", "max", "--mean", "0.5")
    assert invoke("convert", files.float, *shifted, "-o", "out.onnx").code == 0
    assert weights("out.onnx") != models[0]


def test_no_local_paths_in_the_file(files, invoke, folder):
    """Where the data lay is nobody's business; how they were called may be useful."""
    call = ("convert", files.float, "--calibration-data", files.calibration)
    assert invoke(*call, "-o", "out.onnx", "--save-plan", "plan.json").code == 0
    for name in ("out.onnx", "plan.json"):
        content = (folder / name).read_bytes()
        assert str(files.calibration.parent).encode() not in content
        assert files.calibration.name.encode() in content
