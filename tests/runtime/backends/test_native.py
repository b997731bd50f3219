"""The native backend: kernels where there are any, function bodies elsewhere."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import onnxruntime
import pytest

import onnx2snn_runtime.backends.native as native
from onnx2snn_runtime.backend import BACKENDS, BackendOptions
from onnx2snn_runtime.backends.stock import CPU
from onnx2snn_runtime.errors import BackendError
from onnx2snn_runtime.instrument import with_outputs
from onnx2snn_runtime.native.library import usable_library


def load(model, **options):
    return BACKENDS.get("native")(model, BackendOptions(**options))


with_kernels = pytest.mark.skipif(
    usable_library() is None, reason="this installation has no compiled kernels"
)


@with_kernels
def test_runs_the_kernels_and_not_the_bodies(wrong_bodies, images, simulate):
    (answer,) = load(wrong_bodies).run(["answer"], {"image": images})
    np.testing.assert_array_equal(answer, simulate(images, 4)["mean"][-1])


def test_runs_the_bodies_where_there_are_no_kernels(wrong_bodies, images, simulate, monkeypatch):
    monkeypatch.setattr(native, "usable_library", lambda: None)
    (answer,) = load(wrong_bodies).run(["answer"], {"image": images})
    assert not np.array_equal(answer, simulate(images, 4)["mean"][-1])


def test_other_providers_keep_the_bodies(network, monkeypatch):
    told = []
    monkeypatch.setattr(native, "StockExecutable", lambda *given: told.append(given[2:]))
    monkeypatch.setattr(native, "load_stock", lambda *given: told.append(given[2:]))
    monkeypatch.setattr(native, "usable_library", lambda: "the kernels")
    monkeypatch.setattr(native, "instructions", lambda _: "avx2")
    load(network())
    load(network(), providers=("CUDAExecutionProvider", "CPUExecutionProvider"))
    assert told == [("the kernels",), ()]


@pytest.mark.parametrize("threads", [0, 1, 2])
def test_threads_change_nothing(network, images, simulate, threads):
    executable = load(network(), threads=threads)
    (answer,) = executable.run(["answer"], {"image": images})
    np.testing.assert_array_equal(answer, simulate(images, 4)["mean"][-1])


def test_spikes_and_potentials(network, images, simulate):
    names = ["fire", "fire_v_final", "pool", "pool_v_final"]
    model = with_outputs(network(), names)
    fire, fire_v, pool, pool_v = load(model).run(names, {"image": images})
    want = simulate(images, 4)
    np.testing.assert_array_equal(fire.reshape(4, 5, 2, 4, 4), want["spikes"]["fire.node"])
    np.testing.assert_array_equal(pool.reshape(4, 5, 2, 2, 2), want["spikes"]["pool.node"])
    np.testing.assert_array_equal(fire_v, want["v_final"]["fire.node"])
    np.testing.assert_array_equal(pool_v, want["v_final"]["pool.node"])


@pytest.mark.parametrize("neurons", ["unary", "averaged", "radix"])
def test_staircases(staircases, neurons):
    x = np.random.default_rng(5).integers(-4, 5, (6, 4)).astype(np.float32)
    emission = {"unary": "once", "averaged": "averaged", "radix": "radix"}[neurons]
    mode = "radix" if neurons == "radix" else "sum"
    model = staircases(emission=emission, neurons=neurons, mode=mode)
    stock = BACKENDS.get("stock")(model, BackendOptions()).run(["answer"], {"x": x})
    np.testing.assert_array_equal(load(model).run(["answer"], {"x": x}), stock)


def test_one_executable_in_many_threads(network, images, simulate):
    executable = load(network())
    want = simulate(images, 9)["mean"][-1]
    feeds = {"image": images, "timesteps": np.array(9)}
    with ThreadPoolExecutor(4) as pool:
        for (answer,) in pool.map(lambda _: executable.run(["answer"], feeds), range(40)):
            np.testing.assert_array_equal(answer, want)


@with_kernels
def test_a_refusal_names_the_node(network, images):
    executable = load(network())
    with pytest.raises(BackendError, match=r"currents\.node.*T must be from 1") as error:
        executable.run(["answer"], {"image": images, "timesteps": np.array(0)})
    assert "\n" not in str(error.value)


def test_unknown_op(network):
    model = network()
    model.graph.node[1].op_type = "Abacus"
    with pytest.raises(BackendError, match="Abacus"):
        load(model)


def test_options_reach_onnxruntime(network, monkeypatch):
    told = []

    def record(model, options, providers):
        told.append((options.intra_op_num_threads, providers))

    monkeypatch.setattr(onnxruntime, "InferenceSession", record)
    load(network(), threads=3)
    assert told == [(3, ["CPUExecutionProvider"])]


@pytest.mark.parametrize(
    ("instructions", "rewrite"),
    [
        ("amx", {"threads": 2, "tiles": True, "floats": True}),
        ("avx512vnni", {"threads": 2, "tiles": False, "floats": False}),
        ("portable", None),
    ],
)
def test_what_runs_packed(network, monkeypatch, instructions, rewrite):
    told = []
    monkeypatch.setattr(native, "StockExecutable", lambda model, *given: model)
    monkeypatch.setattr(native, "usable_library", lambda: "the kernels")
    monkeypatch.setattr(native, "instructions", lambda _: instructions)
    monkeypatch.setattr(native, "with_packed_spikes", lambda model, **given: told.append(given))
    load(network(), threads=2)
    assert told == ([rewrite] if rewrite else [])


@with_kernels
def test_has_kernels():
    """On the CPU alone."""
    assert native.has_kernels(BackendOptions())
    assert not native.has_kernels(BackendOptions(("CUDAExecutionProvider", CPU)))


def test_has_no_kernels(monkeypatch):
    monkeypatch.setattr(native, "usable_library", lambda: None)
    assert not native.has_kernels(BackendOptions())
