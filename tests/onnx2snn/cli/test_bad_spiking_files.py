"""Damaged spiking files, and fixed ones at another T."""

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

SPOILT = {}


def spoilt(name, *says):
    def register(change):
        SPOILT[name] = (change, says)
        return change

    return register


def timesteps(model):
    return next(t for t in model.graph.initializer if t.name == "timesteps")


def set_timesteps(model, value):
    timesteps(model).CopyFrom(numpy_helper.from_array(np.asarray(value), "timesteps"))


for name, value in {
    "T of zero": np.int64(0),
    "negative T": np.int64(-3),
    "T of type float": np.float32(8),
    "T of type int32": np.int32(8),
    "T as a list": np.array([8]),
    "no T": np.zeros(0, np.int64),
}.items():

    @spoilt(name, "timesteps")
    def other_time(model, value=value):
        set_timesteps(model, value)


@spoilt("T missing", "timesteps")
def no_time(model):
    model.graph.initializer.remove(timesteps(model))


@spoilt("future op set", "newer onnx2snn")
def future_op_set(model):
    for entry in model.opset_import:
        if entry.domain not in {"", "ai.onnx"}:
            entry.version += 1


@spoilt("unknown op", "Frobnicate", "newer onnx2snn")
def unknown_op(model):
    node = next(n for n in model.graph.node if n.op_type == "IntegrateFire")
    node.op_type = "Frobnicate"


@spoilt("truncated T")
def truncated_time(model):
    timesteps(model).raw_data = b"12"


@pytest.mark.parametrize("name", SPOILT)
@pytest.mark.parametrize("verb", ["run", "evaluate"])
def test_damaged_spiking_file(name, verb, files, refused, tmp_path):
    change, says = SPOILT[name]
    model = onnx.load(files.spiking)
    change(model)
    path = tmp_path / "damaged.snn.onnx"
    path.write_bytes(model.SerializeToString())
    data = ("-i", files.few, "-o", "out") if verb == "run" else ("--data", files.few)
    refused(verb, path, *data, says=(path, *says), remedy=False)


def test_a_fixed_file_runs_at_its_own_time_only(files, refused, invoke):
    says = (files.fixed, "T = 8", "-T 16")
    refused("run", files.fixed, "-i", files.few, "-o", "out", "-T", "16", says=says)
    refused("evaluate", files.fixed, "--data", files.few, "-T", "16", says=says)
    assert invoke("run", files.fixed, "-i", files.few, "-T", "8").code == 0
