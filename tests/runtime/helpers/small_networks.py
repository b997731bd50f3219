"""Small networks with integer weights, and what they compute, by NumPy alone."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from onnx import TensorProto, helper, numpy_helper

from onnx2snn_runtime.opspec import DOMAIN
from op_bench import spiking_model

IMAGE = (1, 6, 6)
CONV = np.random.default_rng(7).integers(-2, 3, (2, 1, 3, 3)).astype(np.float32)
FIRE_THETA = np.array([3, 5], dtype=np.float32).reshape(2, 1, 1)
FIRE_V = np.array([1], dtype=np.float32)
POOL_THETA = np.array([4], dtype=np.float32)
POOL_V = np.array([2], dtype=np.float32)
GEMM = np.random.default_rng(8).integers(-3, 4, (8, 3)).astype(np.float32)
BIAS = np.array([1, -2, 3], dtype=np.float32)
#: Inputs of the staircases, the first nearly silent.
CODES = np.random.default_rng(12).integers(-3, 4, (6, 4)).astype(np.float32)
CODES[0] = [0, 0, 1, 0]
#: Backends that need no compiler.
BACKENDS = ("stock", "reference")


def floats(name, *shape):
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def spiking_node(op, inputs, outputs, **attributes):
    name = outputs[0] + ".node"
    return helper.make_node(op, inputs, outputs, name=name, domain=DOMAIN, **attributes)


def readout(currents, answer, mode="mean"):
    """The node that reads currents over time."""
    return spiking_node(
        "SpikeDecode",
        [currents, "zero", "no_steps", "timesteps"],
        [answer, answer + "_acc", answer + "_steps"],
        mode=mode,
        cumulative=0,
        delay=0,
    )


def with_timesteps(nodes, inputs, outputs, constants, T, fixed):
    """The model with an initializer `timesteps`, which is an optional input unless fixed."""
    constants = {**constants, "zero": np.zeros(1, np.float32), "no_steps": np.array(0)}
    initializers = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    initializers.append(helper.make_tensor("timesteps", TensorProto.INT64, [], [T]))
    if not fixed:
        inputs = [*inputs, helper.make_tensor_value_info("timesteps", TensorProto.INT64, [])]
    return spiking_model(nodes, inputs, outputs, initializers)


def make_network(T=4, *, fixed=False, batch="N", mode="mean"):
    """Encode, Conv, IntegrateFire, SpikeAveragePool, Flatten, Gemm, SpikeDecode."""
    nodes = [
        spiking_node("DirectEncode", ["image", "timesteps"], ["currents"]),
        helper.make_node("Conv", ["currents", "conv"], ["conv_out"], name="conv"),
        spiking_node(
            "IntegrateFire",
            ["conv_out", "fire_theta", "fire_v", "timesteps"],
            ["fire", "fire_v_final"],
            reset="subtract",
        ),
        spiking_node(
            "SpikeAveragePool",
            ["fire", "pool_theta", "pool_v", "timesteps"],
            ["pool", "pool_v_final"],
            kernel_shape=[2, 2],
            strides=[2, 2],
            pads=[0, 0, 0, 0],
        ),
        helper.make_node("Flatten", ["pool"], ["flat"], name="flatten", axis=1),
        helper.make_node("Gemm", ["flat", "gemm", "bias"], ["logits"], name="gemm"),
        readout("logits", "answer", mode),
    ]
    constants = {
        "conv": CONV,
        "fire_theta": FIRE_THETA,
        "fire_v": FIRE_V,
        "pool_theta": POOL_THETA,
        "pool_v": POOL_V,
        "gemm": GEMM,
        "bias": BIAS,
    }
    inputs, outputs = [floats("image", batch, *IMAGE)], [floats("answer", batch, 3)]
    return with_timesteps(nodes, inputs, outputs, constants, T, fixed)


def make_two_inputs(T=4):
    """Two inputs whose sum drives one population, read as a spike count."""
    nodes = [
        spiking_node("DirectEncode", ["left", "timesteps"], ["left_currents"]),
        spiking_node("DirectEncode", ["right", "timesteps"], ["right_currents"]),
        helper.make_node("Add", ["left_currents", "right_currents"], ["sum"], name="add"),
        spiking_node(
            "IntegrateFire", ["sum", "theta", "v", "timesteps"], ["fire", "v_final"], reset="zero"
        ),
        readout("fire", "count", "sum"),
    ]
    constants = {"theta": np.array([4], np.float32), "v": np.array([0], np.float32)}
    inputs, outputs = [floats("left", "N", 3), floats("right", "N", 3)], [floats("count", "N", 3)]
    return with_timesteps(nodes, inputs, outputs, constants, T, fixed=False)


def make_waiting(T=4):
    """An analog part between two spiking ones: it waits for the first one's whole window."""
    theta_v = ["theta", "v", "timesteps"]
    nodes = [
        spiking_node("DirectEncode", ["x", "timesteps"], ["x_currents"]),
        spiking_node("IntegrateFire", ["x_currents", *theta_v], ["one", "one_v"], reset="subtract"),
        readout("one", "analog", "sum"),
        helper.make_node("Relu", ["analog"], ["rectified"], name="relu"),
        spiking_node("DirectEncode", ["rectified", "timesteps"], ["again"]),
        spiking_node("IntegrateFire", ["again", *theta_v], ["two", "two_v"], reset="subtract"),
        readout("two", "count", "sum"),
    ]
    constants = {"theta": np.array([4], np.float32), "v": np.array([0], np.float32)}
    return with_timesteps(
        nodes, [floats("x", "N", 3)], [floats("count", "N", 3)], constants, T, fixed=False
    )


STAIRS = (
    np.array([[-9, -7, -5, -3, -1, 1, 2, 4, 6, 8]]),
    np.array([[-30, -20, -10, 3, 9, 15, 21, 27, 33]]),
)
LOWEST = (-5, -3)  # both are 0 at 0
LAYERS = (
    np.random.default_rng(10).integers(-2, 3, (4, 6)).astype(np.float32),
    np.random.default_rng(11).integers(-2, 3, (6, 3)).astype(np.float32),
)


def make_staircases(T=40, *, emission="once", neurons="unary", mode="sum"):
    """Integers, CodeEncode, MatMul, StaircaseFire, MatMul, StaircaseFire, SpikeDecode."""
    nodes = [
        helper.make_node("Cast", ["x"], ["codes"], to=TensorProto.INT64),
        spiking_node(
            "CodeEncode",
            ["codes", "no_steps", "timesteps"],
            ["currents", "currents_steps"],
            emission=emission,
        ),
    ]
    constants, source = {}, "currents"
    for i, (layer, tau, lowest) in enumerate(zip(LAYERS, STAIRS, LOWEST, strict=True)):
        constants |= {f"w{i}": layer, f"tau{i}": tau, f"lowest{i}": np.array([lowest])}
        constants |= {f"acc{i}": np.array([0]), f"s{i}": np.array([0])}
        nodes.append(helper.make_node("MatMul", [source, f"w{i}"], [f"sum{i}"], name=f"mul{i}"))
        states = [f"tau{i}", f"lowest{i}", f"acc{i}", f"s{i}", "timesteps"]
        source = f"stairs{i}"
        outputs = [source, f"acc{i}_final", f"s{i}_final"]
        nodes.append(spiking_node("StaircaseFire", [f"sum{i}", *states], outputs, emission=neurons))
    nodes.append(readout(source, "answer", mode))
    inputs, outputs = [floats("x", "N", 4)], [floats("answer", "N", 3)]
    return with_timesteps(nodes, inputs, outputs, constants, T, fixed=True)


def climb(x):
    """The staircases' values in the end, by NumPy alone: the answer of make_staircases."""
    for layer, (tau,), lowest in zip(LAYERS, STAIRS, LOWEST, strict=True):
        x = lowest + (np.asarray(x @ layer)[..., None] >= tau).sum(axis=-1)
    return x


def fire(currents, theta, v):
    """Spikes and potentials [T, ...] of currents [T, ...]: integrate, fire, subtract."""
    spikes, potentials = [], []
    for current in currents:
        v = v + current
        spike = np.where(v >= theta, 1, 0)
        v = v - theta * spike
        spikes.append(spike)
        potentials.append(v)
    return np.stack(spikes), np.stack(potentials)


def simulate(images, T):
    """What the network of :func:`make_network` does, in float64, without any of our code."""
    windows = sliding_window_view(np.asarray(images, np.float64), (3, 3), axis=(2, 3))
    current = np.einsum("nihwkl,oikl->nohw", windows, CONV)
    spikes, v = fire(np.stack([current] * T), FIRE_THETA, float(FIRE_V[0]))
    t, n, c = spikes.shape[:3]
    counts = spikes.reshape(t, n, c, 2, 2, 2, 2).sum(axis=(4, 6))
    pooled, pool_v = fire(counts, float(POOL_THETA[0]), float(POOL_V[0]))
    logits = pooled.reshape(t, n, 8) @ GEMM.astype(np.float64) + BIAS
    sums = np.cumsum(logits, axis=0)
    return {
        "spikes": {"fire.node": spikes, "pool.node": pooled},
        "v_final": {"fire.node": v[-1], "pool.node": pool_v[-1]},
        "sum": sums,
        "mean": (sums.astype(np.float32).T / np.arange(1, T + 1, dtype=np.float32)).T,
    }
