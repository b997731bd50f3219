"""SpikingSession: small networks against NumPy, other T, batches, observing, refusals."""

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from onnx2snn_runtime import (
    BackendError,
    DataError,
    ModelFileError,
    Onnx2SnnError,
    RegistryError,
    SpikingSession,
    TimestepsError,
    carry,
)
from onnx2snn_runtime.opspec import DOMAIN, functions_for

BACKENDS = ("stock", "reference")


@pytest.fixture(params=BACKENDS)
def backend(request):
    return request.param


@pytest.fixture
def session(network):
    return SpikingSession(network())


CODES = np.random.default_rng(12).integers(-3, 4, (6, 4)).astype(np.float32)
CODES[0] = [0, 0, 1, 0]

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


class TestRun:
    @pytest.mark.parametrize("T", [1, 2, 4, 9])
    @pytest.mark.parametrize("mode", ["mean", "sum"])
    def test_is_what_numpy_says(self, network, images, simulate, backend, same_bits, T, mode):
        answer = SpikingSession(network(mode=mode), backend=backend).run(images, T)
        assert list(answer) == ["answer"]
        want = simulate(images, T)[mode][-1].astype(np.float32)
        assert same_bits(answer["answer"], want)

    def test_examples_are_not_trivial(self, images, simulate):
        """Populations neither silent nor saturated, answers that differ and change with T."""
        known = simulate(images, 9)
        for spikes in known["spikes"].values():
            assert 0.3 < spikes.mean() < 0.9
        assert len(np.unique(known["mean"][-1], axis=0)) == len(images)
        assert not np.array_equal(known["mean"][3], known["mean"][8])

    def test_backends_agree(self, network, images, same_bits):
        a, b = (SpikingSession(network(), backend=b).run(images, 5)["answer"] for b in BACKENDS)
        assert same_bits(a, b)

    def test_default_time_is_the_file_s(self, network, images, simulate):
        answer = SpikingSession(network(T=6)).run(images)["answer"]
        np.testing.assert_array_equal(answer, simulate(images, 6)["mean"][-1])

    def test_time_may_be_a_numpy_integer(self, session, images, simulate):
        answer = session.run(images, np.int64(3))["answer"]
        np.testing.assert_array_equal(answer, simulate(images, 3)["mean"][-1])

    def test_auto_is_stock(self, network, images, same_bits):
        auto = SpikingSession(network()).run(images)["answer"]
        stock = SpikingSession(network(), backend="stock").run(images)["answer"]
        assert same_bits(auto, stock)

    def test_a_thread(self, network, images, simulate):
        answer = SpikingSession(network(), threads=1).run(images)["answer"]
        np.testing.assert_array_equal(answer, simulate(images, 4)["mean"][-1])

    def test_path_bytes_and_proto_are_the_same(self, network, images, tmp_path, same_bits):
        model = network()
        path = tmp_path / "network.snn.onnx"
        path.write_bytes(model.SerializeToString())
        sources = (path, str(path), model.SerializeToString(), model)
        first, *others = (SpikingSession(source).run(images)["answer"] for source in sources)
        assert all(same_bits(first, other) for other in others)

    @pytest.mark.parametrize("kind", [np.float64, np.float32, np.int64, np.uint8])
    def test_any_kind_of_number(self, session, images, simulate, kind):
        answer = session.run(images.astype(kind))["answer"]
        np.testing.assert_array_equal(answer, simulate(images, 4)["mean"][-1])

    def test_nested_lists(self, session, images, simulate):
        answer = session.run({"image": images.tolist()})["answer"]
        np.testing.assert_array_equal(answer, simulate(images, 4)["mean"][-1])

    def test_several_inputs(self, two_inputs, backend):
        # Sums: 4, 2, 0 and 1, 8, -3; theta = 4, hard reset, T = 4.
        left, right = [[1, 2, 0], [0, 4, -3]], [[3, 0, 0], [1, 4, 0]]
        session = SpikingSession(two_inputs(), backend=backend)
        assert [i.name for i in session.inputs] == ["left", "right"]
        answer = session.run({"right": np.array(right), "left": np.array(left)})
        assert answer["count"].tolist() == [[4, 2, 0], [1, 4, 0]]

    def test_a_part_that_waits(self, waiting, backend):
        # x = 1, 3, 5, theta = 4, T = 4: 1, 3 and 4 spikes, fed again: 1, 3 and 4 spikes.
        answer = SpikingSession(waiting(), backend=backend).run(np.array([[1, 3, 5]]))
        assert answer["count"].tolist() == [[1, 3, 4]]

    def test_the_model_is_left_alone(self, network, images):
        model = network()
        before = model.SerializeToString(deterministic=True)
        session = SpikingSession(model)
        session.run(images)
        session.observe(images)
        session.trace(images)
        assert model.SerializeToString(deterministic=True) == before


class TestBatches:
    @pytest.mark.parametrize("size", [1, 2, 3, 5, 64])
    def test_size_changes_nothing(self, network, images, backend, size, same_bits):
        session = SpikingSession(network(), backend=backend)
        whole, parts = session.run(images, 5), session.run(images, 5, batch_size=size)
        assert same_bits(whole["answer"], parts["answer"])
        whole, parts = session.trace(images, 5), session.trace(images, 5, batch_size=size)
        for name in session.populations:
            assert same_bits(whole.spikes[name], parts.spikes[name])
            assert same_bits(whole.v_final[name], parts.v_final[name])
        whole, parts = session.observe(images, 5), session.observe(images, 5, batch_size=size)
        assert same_bits(whole.outputs["answer"], parts.outputs["answer"])
        for name in session.populations:
            np.testing.assert_allclose(whole.rates[name], parts.rates[name], rtol=1e-6)

    def test_progress(self, session, images):
        told = []
        session.run(images, batch_size=2, progress=lambda *step: told.append(step))
        assert told == [(2, 5), (4, 5), (5, 5)]

    def test_observe_tells_progress(self, session, images):
        told = []
        session.observe(images, batch_size=4, progress=lambda *step: told.append(step))
        assert told == [(4, 5), (5, 5)]

    @pytest.mark.parametrize("size", [0, -1])
    @pytest.mark.parametrize("method", ["run", "observe", "trace"])
    @pytest.mark.parametrize("what", ["batch_size", "window"])
    def test_senseless_size(self, session, images, method, what, size, one_line):
        with pytest.raises(DataError) as error:
            getattr(session, method)(images, **{what: size})
        assert what.replace("_", " ") in one_line(error)

    def test_fixed_batch(self, network, images, simulate, backend):
        session = SpikingSession(network(batch=2), backend=backend)
        assert session.inputs[0].shape == (2, 1, 6, 6)
        # Four samples run two at a time, whatever is asked for.
        for size in (None, 1, 3):
            answer = session.run(images[:4], 3, batch_size=size)["answer"]
            np.testing.assert_array_equal(answer, simulate(images[:4], 3)["mean"][-1])

    def test_fixed_batch_and_a_rest(self, network, images, one_line):
        with pytest.raises(DataError) as error:
            SpikingSession(network(batch=2)).run(images)
        assert "fixed batch of 2" in one_line(error)


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


class TestTimesteps:
    def test_free(self, session):
        assert (session.timesteps, session.timesteps_fixed) == (4, False)

    def test_fixed(self, network, images, simulate, backend):
        session = SpikingSession(network(T=7, fixed=True), backend=backend)
        assert (session.timesteps, session.timesteps_fixed) == (7, True)
        want = simulate(images, 7)["mean"][-1]
        np.testing.assert_array_equal(session.run(images)["answer"], want)
        np.testing.assert_array_equal(session.run(images, 7)["answer"], want)

    @pytest.mark.parametrize("method", ["run", "observe", "trace"])
    def test_fixed_refuses_another(self, network, images, tmp_path, method, one_line):
        path = tmp_path / "fixed.onnx"
        path.write_bytes(network(T=7, fixed=True).SerializeToString())
        with pytest.raises(TimestepsError) as error:
            getattr(SpikingSession(path), method)(images, 8)
        text = one_line(error)
        assert text.startswith(str(path))
        assert "T = 7" in text
        assert "T = 8" in text
        assert "-T 8" in text  # the remedy

    @pytest.mark.parametrize("T", [0, -3, 2.5, "4"])
    @pytest.mark.parametrize("method", ["run", "observe", "trace"])
    def test_senseless(self, session, images, method, T, one_line):
        with pytest.raises(TimestepsError) as error:
            getattr(session, method)(images, T)
        assert str(T) in one_line(error)

    @pytest.mark.parametrize(
        "tensor",
        [
            helper.make_tensor("timesteps", TensorProto.INT64, [1], [4]),
            helper.make_tensor("timesteps", TensorProto.INT64, [], [0]),
            helper.make_tensor("timesteps", TensorProto.INT64, [], [-4]),
            helper.make_tensor("timesteps", TensorProto.FLOAT, [], [4]),
            helper.make_tensor("timesteps", TensorProto.INT32, [], [4]),
        ],
        ids=["vector", "zero", "negative", "float", "int32"],
    )
    def test_unusable_initializer(self, network, tensor, one_line):
        model = network(fixed=True)
        model.graph.initializer[-1].CopyFrom(tensor)
        with pytest.raises(ModelFileError) as error:
            SpikingSession(model)
        assert "timesteps" in one_line(error)


class TestDescription:
    def test_inputs_and_outputs(self, session):
        (image,), (answer,) = session.inputs, session.outputs
        assert (image.name, image.dtype, image.shape) == (
            "image",
            np.dtype("float32"),
            ("N", 1, 6, 6),
        )
        assert (answer.name, answer.dtype, answer.shape) == (
            "answer",
            np.dtype("float32"),
            ("N", 3),
        )

    def test_populations_in_order(self, session):
        assert session.populations == ("fire.node", "pool.node")

    def test_populations_without_node_names(self, network, images, simulate, backend):
        """Tools drop node names; populations keep names of their own then."""
        model = network()
        for node in model.graph.node:
            node.ClearField("name")
        session = SpikingSession(model, backend=backend)
        assert session.populations == ("fire", "pool")
        trace, seen = session.trace(images, 3), session.observe(images, 3)
        for name in session.populations:
            known = simulate(images, 3)["spikes"][name + ".node"]
            np.testing.assert_array_equal(trace.spikes[name], known)
            np.testing.assert_allclose(seen.rates[name], known.reshape(3, -1).mean(axis=1))

    def test_anytime(self, network, waiting, two_inputs):
        assert SpikingSession(network()).is_anytime
        assert SpikingSession(two_inputs()).is_anytime
        assert not SpikingSession(waiting()).is_anytime


class TestObserve:
    @pytest.mark.parametrize("mode", ["mean", "sum", "last", "radix"])
    def test_answers_are_those_of_shorter_runs(self, network, images, backend, mode, same_bits):
        session = SpikingSession(network(mode=mode), backend=backend)
        answers = session.observe(images, 6).outputs["answer"]
        assert answers.shape == (6, 5, 3)
        for t in range(6):
            assert same_bits(answers[t], session.run(images, t + 1)["answer"])

    def test_answers_are_what_numpy_says(self, session, images, simulate, same_bits):
        answers = session.observe(images, 6).outputs["answer"]
        assert same_bits(answers, simulate(images, 6)["mean"])

    def test_rates(self, network, images, simulate, backend):
        session = SpikingSession(network(), backend=backend)
        rates = session.observe(images, 6).rates
        trace = session.trace(images, 6)
        known = simulate(images, 6)["spikes"]
        assert tuple(rates) == session.populations
        for name, rate in rates.items():
            assert rate.shape == (6,)
            np.testing.assert_allclose(
                rate, trace.spikes[name].reshape(6, -1).mean(axis=1), rtol=1e-6
            )
            np.testing.assert_allclose(rate, known[name].reshape(6, -1).mean(axis=1), rtol=1e-6)

    @pytest.mark.parametrize("window", [1, 3, 40])
    def test_settled(self, staircases, backend, window):
        """By sample: the last step in which any population fires, counted from 1."""
        session = SpikingSession(staircases(), backend=backend)
        still = np.zeros((2, 4))
        for x in (CODES, still):
            trains = session.trace(x).spikes.values()
            moving = sum(np.abs(t).reshape(40, len(x), -1).sum(axis=2) for t in trains) > 0
            want = [max(np.flatnonzero(row) + 1, default=0) for row in moving.T]
            settled = session.observe(x, window=window, batch_size=4).settled
            assert settled.dtype == np.int64
            assert settled.tolist() == want
        assert len(set(session.observe(CODES).settled.tolist())) > 2

    def test_never_settled(self, session, images):
        assert session.observe(images, 6).settled.tolist() == [6] * 5

    def test_negative_spikes_are_spikes(self, staircases, backend):
        session = SpikingSession(staircases(), backend=backend)
        rates, spikes = session.observe(CODES).rates, session.trace(CODES).spikes
        for name, train in spikes.items():
            want = np.abs(train).reshape(40, -1).mean(axis=1)
            np.testing.assert_allclose(rates[name], want, rtol=1e-6)

    def test_the_last_answer_only(self, network, waiting, images, simulate, backend):
        seen = SpikingSession(network(), backend=backend).observe(images, 6, every_step=False)
        known = simulate(images, 6)
        np.testing.assert_array_equal(seen.outputs["answer"], known["mean"][-1:])
        for name, train in known["spikes"].items():
            np.testing.assert_allclose(
                seen.rates[name], train.reshape(6, -1).mean(axis=1), rtol=1e-6
            )
        # x = 1, 3, 5, theta = 4: spikes at steps 4; 2, 3, 4; all. The same again behind.
        seen = SpikingSession(waiting(), backend=backend).observe([[1, 3, 5]], every_step=False)
        assert seen.outputs["count"].tolist() == [[[1, 3, 4]]]
        np.testing.assert_allclose(seen.rates["one.node"], np.array([1, 2, 2, 3]) / 3)
        assert list(seen.rates) == ["one.node", "two.node"]
        assert seen.settled.tolist() == [4]

    def test_totals(self, network, staircases, images, simulate, backend, same_bits):
        found = SpikingSession(network(), backend=backend).totals(images, 6, batch_size=2)
        known = simulate(images, 6)
        assert same_bits(found.outputs["answer"], known["mean"][-1].astype(np.float32))
        for name, train in known["spikes"].items():
            assert found.rates[name] == pytest.approx(train.mean(), rel=1e-6)
        session = SpikingSession(staircases(), backend=backend)
        for name, train in session.trace(CODES).spikes.items():
            assert session.totals(CODES).rates[name] == pytest.approx(np.abs(train).mean())

    def test_without_populations(self, network, images):
        model = network()
        for node in list(model.graph.node):
            if node.op_type in ("IntegrateFire", "SpikeAveragePool"):
                model.graph.node.remove(node)
            elif node.op_type == "Flatten":
                node.input[0] = "conv_out"
        weights = next(t for t in model.graph.initializer if t.name == "gemm")
        weights.CopyFrom(numpy_helper.from_array(np.ones((32, 3), np.float32), "gemm"))
        seen = SpikingSession(model).observe(images, 3)
        assert (seen.outputs["answer"].shape, seen.rates) == ((3, 5, 3), {})
        assert seen.settled.tolist() == [0] * 5

    def test_default_time(self, session, images):
        assert session.observe(images).outputs["answer"].shape == (4, 5, 3)

    def test_fixed_time(self, network, images, simulate):
        seen = SpikingSession(network(T=3, fixed=True)).observe(images)
        np.testing.assert_array_equal(seen.outputs["answer"], simulate(images, 3)["mean"])

    def test_attributes_left_out(self, network, images, simulate, backend):
        """`cumulative` = 0 is the default, so another tool may leave it out."""
        model = network()
        del model.graph.node[-1].attribute[:]
        session = SpikingSession(model, backend=backend)
        answers = session.observe(images, 4).outputs["answer"]
        np.testing.assert_array_equal(answers, simulate(images, 4)["mean"])

    def test_refuses_what_waits(self, waiting, one_line):
        session = SpikingSession(waiting())
        with pytest.raises(BackendError) as error:
            session.observe(np.ones((1, 3)))
        assert "waits for the whole window" in one_line(error)


class TestTrace:
    def test_is_what_numpy_says(self, network, images, simulate, backend, same_bits):
        trace = SpikingSession(network(), backend=backend).trace(images, 6)
        known = simulate(images, 6)
        for name, shape in (("fire.node", (2, 4, 4)), ("pool.node", (2, 2, 2))):
            assert trace.spikes[name].shape == (6, 5, *shape)
            assert same_bits(trace.spikes[name], known["spikes"][name].astype(np.int8))
            assert same_bits(trace.v_final[name], known["v_final"][name].astype(np.float32))

    def test_chosen_populations(self, session, network, images, same_bits):
        both = session.trace(images)
        fresh = SpikingSession(network())
        for chosen in (["pool.node"], ["pool.node", "fire.node"], ["pool.node"] * 2):
            trace = fresh.trace(images, populations=chosen)
            assert set(trace.spikes) == set(trace.v_final) == set(chosen)
            for name in chosen:
                assert same_bits(trace.spikes[name], both.spikes[name])
                assert same_bits(trace.v_final[name], both.v_final[name])

    def test_default_time(self, session, images):
        assert session.trace(images).spikes["fire.node"].shape == (4, 5, 2, 4, 4)

    def test_unknown_population(self, session, images, one_line):
        with pytest.raises(DataError) as error:
            session.trace(images, populations=["fire.node", "water.node"])
        text = one_line(error)
        assert "water.node" in text
        assert "fire.node" in text  # the remedy lists what there is

    def test_signed_spikes(self, staircases, climb, backend):
        session = SpikingSession(staircases(), backend=backend)
        trace = session.trace(CODES)
        assert session.populations == ("stairs0.node", "stairs1.node")
        for train in trace.spikes.values():
            assert train.dtype == np.int8
            assert set(np.unique(train)) == {-1, 0, 1}
        np.testing.assert_array_equal(trace.spikes["stairs1.node"].sum(axis=0), climb(CODES))
        assert trace.v_final["stairs1.node"].dtype == np.int64  # the accumulator


class TestBackends:
    def test_unknown(self, network, one_line):
        with pytest.raises(RegistryError) as error:
            SpikingSession(network(), backend="abacus")
        text = one_line(error)
        assert "abacus" in text
        assert "reference" in text
        assert "stock" in text

    def test_unknown_provider(self, network, one_line):
        with pytest.raises(BackendError) as error:
            SpikingSession(network(), providers=["AbacusExecutionProvider"])
        text = one_line(error)
        assert "AbacusExecutionProvider" in text
        assert "CPUExecutionProvider" in text

    def test_unloadable(self, network, backend, one_line):
        model = network()
        model.graph.node[1].op_type = "Abacus"
        with pytest.raises(BackendError) as error:
            SpikingSession(model, backend=backend)
        assert "Abacus" in one_line(error)

    def test_failing(self, network, backend, one_line):
        """An input that the graph cannot digest, though its declared shape allows it."""
        model = network()
        model.graph.input[0].type.tensor_type.shape.dim[2].dim_param = "H"
        session = SpikingSession(model, backend=backend)
        with pytest.raises(BackendError) as error:
            session.run(np.ones((1, 1, 9, 6)))
        one_line(error)

    def test_every_error_is_ours(self):
        for kind in (BackendError, DataError, ModelFileError, RegistryError, TimestepsError):
            assert issubclass(kind, Onnx2SnnError)
