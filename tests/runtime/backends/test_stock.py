"""The stock backend: onnxruntime with the file's own function bodies."""

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from onnx2snn_runtime.backend import BACKENDS, BackendOptions
from onnx2snn_runtime.errors import BackendError


def load(model, **options):
    return BACKENDS.get("stock")(model, BackendOptions(**options))


def test_runs_the_body(network, wrong_bodies, images):
    """A changed body changes the answer: nothing of ours computes it."""
    (right,) = load(network()).run(["answer"], {"image": images})
    (wrong,) = load(wrong_bodies).run(["answer"], {"image": images})
    assert not np.array_equal(right, wrong)


def test_outputs_in_the_order_asked_for(network, images):
    executable = load(network())
    with pytest.raises(BackendError, match="cannot run"):
        executable.run(["answer", "nothing"], {"image": images})
    (answer,) = executable.run(["answer"], {"image": images})
    assert answer.shape == (5, 3)


def test_overridden_timesteps_warn_nobody(network, images, capfd):
    executable = load(network())
    executable.run(["answer"], {"image": images, "timesteps": np.array(9, np.int64)})
    assert capfd.readouterr() == ("", "")


def test_unknown_provider(network):
    with pytest.raises(BackendError) as error:
        load(network(), providers=("CPUExecutionProvider", "AbacusExecutionProvider"))
    assert "AbacusExecutionProvider is not" in str(error.value)
    assert "\n" not in str(error.value)


def test_options_reach_onnxruntime(network, monkeypatch):
    told = []

    def record(model, options, providers):
        told.append((options.intra_op_num_threads, providers))

    monkeypatch.setattr(onnxruntime, "InferenceSession", record)
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["A", "B", "C"])
    load(network(), providers=("C", "A"), threads=3)
    assert told == [(3, ["C", "A"])]


def test_unknown_op(network):
    model = network()
    model.graph.node[1].op_type = "Abacus"
    with pytest.raises(BackendError, match="Abacus") as error:
        load(model)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("threads", [0, 1, 2])
def test_threads_change_nothing(network, images, simulate, threads):
    (answer,) = load(network(), threads=threads).run(["answer"], {"image": images})
    np.testing.assert_array_equal(answer, simulate(images, 4)["mean"][-1])


def test_matrices_of_integers_are_multiplied_in_float32():
    """onnxruntime may choose kernels that round activations to 8 bits, which is off by 0.5 %."""
    rng = np.random.default_rng(0)
    codes = rng.integers(-127, 128, (256, 128)).astype(np.int8)
    scales = rng.uniform(0.001, 0.01, 128).astype(np.float32)
    x = rng.normal(0, 1, (16, 256)).astype(np.float32)
    nodes = [
        helper.make_node("DequantizeLinear", ["q", "s"], ["w"], axis=1),
        helper.make_node("Gemm", ["x", "w"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "rounded",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 256])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 128])],
        [numpy_helper.from_array(codes, "q"), numpy_helper.from_array(scales, "s")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    (got,) = load(model).run(["y"], {"x": x})
    wanted = x.astype(np.float64) @ (codes * scales)
    assert np.abs(got - wanted).max() < 1e-5 * np.abs(wanted).max()
