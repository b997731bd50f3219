"""The node tests of the onnx package: the canonical form computes what the operator is defined to.

Each test model is one node. Its parameters become constants, as they are in trained networks; what
cannot be read is refused by one of our exceptions, in one line.
"""

import warnings
from collections import Counter, defaultdict

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from onnx.backend.test.loader import load_model_tests
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors

from onnx2snn.analog.never import never
from onnx2snn.errors import Onnx2SnnError
from onnx2snn.frontend import canonicalise, read_source

#: How many cases of each operator there are of each outcome, at least.
COUNTS = {
    "Abs": {"same": 1}, "Add": {"same": 2, "other type": 6}, "AveragePool": {"same": 20},
    "BatchNormalization": {"same": 2, "refused": 2}, "Celu": {"other type": 2},
    "Clip": {"same": 9, "other type": 3}, "Concat": {"same": 12}, "Conv": {"same": 6},
    "ConvTranspose": {"same": 11}, "DepthToSpace": {}, "Div": {"same": 3, "other type": 7},
    "Dropout": {"same": 6, "refused": 6}, "Elu": {"same": 3}, "Erf": {"same": 1},
    "Exp": {"same": 2}, "Expand": {"same": 2}, "Flatten": {"same": 9}, "Gather": {"same": 4},
    "Gelu": {"same": 4}, "Gemm": {"same": 11}, "GlobalAveragePool": {"same": 2},
    "GlobalMaxPool": {"same": 2}, "GroupNormalization": {"same": 2}, "HardSigmoid": {"same": 3},
    "HardSwish": {"same": 1}, "Hardmax": {"same": 7}, "Identity": {"same": 1, "other type": 2},
    "InstanceNormalization": {"same": 2}, "LRN": {"same": 2}, "LayerNormalization": {"same": 19},
    "LeakyRelu": {"same": 3}, "LogSoftmax": {"same": 7}, "LpNormalization": {"same": 6},
    "LpPool": {"same": 8}, "MatMul": {"same": 7}, "Max": {"same": 4, "other type": 10},
    "MaxPool": {"other type": 1, "same": 18}, "Mean": {"same": 3},
    "MeanVarianceNormalization": {"refused": 1}, "Min": {"same": 4, "other type": 10},
    "Mish": {"same": 1}, "Mul": {"same": 3, "other type": 6}, "Neg": {"same": 2},
    "PRelu": {"same": 2}, "Pad": {"same": 3, "other type": 3},
    "Pow": {"same": 6, "other type": 4, "not in onnxruntime": 2}, "ReduceL2": {"same": 9},
    "ReduceMax": {"same": 9, "other type": 2}, "ReduceMean": {"same": 8},
    "ReduceSum": {"same": 12}, "Relu": {"same": 1}, "Reshape": {"same": 10},
    "Resize": {"same": 39}, "Selu": {"same": 3}, "Sigmoid": {"same": 2}, "Slice": {"same": 8},
    "Softmax": {"same": 7}, "Softplus": {"same": 2}, "Softsign": {"same": 2}, "SpaceToDepth": {},
    "Split": {"same": 16}, "Sqrt": {"same": 2}, "Squeeze": {"same": 2},
    "Sub": {"same": 3, "other type": 6}, "Sum": {"same": 3}, "Swish": {"same": 1},
    "Tanh": {"same": 2}, "ThresholdedRelu": {"same": 3}, "Tile": {"same": 2},
    "TopK": {"same": 3, "other type": 4}, "Transpose": {"same": 7}, "Unsqueeze": {"same": 7},
    "Upsample": {"same": 1},
}  # fmt: skip

#: Operators all of whose operands may be computed; they are tried in this form too.
OF_SEVERAL = {"Add", "Concat", "Div", "MatMul", "Max", "Mean", "Min", "Mul", "PRelu", "Sub", "Sum"}

#: Cases that are refused, and a word of the reason.
REFUSED = {
    "test_mvn": "shapes that do not fit",  # the onnx package cannot infer its default axes
    "test_batchnorm_example_training_mode": "training mode",
    "test_batchnorm_epsilon_training_mode": "training mode",
    "test_training_dropout_default": "training mode",
    "test_training_dropout_default_mask": "training mode",
    "test_training_dropout": "training mode",
    "test_training_dropout_mask": "training mode",
    "test_training_dropout_zero_ratio": "training mode",
    "test_training_dropout_zero_ratio_mask": "training mode",
}
#: The reason where the installed onnx package defines an operator anew, beyond onnxruntime.
OTHER_OPSET = "known are 7 to"


@pytest.fixture(scope="session")
def cases():
    """The onnx package's node tests by operator; expanded function bodies are other operators."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it computes infinities on purpose
        found = defaultdict(list)
        for case in load_model_tests(kind="node"):
            if len(case.model.graph.node) == 1 and not case.name.endswith("_expanded"):
                found[case.model.graph.node[0].op_type].append(case)
    return found


def forms(case):
    """The model with constant parameters, and with none where all operands may be computed."""
    op = case.model.graph.node[0].op_type
    inputs, _ = case.data_sets[0]
    for constants in (True, False) if op in OF_SEVERAL and len(inputs) > 1 else (True,):
        model = onnx.ModelProto()
        model.CopyFrom(case.model)
        names = [i.name for i in model.graph.input]
        given = dict(zip(names, inputs, strict=True))
        if constants:
            del model.graph.input[1:]
            for name in names[1:]:
                model.graph.initializer.append(
                    numpy_helper.from_array(np.asarray(given[name]), name)
                )
        feeds = {i.name: given[i.name] for i in model.graph.input}
        yield model, feeds


def is_float(case):
    inputs, outputs = case.data_sets[0]
    values = [v for v in (inputs[0], outputs[0]) if not isinstance(v, list)]
    return len(values) == 2 and all(np.asarray(v).dtype == np.float32 for v in values)


def lowered(model):
    """The canonical form, or our reason for refusing the model."""
    try:
        canonical = canonicalise(*read_source(model))
    except Onnx2SnnError as error:
        return None, str(error)
    reasons = [never(n) for n in canonical.graph.nodes]
    found = [r[0] for r in reasons if r is not None]
    return (None, found[0]) if found else (canonical.to_model(), "")


def outcome(case, run_stock):
    """The kind of outcome, and the reason of a refusal."""
    if not is_float(case):
        return "other type", ""
    for model, feeds in forms(case):
        canonical, reason = lowered(model)
        if canonical is None:
            return "other opset" if OTHER_OPSET in reason else "refused", reason
        try:
            wanted = run_stock(model, feeds)
        except ort_errors.NotImplemented:
            return "not in onnxruntime", ""
        for a, b in zip(run_stock(canonical, feeds), wanted, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5, err_msg=case.name)
    return "same", ""


@pytest.mark.parametrize("op", COUNTS)
def test_the_canonical_form_computes_the_same(cases, run_stock, op):
    assert cases[op]
    kinds = Counter()
    for case in cases[op]:
        kind, reason = outcome(case, run_stock)
        kinds[kind] += 1
        if kind == "refused":
            assert REFUSED[case.name] in reason
            assert len(reason.splitlines()) == 1
    assert Counter(COUNTS[op]) <= kinds
    assert set(kinds) <= {*COUNTS[op], "other opset"}
