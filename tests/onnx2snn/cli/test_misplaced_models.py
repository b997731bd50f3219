"""Good files in the wrong place: one line that says where they belong."""

import pytest


@pytest.mark.parametrize("verb", ["convert", "inspect"])
def test_a_spiking_file_is_no_source(files, refused, verb):
    refused(verb, files.spiking, says=(files.spiking, "spiking network already", "onnx2snn run"))


def test_a_spiking_file_is_no_source_of_an_evaluation(files, refused):
    arguments = ("evaluate", files.spiking, "--data", files.few, "--ann", files.spiking)
    refused(*arguments, says=(files.spiking, "already"))


def test_an_ordinary_file_does_not_run(files, refused):
    says = (files.float, "onnx2snn convert")
    refused("run", files.float, "-i", files.few, "-o", "out", says=says)
    refused("evaluate", files.float, "--data", files.few, says=says)


def test_a_source_of_other_shape(files, refused):
    arguments = ("evaluate", files.spiking, "--data", files.few, "--ann", files.mnist)
    refused(*arguments, says=(files.mnist,), remedy=False)


def test_a_source_with_other_inputs(files, refused, tmp_path, tiny):
    other = tmp_path / "other.onnx"
    other.write_bytes(tiny([("Relu", ["x"], ["y"], {})], x=("N", 3)).SerializeToString())
    arguments = ("evaluate", files.spiking, "--data", files.few, "--ann", other)
    refused(*arguments, says=(other, "takes x", "takes input"))
