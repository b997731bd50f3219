"""SpikingSession: small networks against NumPy, other T, batches, refusals."""

import numpy as np
import pytest
from onnx import TensorProto, helper

from onnx2snn_runtime import (
    BackendError,
    DataError,
    ModelFileError,
    Onnx2SnnError,
    RegistryError,
    SpikingSession,
    TimestepsError,
)
from small_networks import BACKENDS


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
