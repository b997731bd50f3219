"""SpikingSession: a run cut into windows, and one that ends when the network has settled."""

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import helper, numpy_helper

from onnx2snn_runtime import BackendError, SpikingSession, carry
from onnx2snn_runtime.opspec import DOMAIN, functions_for
from small_networks import BACKENDS, CODES

_SESSIONS = {}


def cached(network, backend, mode):
    """One session for each backend and mode, so that many examples cost little."""
    key = (backend, mode)
    if key not in _SESSIONS:
        _SESSIONS[key] = SpikingSession(network(mode=mode), backend=backend)
    return _SESSIONS[key]


def seen_lengths(monkeypatch):
    """A list that gets, for every batch from now on, the lengths of its windows."""
    seen = []
    original = carry.window_lengths

    def listen(timesteps, window):
        seen.append([])
        for length in original(timesteps, window):
            seen[-1].append(length)
            yield length

    monkeypatch.setattr(carry, "window_lengths", listen)
    return seen


class TestWindows:
    @settings(max_examples=25)
    @given(
        T=st.integers(1, 9),
        window=st.integers(1, 10),
        size=st.integers(1, 6),
        mode=st.sampled_from(["mean", "sum", "last", "radix"]),
        backend=st.sampled_from(BACKENDS),
    )
    def test_cuts_change_nothing(self, network, images, T, window, size, mode, backend):
        """Neither of time nor of samples: the bits are those of NumPy's one simulation."""
        session = cached(network, backend, mode)
        sizes = {"batch_size": size, "window": window}
        whole = session.run(images, T, window=T, batch_size=5)["answer"]
        assert np.array_equal(session.run(images, T, **sizes)["answer"], whole)
        want, seen = session.observe(images, T, window=T), session.observe(images, T, **sizes)
        assert np.array_equal(seen.outputs["answer"], want.outputs["answer"])
        assert np.array_equal(seen.settled, want.settled)
        want, trace = session.trace(images, T, window=T), session.trace(images, T, **sizes)
        for name in session.populations:
            np.testing.assert_allclose(
                seen.rates[name], trace.spikes[name].reshape(T, -1).mean(axis=1), rtol=1e-6
            )
            assert np.array_equal(trace.spikes[name], want.spikes[name])
            assert np.array_equal(trace.v_final[name], want.v_final[name])

    @pytest.mark.parametrize("window", [1, 3, 7])
    def test_is_what_numpy_says(self, network, images, simulate, backend, same_bits, window):
        """Also of a file whose constants are made for its T."""
        for fixed in (False, True):
            session = SpikingSession(network(T=7, fixed=fixed), backend=backend)
            answer = session.run(images, window=window)["answer"]
            assert same_bits(answer, simulate(images, 7)["mean"][-1])

    def test_fractions(self, network, images, same_bits):
        """Sums are not made in another order: the bits agree even where they are rounded."""
        session = SpikingSession(network())
        x = np.random.default_rng(3).normal(0, 2, images.shape).astype(np.float32)
        whole = session.run(x, 9, window=9)["answer"]
        assert same_bits(session.run(x, 9, window=2)["answer"], whole)

    def test_memory_decides(self, network, images, monkeypatch):
        """With next to none, one step of one sample is simulated at once."""
        lengths = seen_lengths(monkeypatch)
        told = []
        model = onnx.shape_inference.infer_shapes(network())
        session = SpikingSession(model, memory=1)
        session.run(images, 3, progress=lambda *step: told.append(step))
        assert told == [(n, 5) for n in (1, 2, 3, 4, 5)]
        assert lengths == [[1, 1, 1]] * 5
        lengths.clear()
        SpikingSession(model).run(images, 3)
        assert lengths == [[3]]

    def test_what_waits_cannot_be_cut(self, waiting, one_line):
        session = SpikingSession(waiting())
        x = np.array([[1, 3, 5]])
        for call in (session.run, session.trace):
            with pytest.raises(BackendError) as error:
                call(x, window=3)
            assert "again.node" in one_line(error)
        assert session.run(x, window=4)["count"].tolist() == [[1, 3, 4]]

    def test_what_waits_takes_fewer_samples(self, waiting, monkeypatch):
        lengths = seen_lengths(monkeypatch)
        model = onnx.shape_inference.infer_shapes(waiting())
        session = SpikingSession(model, memory=1)
        answer = session.run(np.array([[1, 3, 5], [5, 3, 1]]))
        assert answer["count"].tolist() == [[1, 3, 4], [4, 3, 1]]
        assert lengths == [[4], [4]]


class TestUntilSettled:
    @pytest.mark.parametrize("emission", ["once", "unary"])
    def test_is_the_whole_run(self, staircases, climb, backend, emission, same_bits, monkeypatch):
        lengths = seen_lengths(monkeypatch)
        session = SpikingSession(staircases(T=300, emission=emission), backend=backend)
        whole = session.run(CODES, window=300)["answer"]
        np.testing.assert_array_equal(whole, climb(CODES))
        assert len(np.unique(whole)) > 3  # or the example would say little
        lengths.clear()
        assert same_bits(session.run(CODES, until_settled=True)["answer"], whole)
        assert [len(batch) for batch in lengths] == [2]  # windows of 16: at rest in the second
        lengths.clear()
        early = session.run(CODES, until_settled=True, window=1, batch_size=2)["answer"]
        assert same_bits(early, whole)
        assert all(len(batch) < 20 for batch in lengths)

    def test_time_may_be_too_short(self, staircases, same_bits):
        session = SpikingSession(staircases(T=2))
        whole = session.run(CODES)["answer"]
        assert same_bits(session.run(CODES, until_settled=True)["answer"], whole)

    def test_silence_is_not_rest(self, staircases):
        """A small constant current fires after many silent windows."""
        model = staircases(T=100)
        constants = {"push": np.array([1], np.float32), "high": np.array([60], np.float32)}
        model.graph.initializer.extend(numpy_helper.from_array(v, k) for k, v in constants.items())
        late = helper.make_node("Add", ["sum1", "push"], ["pushed"])
        fire = helper.make_node(
            "IntegrateFire",
            ["pushed", "high", "zero", "timesteps"],
            ["late", "late_v"],
            domain=DOMAIN,
            reset="subtract",
        )
        nodes = list(model.graph.node)
        nodes[-1].input[0] = "late"
        del model.graph.node[:]
        model.graph.node.extend([*nodes[:-2], late, fire, nodes[-1]])
        model.functions.extend(functions_for(["IntegrateFire"], 17))
        session = SpikingSession(model)
        silent = np.zeros((1, 4))
        assert session.run(silent, until_settled=True)["answer"].max() == 1

    @pytest.mark.parametrize(
        ("how", "words"),
        [
            ({"emission": "radix"}, "currents.node (CodeEncode)"),
            ({"mode": "mean"}, "answer.node (SpikeDecode)"),
            ({"neurons": "averaged"}, "stairs0.node (StaircaseFire)"),
        ],
    )
    def test_refuses_what_goes_on(self, staircases, how, words, one_line):
        with pytest.raises(BackendError) as error:
            SpikingSession(staircases(T=8, **how)).run(CODES, until_settled=True)
        assert words in one_line(error)

    def test_refuses_a_constant_current(self, session, images, one_line):
        with pytest.raises(BackendError) as error:
            session.run(images, until_settled=True)
        assert "currents.node (DirectEncode)" in one_line(error)
