"""Model files that no verb can use: one line, exit code 1, nothing left behind."""

import resource
import time

import numpy as np
import onnx
import pytest
from onnx import TensorProto, numpy_helper

BAD = {}


def bad(name, *says, remedy=True):
    """Register a maker of a bad model file; ``says`` is what converting it must be told."""

    def register(make):
        BAD[name] = (make, says, remedy)
        return make

    return register


def weights(model):
    """The first convolution's weights."""
    return next(t for t in model.graph.initializer if len(t.dims) == 4)


def first(model, op):
    return next(n for n in model.graph.node if n.op_type == op)


# ---------------------------------------------------------------------------------------------
# What is no ONNX model at all


@bad("missing", "No such file")
def missing(path, source, tiny):
    return None


@bad("folder", "is a folder", remedy=False)
def folder_(path, source, tiny):
    path.mkdir()


@bad("empty", "is empty")
def empty(path, source, tiny):
    return b""


@bad("random", "not an ONNX file")
def random(path, source, tiny):
    return np.random.default_rng(0).bytes(3000)


@bad("text", "not an ONNX file")
def text(path, source, tiny):
    return b"#!/usr/bin/env python\nprint('no model')\n"


@bad("image", "not an ONNX file")
def image(path, source, tiny):
    return b"\x89PNG\r\n\x1a\n" + bytes(100)


@bad("archive", "not an ONNX file")
def archive(path, source, tiny):
    with path.open("wb") as stream:
        np.savez(stream, x=np.zeros((5, 5)))
    return path.read_bytes()


for share in (0.0001, 0.001, 0.01, 0.1, 0.5, 0.9, 0.99, 0.99999):

    @bad(f"truncated at {share}", "truncated")
    def truncated(path, source, tiny, share=share):
        data = source.SerializeToString()
        return data[: max(1, int(share * len(data)))]


@bad("no model", "no ONNX graph")
def no_model(path, source, tiny):
    return onnx.ModelProto(producer_name="somebody").SerializeToString()


@bad("another protobuf")
def another_protobuf(path, source, tiny):
    """A tensor, as onnx.save_tensor writes it, is no model."""
    return numpy_helper.from_array(np.ones((3, 4), np.float32), "weights").SerializeToString()


# ---------------------------------------------------------------------------------------------
# External data


def external(source, location, **entries):
    tensor = weights(source)
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in {"location": str(location), **entries}.items():
        tensor.external_data.add(key=key, value=value)
    return source


@bad("external, missing", "stem.conv.weight", "gone.bin")
def external_missing(path, source, tiny):
    return external(source, "gone.bin")


@bad("external, above", "stem.conv.weight", "outside")
def external_above(path, source, tiny):
    (path.parent.parent / "above.bin").write_bytes(bytes(864))
    return external(source, "../above.bin")


@bad("external, absolute", "stem.conv.weight", "outside")
def external_absolute(path, source, tiny):
    return external(source, "/etc/passwd")


@bad("external, link", "stem.conv.weight", "outside")
def external_link(path, source, tiny):
    (path.parent / "link.bin").symlink_to("/etc/passwd")
    return external(source, "link.bin")


@bad("external, short", "external data", remedy=False)
def external_short(path, source, tiny):
    (path.parent / "short.bin").write_bytes(bytes(10))
    return external(source, "short.bin")


@bad("external, huge", "external data", remedy=False)
def external_huge(path, source, tiny):
    (path.parent / "few.bin").write_bytes(bytes(864))
    weights(source).dims[0] = 10**12
    return external(source, "few.bin")


# ---------------------------------------------------------------------------------------------
# Damaged weights


def with_value(source, value):
    tensor = weights(source)
    values = numpy_helper.to_array(tensor).copy()
    values.flat[3] = value
    tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    return source


@bad("NaN", "node 'stem.conv'", "stem.conv.weight", "NaN")
def nan(path, source, tiny):
    return with_value(source, np.nan)


@bad("infinity", "node 'stem.conv'", "stem.conv.weight", "infinity")
def infinity(path, source, tiny):
    return with_value(source, np.inf)


@bad("short tensor", "stem.conv.weight", remedy=False)
def short_tensor(path, source, tiny):
    tensor = weights(source)
    tensor.raw_data = tensor.raw_data[:-4]
    return source


@bad("long tensor", "stem.conv.weight", remedy=False)
def long_tensor(path, source, tiny):
    weights(source).raw_data += bytes(4)
    return source


@bad("tensor without values", "stem.conv.weight", remedy=False)
def no_values(path, source, tiny):
    weights(source).ClearField("raw_data")
    return source


@bad("tensor of unknown type", remedy=False)
def unknown_type(path, source, tiny):
    weights(source).data_type = 99
    return source


@bad("huge tensor, few bytes", "w", remedy=False)
def huge(path, source, tiny):
    model = tiny([("Gemm", ["x", "w"], ["h"], {}), ("Relu", ["h"], ["y"], {})])
    model.graph.initializer.append(
        TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[10**12, 3], raw_data=b"1234")
    )
    return model


@bad("huge tensor, no bytes", "w", remedy=False)
def huge_empty(path, source, tiny):
    model = tiny([("Gemm", ["x", "w"], ["h"], {}), ("Relu", ["h"], ["y"], {})])
    model.graph.initializer.append(
        TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[10**12, 3])
    )
    return model


@bad("huge input")
def huge_input(path, source, tiny):
    """Nothing is wrong with it, but no data of that size can be made up."""
    return tiny([("Relu", ["x"], ["y"], {})], x=("N", 10**12), y=("N", 10**12))


@bad("huge constant", "ConstantOfShape", remedy=False)
def huge_constant(path, source, tiny):
    nodes = [
        ("ConstantOfShape", ["shape"], ["w"], {}),
        ("Gemm", ["x", "w"], ["h"], {}),
        ("Relu", ["h"], ["y"], {}),
    ]
    return tiny(nodes, {"shape": np.array([4, 10**12])}, y=("N", None))


@bad("negative length")
def negative_length(path, source, tiny):
    return tiny([("Relu", ["x"], ["y"], {})], x=("N", -3), y=("N", -3))


# ---------------------------------------------------------------------------------------------
# Sound models that cannot become spiking networks


@bad("unsupported operator", "block.first.relu", "Softmax", "--keep-analog")
def unsupported(path, source, tiny):
    """Between populations, where samples must not be mixed."""
    [_, second, *_] = [n for n in source.graph.node if n.op_type == "Relu"]
    second.op_type = "Softmax"
    second.attribute.append(onnx.helper.make_attribute("axis", 0))
    return source


@bad("unknown operator", "Frobnicate", remedy=False)
def unknown_operator(path, source, tiny):
    first(source, "Relu").op_type = "Frobnicate"
    return source


@bad("foreign operator", "stem.relu", "Frobnicate", "my.domain")
def foreign_operator(path, source, tiny):
    node = first(source, "Relu")
    node.op_type, node.domain = "Frobnicate", "my.domain"
    source.opset_import.add(domain="my.domain", version=1)
    return source


@bad("no activation", "no activation")
def no_activation(path, source, tiny):
    return tiny([("Gemm", ["x", "w"], ["y"], {})], {"w": np.ones((4, 3), np.float32)})


@bad("shapes that do not fit", "Gemm", remedy=False)
def shapes(path, source, tiny):
    nodes = [("Gemm", ["x", "w"], ["h"], {}), ("Relu", ["h"], ["y"], {})]
    return tiny(nodes, {"w": np.ones((5, 3), np.float32)})


@bad("text input")
def text_input(path, source, tiny):
    return tiny([("Identity", ["x"], ["y"], {})], x=("N", 3), dtype=TensorProto.STRING)


@bad("not sorted", "topologically", remedy=False)
def not_sorted(path, source, tiny):
    return tiny([("Relu", ["h"], ["y"], {}), ("Relu", ["x"], ["h"], {})], x=("N", 3))


@bad("tensor from nowhere", "nowhere", remedy=False)
def nowhere(path, source, tiny):
    return tiny([("Relu", ["nowhere"], ["y"], {})])


@bad("no outputs", remedy=False)
def no_outputs(path, source, tiny):
    del source.graph.output[:]
    return source


@bad("old opset", "opset 3")
def old_opset(path, source, tiny):
    return tiny([("Relu", ["x"], ["y"], {})], x=("N", 3), opset=3)


@bad("future opset", "opset 99")
def future_opset(path, source, tiny):
    return tiny([("Relu", ["x"], ["y"], {})], x=("N", 3), opset=99)


@bad("damaged name", "UTF-8")
def damaged_name(path, source, tiny):
    data = source.SerializeToString()
    return data.replace(b"stem.relu", b"stem\xffrelu")


# ---------------------------------------------------------------------------------------------


@pytest.fixture(params=list(BAD))
def bad_model(request, tmp_path, files, tiny):
    """A bad file with what must be said of it, in every kind."""
    make, says, remedy = BAD[request.param]
    inside = tmp_path / "models"
    inside.mkdir()
    path = inside / "bad.onnx"
    made = make(path, onnx.load(files.float), tiny)
    if made is not None:
        path.write_bytes(made if isinstance(made, bytes) else made.SerializeToString())
    return path, says, remedy


def test_convert(bad_model, refused):
    path, says, remedy = bad_model
    started = time.monotonic()
    refused("convert", path, "-T", "2", "-o", "out", says=(path, *says), remedy=remedy)
    assert time.monotonic() - started < 10


def test_convert_beside_the_model(bad_model, refused):
    """The default output is beside the model, where nothing may be left either."""
    path, says, remedy = bad_model
    refused("convert", path, says=(path, *says), remedy=remedy)


#: What inspecting shows as a table with reasons, or finds nothing wrong with.
SHOWN = {
    "unsupported operator": 1,
    "foreign operator": 1,
    "no activation": 1,
    "text input": 1,
    "huge input": 0,
    "huge constant": 0,
    "negative length": 0,
}


def test_inspect(bad_model, invoke, refused, request):
    path, says, remedy = bad_model
    name = request.node.callspec.params["bad_model"]
    if name not in SHOWN:
        refused("inspect", path, says=(path, *says), remedy=remedy)
        return
    answer = invoke("inspect", path)
    assert answer.code == SHOWN[name]
    assert str(path) in answer.out
    lines = [line for line in answer.err.splitlines() if not line.startswith("info: ")]
    assert len(lines) == SHOWN[name]
    for line in lines:
        assert line.startswith("error: ")
        for text in says:
            assert text in line


@pytest.mark.parametrize("verb", ["run", "evaluate"])
def test_run_and_evaluate(bad_model, files, refused, verb):
    """Most of these are no spiking files, whatever else they are."""
    path, _, remedy = bad_model
    data = ("-i", files.few, "-o", "out") if verb == "run" else ("--data", files.few)
    refused(verb, path, *data, says=(path,), remedy=remedy)


def test_as_source_of_an_evaluation(bad_model, files, refused, request):
    path, _, _ = bad_model
    name = request.node.callspec.params["bad_model"]
    if name == "unsupported operator":
        pytest.skip("it cannot be converted, but it can be compared with")
    refused(
        "evaluate", files.spiking, "--data", files.few, "--ann", path, says=(path,), remedy=False
    )


def test_huge_claims_take_no_memory(files, invoke, folder, tiny):
    """A file of some bytes that speaks of terabytes: refused before memory is asked for."""
    nodes = [("Gemm", ["x", "w"], ["h"], {}), ("Relu", ["h"], ["y"], {})]
    for dims in ([10**12, 3], [2**62, 4], [2**40] * 3):
        model = tiny(nodes)
        model.graph.initializer.append(
            TensorProto(name="w", data_type=TensorProto.FLOAT, dims=dims, raw_data=b"1234")
        )
        (folder / "huge.onnx").write_bytes(model.SerializeToString())
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        assert invoke("convert", "huge.onnx").code == 1
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # KiB


@pytest.mark.parametrize("verb", ["convert", "inspect", "run", "evaluate"])
def test_not_readable(verb, files, invoke, monkeypatch):
    """As another user would see it: the file's fault, not the command line's."""

    def denied(*_):
        raise PermissionError(13, "Permission denied")

    data = {"run": ("-i", files.few), "evaluate": ("--data", files.few)}.get(verb, ())
    monkeypatch.setattr("os.access", lambda *_: False)
    monkeypatch.setattr("pathlib.Path.read_bytes", denied)
    answer = invoke(verb, files.spiking, *data)
    assert answer.code == 1
    assert answer.err.startswith(f"error: {files.spiking}: cannot be read (Permission denied); ")
