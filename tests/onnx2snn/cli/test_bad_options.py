"""Command lines that cannot be: exit code 2, one line, nothing written."""

import pytest

CONVERT = {
    "T = 0": ("-T", "0"),
    "T = -1": ("-T", "-1"),
    "T = abc": ("-T", "abc"),
    "T = 1.5": ("-T", "1.5"),
    "T without end": ("-T", "9" * 30),
    "T = nothing": ("-T", ""),
    "no such option": ("--frobnicate",),
    "too many arguments": ("another.onnx",),
    "no samples": ("--samples", "0"),
    "samples below zero": ("--samples", "-5"),
    "samples of text": ("--samples", "many"),
    "seed below zero": ("--seed", "-1"),
    "percentile of 0": ("--percentile", "0"),
    "percentile of 101": ("--percentile", "101"),
    "percentile of NaN": ("--percentile", "nan"),
    "percentile of text": ("--percentile", "most"),
    "unknown threshold": ("--threshold", "frobnicate"),
    "unknown granularity": ("--granularity", "neuron"),
    "unknown potential": ("--v-init", "full"),
    "unknown reset": ("--reset", "none"),
    "unknown pool": ("--avgpool", "max"),
    "unknown layout": ("--layout", "HWC"),
    "unknown node": ("--keep-analog", "frobnicate"),
    "range the wrong way round": ("--input-range", "1", "0"),
    "empty range": ("--input-range", "1", "1"),
    "range of NaN": ("--input-range", "nan", "1"),
    "infinite range": ("--input-range", "0", "inf"),
    "half a range": ("--input-range", "0"),
    # What would be ignored
    "mean without data": ("--mean", "0.5"),
    "std without data": ("--std", "0.5"),
    "scale without data": ("--scale", "1/255"),
    "layout without data": ("--layout", "NHWC"),
    "samples without data": ("--samples", "10"),
}

READ = {
    "scale of text": ("--scale", "abc"),
    "scale of nothing": ("--scale", ""),
    "two scales": ("--scale", "1,2"),
    "scale by zero": ("--scale", "1/0"),
    "scale of zero": ("--scale", "0"),
    "scale of NaN": ("--scale", "nan"),
    "infinite scale": ("--scale", "inf"),
    "fraction of fractions": ("--scale", "1/2/3"),
    "mean of text": ("--mean", "0.5,x"),
    "mean of NaN": ("--mean", "0.5,nan"),
    "std of zero": ("--std", "0"),
    "one std of zero": ("--std", "1,0,1"),
    "std below zero": ("--std", "-1"),
    "infinite std": ("--std", "inf"),
    "unknown layout": ("--layout", "HWC"),
    "no samples": ("--samples", "0"),
    "seed below zero": ("--seed", "-1"),
}

EXECUTE = {
    "unknown backend": ("--backend", "frobnicate"),
    "threads below zero": ("--threads", "-1"),
    "threads without end": ("--threads", "9" * 12),
    "threads of text": ("--threads", "all"),
}

RUN = {
    "T = 0": ("-T", "0"),
    "T = -1": ("-T", "-1"),
    "T = abc": ("-T", "abc"),
    "T without end": ("-T", "9" * 30),
    "a list of T": ("-T", "1,2"),
}

EVALUATE = {
    "T = 0 among others": ("-T", "1,0"),
    "T = abc": ("-T", "abc"),
    "T = nothing": ("-T", ""),
    "T without end": ("-T", "9" * 30),
    "an output": ("-o", "out"),
}


def cases(*tables):
    merged = {k: v for table in tables for k, v in table.items()}
    return pytest.mark.parametrize("options", merged.values(), ids=merged.keys())


@cases(CONVERT)
def test_convert(options, files, refused):
    refused("convert", files.float, "-o", "out", *options, code=2, remedy=False)


@cases(READ)
def test_convert_with_data(options, files, refused):
    data = ("--calibration-data", files.calibration)
    refused("convert", files.float, "-o", "out", *data, *options, code=2, remedy=False)


@cases(READ, EXECUTE, RUN)
def test_run(options, files, refused):
    arguments = ("run", files.spiking, "-i", files.few, "-o", "out")
    refused(*arguments, *options, code=2, remedy=False)


@cases(READ, EXECUTE, EVALUATE)
def test_evaluate(options, files, refused):
    arguments = ("evaluate", files.spiking, "--data", files.few)
    refused(*arguments, *options, code=2, remedy=False)


@cases(
    {
        "unknown node": ("--keep-analog", "frobnicate"),
        "unknown pool": ("--avgpool", "max"),
        "an option of convert": ("-T", "8"),
    }
)
def test_inspect(options, files, refused):
    refused("inspect", files.float, *options, code=2, remedy=False)


@pytest.mark.parametrize(
    "arguments",
    [
        ("convert",),
        ("inspect",),
        ("run",),
        ("run", "model.onnx"),
        ("evaluate",),
        ("evaluate", "model.onnx"),
        ("demo", "model.onnx"),
        ("frobnicate",),
        ("--frobnicate",),
        ("convert", "-T"),
    ],
    ids=" ".join,
)
def test_incomplete(arguments, refused):
    refused(*arguments, code=2, remedy=False)


def test_no_verb(invoke):
    """The only call whose answer is longer: it shows the verbs."""
    answer = invoke()
    assert answer.code == 2
    assert answer.out == ""
    assert "convert" in answer.err


def test_messages_name_the_option(files, refused):
    for option, value in (("-T", "0"), ("--samples", "x"), ("--percentile", "0")):
        refused("convert", files.float, option, value, says=(option,), code=2, remedy=False)


def test_unknown_node_says_how_to_find_nodes(files, refused):
    says = (files.float, "'frobnicate'", "onnx2snn inspect")
    refused("convert", files.float, "--keep-analog", "frobnicate", says=says, code=2)
    refused("inspect", files.float, "--keep-analog", "frobnicate", says=says, code=2)


def test_data_and_a_range_of_made_up_data(files, refused):
    data = ("--calibration-data", files.calibration, "--input-range", "0", "1")
    refused("convert", files.float, *data, says=("--input-range",), code=2, remedy=False)


def test_ignored_options_are_all_named(files, refused):
    options = ("--mean", "1", "--std", "1", "--layout", "NCHW")
    says = ("--mean", "--std", "--layout", "--calibration-data")
    refused("convert", files.float, *options, says=says, code=2, remedy=False)


class TestMethodsThatCannotBe:
    """The command line is right, the model is not: exit code 1."""

    def test_quantizer_of_a_float_model(self, files, refused):
        says = (files.float, "node 'stem.relu'", "'quantizer'", "quantized model", "--threshold")
        refused("convert", files.float, "--threshold", "quantizer", "-o", "out", says=says)

    def test_bound_of_a_plain_relu(self, files, refused):
        says = (files.float, "node 'stem.relu'", "'bound'", "Clip")
        refused("convert", files.float, "--threshold", "bound", "-o", "out", says=says)

    def test_gaussian_without_batch_norm(self, files, refused):
        says = (files.int8, "'gaussian'", "batch norm")
        refused("convert", files.int8, "--threshold", "gaussian", "-o", "out", says=says)

    def test_strict(self, files, refused, invoke):
        """A warning is an error then; without a warning nothing changes."""
        options = ("--threshold", "max", "-o", "out")
        warned = invoke("convert", files.float, *options, "--dry-run")
        assert warned.code == 0
        assert warned.err.startswith("warning: ")
        says = (files.float, "synthetic", "--calibration-data")
        refused("convert", files.float, *options, "--strict", says=says)
        data = ("--calibration-data", files.calibration)
        assert invoke("convert", files.float, *options, *data, "--strict").code == 0

    def test_unknown_provider(self, files, refused):
        says = ("frobnicate", "CPUExecutionProvider")
        for data in (("run", "-i"), ("evaluate", "--data")):
            arguments = (data[0], files.spiking, data[1], files.few)
            refused(*arguments, "--provider", "frobnicate", says=says)
