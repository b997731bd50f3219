"""SpikingSession: what is seen of a run beside its answer."""

import numpy as np
import pytest
from onnx import numpy_helper

from onnx2snn_runtime import BackendError, DataError, SpikingSession
from small_networks import CODES


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
