"""The whole rewrite, and sessions that use it."""

import numpy as np
import pytest
from onnx import helper

from onnx2snn_runtime import SpikingSession
from onnx2snn_runtime.backend import BACKENDS, BackendOptions
from onnx2snn_runtime.backends import native
from onnx2snn_runtime.errors import BackendError
from onnx2snn_runtime.native.library import usable_library
from onnx2snn_runtime.packed import with_packed_spikes
from onnx2snn_runtime.packed.spikes import PACKED_DOMAIN

NETWORK = """
    c = Conv <pads = [1, 1, 1, 1]> (s, w, bias)
    a, a_v = org.onnx2snn.IntegrateFire (c, theta3, v, timesteps)
    p, p_count = org.onnx2snn.SpikeMaxPool
        <kernel_shape = [2, 2], strides = [2, 2], pads = [0, 0, 0, 0]> (a, none, timesteps)
    f = Flatten (p)
    g = Gemm (f, m, bias)
    y, y_acc, y_t = org.onnx2snn.SpikeDecode <mode = "sum"> (g, none, no_steps, timesteps)
    m = DequantizeLinear <axis = 1> (n, scale)
"""
MORE = {
    "none": np.zeros(1, np.float32),
    "no_steps": np.array(0),
    "n": np.random.default_rng(1).integers(-127, 128, (12, 3)).astype(np.int8),
}


def in_order(text):
    """Constants before those that read them."""
    lines = text.strip().split("\n")
    return "\n".join([lines[-1], *lines[:-1]])


@pytest.fixture
def model(make_model):
    made = make_model(in_order(NETWORK), ["y"], **MORE)
    made.graph.input.append(helper.make_tensor_value_info("timesteps", 7, []))
    return made


def packed(model, floats=False):
    return with_packed_spikes(model, threads=1, tiles=False, floats=floats)


def ops(model):
    return [n.op_type for n in model.graph.node]


def test_nothing_is_unpacked_that_nobody_reads(model):
    assert ops(packed(model)) == [
        "DirectEncode",
        "IntegrateFire",
        "Pack",
        "SynapseFire",
        "PackedMaxPool",
        "SynapseCurrent",
        "Transpose",
        "Squeeze",
        "SpikeDecode",
    ]


def test_constant_currents_reach_neurons_once(make_model):
    head = "i = Conv (x, w) e = org.onnx2snn.DirectEncode (i, timesteps)"
    body = """s, s_v = org.onnx2snn.IntegrateFire (e, theta3, v, timesteps)
              c = Conv (s, n) z, z_v = org.onnx2snn.IntegrateFire (c, theta3, v, timesteps)"""
    head = "w = DequantizeLinear <axis = 0> (q, scale) " + head
    weights = np.ones((3, 3, 1, 1), np.float32)
    changed = packed(make_model(body, ["z"], head=head, n=weights), floats=True)
    assert ops(changed)[1:] == ["Conv", "Transpose", "CurrentFire", "SynapseFire", "Unpack"]


def test_spikes_that_are_read_as_floats_are_unpacked(model):
    model.graph.output.append(helper.make_tensor_value_info("p", 1, None))
    changed = packed(model)
    (unpack,) = (n for n in changed.graph.node if n.op_type == "Unpack")
    assert unpack.output[0] == "p"


def test_what_nobody_reads_is_dropped(model):
    names = {t.name for t in packed(model).graph.initializer}
    assert names.isdisjoint({"q", "n", "scale"})
    assert {"timesteps", "v", "none"} <= names


def test_the_given_model_stays_what_it_is(model):
    before = model.SerializeToString(deterministic=True)
    packed(model)
    assert model.SerializeToString(deterministic=True) == before


def test_a_model_without_layers_of_integers(make_model):
    weights = np.ones((3, 2, 1, 1), np.float32)
    body = "c = Conv (s, f) z, z_v = org.onnx2snn.IntegrateFire (c, theta3, v, timesteps)"
    model = make_model(body, ["z"], f=weights)
    assert packed(model) is model
    assert "SynapseFire" in ops(packed(model, floats=True))


def test_float_layers_without_neurons_are_left_alone(make_model):
    model = make_model("y = Conv (s, f)", ["y"], f=np.ones((3, 2, 1, 1), np.float32))
    assert packed(model, floats=True) is model


def test_layers_that_read_no_spikes_are_left_alone(make_model):
    model = make_model("y = Conv (e, w)", ["y"])
    assert packed(model) is model


@pytest.mark.skipif(usable_library() is None, reason="this installation has no compiled kernels")
class TestSessions:
    """Packed sessions do what all sessions do."""

    @pytest.fixture
    def sessions(self, model, monkeypatch):
        loaded = []

        def load(*given, **options):
            loaded.append(with_packed_spikes(*given, **options))
            return loaded[-1]

        monkeypatch.setattr(native, "with_packed_spikes", load)
        sessions = SpikingSession(model), SpikingSession(model, backend="reference")
        assert PACKED_DOMAIN in {o.domain for o in loaded[0].opset_import}
        return sessions

    @pytest.fixture
    def x(self):
        return np.random.default_rng(2).integers(-3, 8, (5, 2, 4, 4)).astype(np.float32)

    def test_windows(self, sessions, x):
        ours, reference = sessions
        want = reference.run(x, 7)["y"]
        assert want.any()
        for window, batch in ((None, None), (1, 2), (3, None), (7, 1)):
            got = ours.run(x, 7, window=window, batch_size=batch)["y"]
            np.testing.assert_array_equal(got, want)

    def test_observation(self, sessions, x):
        ours, reference = (s.observe(x, 6) for s in sessions)
        np.testing.assert_array_equal(ours.outputs["y"], reference.outputs["y"])
        for name, rates in reference.rates.items():
            assert rates.any()
            np.testing.assert_allclose(ours.rates[name], rates, rtol=1e-6)

    def test_weights_of_another_size_are_refused(self, model, x):
        model.graph.input[0].type.tensor_type.shape.dim[2].dim_value = 6
        session = SpikingSession(model)
        with pytest.raises(BackendError, match="weights are of 12 channels, the spikes of 18"):
            session.run(np.concatenate([x, x[:, :, :2]], axis=2))

    def test_trace(self, sessions, x):
        ours, reference = (s.trace(x, 6) for s in sessions)
        for name in reference.spikes:
            np.testing.assert_array_equal(ours.spikes[name], reference.spikes[name])
            np.testing.assert_array_equal(ours.v_final[name], reference.v_final[name])


ENCODED = {
    "rate": "r = org.onnx2snn.RateEncode (x, low, high, timesteps)",
    "isi": "r = org.onnx2snn.IsiEncode (x, high, timesteps)",
    "poisson": "r, r_t = org.onnx2snn.PoissonEncode (x, number, no_steps, timesteps)",
}


@pytest.mark.parametrize("encoder", ENCODED)
def test_encoded_values_are_packed_for_matrices_and_not_for_images(make_model, encoder):
    body = f"""
        {ENCODED[encoder]}
        f = Flatten (r)
        wide = DequantizeLinear <axis = 1> (many, scale)
        g = Gemm (f, wide, bias)
        a, a_v = org.onnx2snn.IntegrateFire (g, theta, v, timesteps)
        w = DequantizeLinear <axis = 0> (q, scale)
        c = Conv (r, w, bias)
        b, b_v = org.onnx2snn.IntegrateFire (c, theta3, v, timesteps)
    """
    rng = np.random.default_rng(2)
    given = {
        "low": np.zeros(1, np.float32),
        "high": np.ones(1, np.float32),
        "number": np.arange(3),
        "no_steps": np.array(0),
        "many": rng.integers(-127, 128, (32, 3)).astype(np.int8),
        "theta": np.full(3, 40, np.float32),
    }
    model = make_model(body, ["a", "b"], head="", **given)
    found = ops(packed(model))
    assert (found.count("SynapseFire"), found.count("Conv"), found.count("Gemm")) == (1, 1, 0)
    x = {"x": rng.random((3, 2, 4, 4), dtype=np.float32)}
    got, expected = (
        BACKENDS.get(name)(model, BackendOptions()).run(["a", "b"], x)
        for name in ("native", "reference")
    )
    for a, b in zip(got, expected, strict=True):
        assert 0 < np.abs(b).mean() < 1
        np.testing.assert_array_equal(a, b)
