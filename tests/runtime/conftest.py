"""Example inputs of every spiking op, ways to compute them, and small spiking networks."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import onnxruntime
import pytest
from hypothesis import strategies as st
from numpy.lib.stride_tricks import sliding_window_view
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from onnx2snn_runtime.backend import BACKENDS, BackendOptions
from onnx2snn_runtime.opspec import DOMAIN, DOMAIN_VERSION, OPS, OpSpec, functions_for

OPSET = 17
IR_VERSION = 8

# ---------------------------------------------------------------------------------------------
# Example inputs: one maker for each op. A new op needs one; test_every_op.py says so.


@dataclass(frozen=True, eq=False)
class Case:
    """One call of an op: inputs in the spec's order (the last is T), all attributes given."""

    spec: OpSpec
    inputs: tuple[np.ndarray, ...]
    attributes: dict

    def __repr__(self):
        given = [*(f"{k}={v!r}" for k, v in self.feeds.items()), *map(str, self.attributes.items())]
        return f"{self.spec.name}({', '.join(given)})"

    def _repr_pretty_(self, printer, cycle):  # for hypothesis
        printer.text(repr(self))

    def __post_init__(self):
        for array in self.inputs:
            array.flags.writeable = False

    @property
    def steps(self):
        return int(self.inputs[-1])

    @property
    def feeds(self):
        return {p.name: a for p, a in zip(self.spec.inputs, self.inputs, strict=True)}

    def window(self):
        return self.spec.window(*self.inputs, **self.attributes)


NUMPY_TYPES = {"float": np.float32, "int64": np.int64}
ONNX_TYPES = {np.dtype(np.float32): TensorProto.FLOAT, np.dtype(np.int64): TensorProto.INT64}


def make_case(name, *arrays, T, **attributes):
    """A case with arrays of the op's types; where it takes several, int64 stays int64."""
    spec = OPS.get(name)

    def typed(array, kinds):
        kept = np.asarray(array).dtype == np.int64 and "int64" in kinds
        return np.array(array, dtype=np.int64 if kept else NUMPY_TYPES[kinds[0]])

    pairs = zip((*arrays, T), spec.inputs, strict=True)
    return Case(spec, tuple(typed(a, p.kind.split("|")) for a, p in pairs), attributes)


STEPS = st.integers(1, 12)
SAMPLES = st.integers(0, 4)
TAILS = st.lists(st.integers(1, 4), max_size=3).map(tuple)
RESETS = st.sampled_from(["subtract", "zero"])
DELAYS = st.integers(0, 9)
MODES = st.sampled_from(["mean", "sum", "last", "radix"])
CODES = st.sampled_from(["count", "radix"])
FLAGS = st.sampled_from([0, 1])
QUANTIZERS = st.sampled_from(["nearest", "floor"])
LEAK_MODES = st.sampled_from(["linear", "factor"])
ALPHAS = st.sampled_from([1.0, 0.5])
SEEDS = st.integers(-(2**63), 2**63 - 1)
REPEATS = st.integers(1, 3)
EITHER = st.booleans()
INDICES = st.one_of(st.integers(0, 9), st.integers(-(2**63), 2**63 - 1))
EMISSIONS = st.sampled_from(["unary", "averaged", "radix"])
ENCODINGS = st.sampled_from(["once", "unary", "averaged", "radix"])
CURRENT_TYPES = st.sampled_from([np.int64, np.float32])
STEPS_DONE = st.integers(0, 9)
SPIKE_LOWS = st.sampled_from([0, -1])
ONE = st.just(1)
BOOLEANS = st.booleans()


@st.composite
def whole_numbers(draw, shape, low, high):
    """Integer-valued float32 arrays in which every element varies (unlike hypothesis' own)."""
    seed = draw(st.integers(0, 2**32 - 1))
    return np.random.default_rng(seed).integers(low, high + 1, shape).astype(np.float32)


def layouts(tail, samples=None):
    """Shapes broadcastable to a sample [*tail], and to [samples, *tail] if given."""
    shapes = {(1,), tail, (1, *tail)}
    if tail:
        shapes.add((tail[0], *(1 for _ in tail[1:])))
    if samples is not None:
        shapes.add((samples, *tail))
    return st.sampled_from(sorted(shapes - {()}))


@st.composite
def direct_encode(draw, T=STEPS, N=SAMPLES):
    values = draw(whole_numbers((draw(N), *draw(TAILS)), -8, 8))
    return make_case("DirectEncode", values, T=draw(T))


@st.composite
def integrate_fire(draw, T=STEPS, N=SAMPLES, reset=RESETS):
    steps, samples, tail = draw(T), draw(N), draw(TAILS)
    return make_case(
        "IntegrateFire",
        draw(whole_numbers((steps * samples, *tail), -6, 8)),
        draw(whole_numbers(draw(layouts(tail)), 1, 6)),
        draw(whole_numbers(draw(layouts(tail, samples)), -4, 8)),
        T=steps,
        reset=draw(reset),
    )


@st.composite
def pools(draw):
    """A pool's attributes, the sizes of an image and of its pooled image."""
    rank = draw(st.sampled_from([1, 2]))
    kernel = [draw(st.integers(1, 3)) for _ in range(rank)]
    strides = [draw(st.integers(1, 3)) for _ in range(rank)]
    # onnxruntime wants every pad smaller than the kernel.
    begins = [draw(st.integers(0, k - 1)) for k in kernel]
    ends = [draw(st.integers(0, k - 1)) for k in kernel]
    sizes = [
        draw(st.integers(max(1, k - b - e), k - b - e + 5))
        for k, b, e in zip(kernel, begins, ends, strict=True)
    ]
    pooled = [
        (z + b + e - k) // s + 1
        for z, b, e, k, s in zip(sizes, begins, ends, kernel, strides, strict=True)
    ]
    attributes = {"kernel_shape": kernel, "strides": strides, "pads": begins + ends}
    return attributes, sizes, pooled


@st.composite
def spike_average_pool(draw, T=STEPS, N=SAMPLES):
    steps, samples, channels = draw(T), draw(N), draw(st.integers(1, 3))
    attributes, sizes, pooled = draw(pools())
    tail = (channels, *pooled)
    places = int(np.prod(attributes["kernel_shape"]))
    theta_shape = draw(layouts(tail))
    theta = draw(st.one_of(st.just(np.full(theta_shape, places)), whole_numbers(theta_shape, 1, 9)))
    return make_case(
        "SpikeAveragePool",
        draw(whole_numbers((steps * samples, channels, *sizes), 0, 1)),
        theta,
        draw(whole_numbers(draw(layouts(tail, samples)), -2, places)),
        T=steps,
        **attributes,
    )


@st.composite
def spike_max_pool(draw, T=STEPS, N=SAMPLES, code=CODES, low=SPIKE_LOWS, high=ONE):
    steps, samples, channels = draw(T), draw(N), draw(st.integers(1, 3))
    attributes, sizes, _ = draw(pools())
    tail = (channels, *sizes)
    return make_case(
        "SpikeMaxPool",
        draw(whole_numbers((steps * samples, *tail), draw(low), draw(high))),
        draw(whole_numbers(draw(layouts(tail, samples)), -4, 4)),
        T=steps,
        **attributes,
        code=draw(code),
    )


@st.composite
def spike_decode(
    draw, T=STEPS, N=SAMPLES, mode=MODES, cumulative=FLAGS, fresh=BOOLEANS, delay=DELAYS
):
    """A readout; ``fresh`` if nothing came before its window."""
    steps, samples, tail = draw(T), draw(N), draw(TAILS)
    before = 0 if draw(fresh) else 5
    return make_case(
        "SpikeDecode",
        draw(whole_numbers((steps * samples, *tail), -8, 8)),
        draw(whole_numbers(draw(layouts(tail, samples)), -before, before)),
        draw(st.integers(0, before)),
        T=steps,
        mode=draw(mode),
        cumulative=draw(cumulative),
        delay=draw(delay),
    )


@st.composite
def leaky_integrate_fire(draw, T=STEPS, N=SAMPLES, leak_mode=LEAK_MODES, reset=RESETS):
    steps, samples, tail = draw(T), draw(N), draw(TAILS)
    mode = draw(leak_mode)
    leak = draw(whole_numbers(draw(layouts(tail)), -2, 3))
    return make_case(
        "LeakyIntegrateFire",
        draw(whole_numbers((steps * samples, *tail), -6, 8)),
        draw(whole_numbers(draw(layouts(tail)), 1, 6)),
        leak if mode == "linear" else np.abs(leak) / 4,
        draw(whole_numbers(draw(layouts(tail, samples)), -4, 8)),
        T=steps,
        leak_mode=mode,
        reset=draw(reset),
    )


@st.composite
def averaged_integrate_fire(draw, T=STEPS, N=SAMPLES, in_range=EITHER):
    """With ``in_range`` the potential begins between 0 and the threshold."""
    steps, samples, tail = draw(T), draw(N), draw(TAILS)
    theta = draw(whole_numbers(draw(layouts(tail)), 1, 6))
    low, high = (0, int(theta.min(initial=6)) - 1) if draw(in_range) else (-4, 8)
    return make_case(
        "AveragedIntegrateFire",
        draw(whole_numbers((steps * samples, *tail), -6, 8)),
        theta,
        draw(whole_numbers(draw(layouts(tail, samples)), low, high)),
        T=steps,
    )


@st.composite
def calcium_integrate_fire(draw, T=STEPS, N=SAMPLES, gated=FLAGS, rounding=FLAGS):
    steps, samples, tail = draw(T), draw(N), draw(TAILS)
    return make_case(
        "CalciumIntegrateFire",
        draw(whole_numbers((steps * samples, *tail), -6, 8)),
        draw(whole_numbers(draw(layouts(tail)), 1, 6)),
        draw(whole_numbers(draw(layouts(tail)), -3, 3)),
        draw(whole_numbers(draw(layouts(tail, samples)), -4, 4)),
        draw(whole_numbers(draw(layouts(tail, samples)), -1, 2)),
        T=steps,
        gated=draw(gated),
        rounding=draw(rounding),
    )


@st.composite
def signed_integrate_fire(draw, T=STEPS, N=SAMPLES):
    steps, samples, tail = draw(T), draw(N), draw(TAILS)
    return make_case(
        "SignedIntegrateFire",
        draw(whole_numbers((steps * samples, *tail), -6, 8)),
        draw(whole_numbers(draw(layouts(tail)), 1, 6)),
        draw(whole_numbers(draw(layouts(tail)), -3, 0)),
        draw(whole_numbers(draw(layouts(tail)), 1, 9)),
        draw(whole_numbers(draw(layouts(tail, samples)), -4, 8)),
        draw(whole_numbers(draw(layouts(tail, samples)), -2, 2)),
        T=steps,
    )


@st.composite
def rate_encode(draw, T=STEPS, N=SAMPLES, quantize=QUANTIZERS):
    tail = draw(TAILS)
    low = draw(whole_numbers(draw(layouts(tail)), -4, 0))
    return make_case(
        "RateEncode",
        draw(whole_numbers((draw(N), *tail), -24, 36)) / 4,
        low,
        low.max(initial=-4) + draw(whole_numbers(draw(layouts(tail)), 1, 8)),
        T=draw(T),
        quantize=draw(quantize),
    )


@st.composite
def isi_encode(draw, T=STEPS, N=SAMPLES, alpha=ALPHAS, silent=FLAGS):
    tail = draw(TAILS)
    return make_case(
        "IsiEncode",
        draw(whole_numbers((draw(N), *tail), -20, 40)),
        draw(whole_numbers(draw(layouts(tail)), 1, 30)),
        T=draw(T),
        alpha=draw(alpha),
        silent_steps=draw(silent),
    )


@st.composite
def poisson_encode(draw, T=STEPS, N=SAMPLES, seed=SEEDS):
    samples = draw(N)
    return make_case(
        "PoissonEncode",
        draw(whole_numbers((samples, *draw(TAILS)), -1, 9)) / 8,
        np.array(draw(st.lists(INDICES, min_size=samples, max_size=samples)), dtype=np.int64),
        draw(st.integers(0, 2**40)),
        T=draw(T),
        seed=draw(seed),
    )


@st.composite
def channel_expand(draw, T=STEPS, N=SAMPLES, quantize=QUANTIZERS, phi=REPEATS):
    tail = (draw(st.integers(1, 3)), *draw(TAILS))
    low = draw(whole_numbers(draw(layouts(tail)), -4, 0))
    return make_case(
        "ChannelExpand",
        draw(whole_numbers((draw(N), *tail), -24, 36)) / 4,
        low,
        low.max(initial=-4) + draw(whole_numbers(draw(layouts(tail)), 1, 8)),
        T=draw(T),
        phi=draw(phi),
        quantize=draw(quantize),
    )


@st.composite
def staircase_fire(
    draw,
    T=STEPS,
    N=SAMPLES,
    emission=EMISSIONS,
    kind=CURRENT_TYPES,
):
    """Staircases of any height, some with entries that everything, or nothing, passes.

    Codes of radix fit T bits, as the definition asks for.
    """
    steps, samples, emission = draw(T), draw(N), draw(emission)
    tail = draw(TAILS)
    rows = draw(st.sampled_from(sorted({1, tail[0] if tail else 1})))
    count = draw(st.integers(0, 9))
    tau = np.sort(draw(whole_numbers((rows, count), -15, 15)).astype(np.int64), axis=1)
    if draw(st.booleans()):
        tau[:, : count // 3], tau[:, count - count // 3 :] = -(2**62), 2**62
    s_min = draw(st.integers(-count - 2, 2))
    if emission == "radix":
        most = 2**steps - 1
        s_min = min(max(s_min, -most), most)
        tau = tau[:, : most - s_min]
    state = draw(layouts(tail, samples))
    return make_case(
        "StaircaseFire",
        draw(whole_numbers((steps * samples, *tail), -6, 6)).astype(draw(kind)),
        tau,
        [s_min],
        draw(whole_numbers(state, -9, 9)),
        np.full(state, draw(st.integers(-12, 12))),
        T=steps,
        emission=emission,
    )


@st.composite
def code_encode(
    draw,
    T=STEPS,
    N=SAMPLES,
    emission=ENCODINGS,
    step=STEPS_DONE,
):
    """Integer codes; those of radix fit T bits, those of averaged T spikes."""
    steps, emission = draw(T), draw(emission)
    most = {"radix": min(2**steps - 1, 300), "averaged": steps}.get(emission, 14)
    return make_case(
        "CodeEncode",
        draw(whole_numbers((draw(N), *draw(TAILS)), -most, most)).astype(np.int64),
        draw(step),
        T=steps,
        emission=emission,
    )


@st.composite
def table_synapse(draw, T=STEPS, N=SAMPLES, code=CODES):
    """Any table over all codes that T unit spikes can make, from any code in its range."""
    steps, samples, tail, code = draw(T), draw(N), draw(TAILS), draw(code)
    start = draw(st.integers(-3, 3)) if code == "count" else 0
    reach = min(steps, 6) + 3 if code == "count" else 2 ** min(steps, 6) - 1
    spikes = draw(whole_numbers((steps * samples, *tail), -1, 1))
    spikes[6 * samples :] = 0  # a code of seven and more steps stays in the table
    if code == "radix":  # only the last six bits
        spikes[: max(steps - 6, 0) * samples] = 0
        spikes[(steps - min(steps, 6)) * samples :] = draw(
            whole_numbers((min(steps, 6) * samples, *tail), -1, 1)
        )
    seed = draw(st.integers(0, 2**32 - 1))
    table = np.random.default_rng(seed).integers(-(2**60), 2**60, 2 * reach + 1)
    return make_case("TableSynapse", spikes, table, [-reach], [start], T=steps, code=code)


MAKERS = {
    "AveragedIntegrateFire": averaged_integrate_fire,
    "CalciumIntegrateFire": calcium_integrate_fire,
    "ChannelExpand": channel_expand,
    "CodeEncode": code_encode,
    "DirectEncode": direct_encode,
    "IntegrateFire": integrate_fire,
    "IsiEncode": isi_encode,
    "LeakyIntegrateFire": leaky_integrate_fire,
    "PoissonEncode": poisson_encode,
    "RateEncode": rate_encode,
    "SignedIntegrateFire": signed_integrate_fire,
    "SpikeAveragePool": spike_average_pool,
    "SpikeDecode": spike_decode,
    "SpikeMaxPool": spike_max_pool,
    "StaircaseFire": staircase_fire,
    "TableSynapse": table_synapse,
}


@pytest.fixture(scope="session")
def makers():
    """Op names to functions that make a hypothesis strategy of cases."""
    return MAKERS


@pytest.fixture(scope="session")
def case():
    """The function that makes one case by hand."""
    return make_case


@pytest.fixture(scope="session", params=list(OPS), ids=lambda spec: spec.name)
def spec(request):
    """Every registered op in turn."""
    return request.param


# ---------------------------------------------------------------------------------------------
# Ways to compute a case.


def formal_type(param):
    """A formal input's or output's element type; the first where it takes several."""
    return ONNX_TYPES[np.dtype(NUMPY_TYPES[param.kind.split("|")[0]])]


def op_model(spec, attributes, input_shapes, output_shapes, opset=OPSET, types=None):
    """A model of one node and the functions it needs; ``types`` are the inputs', formal if None."""
    types = types or [formal_type(p) for p in spec.inputs]
    inputs = [
        helper.make_tensor_value_info(p.name, kind, shape)
        for p, kind, shape in zip(spec.inputs, types, input_shapes, strict=True)
    ]
    outputs = [
        helper.make_tensor_value_info(p.name, formal_type(p), shape)
        for p, shape in zip(spec.outputs, output_shapes, strict=True)
    ]
    node = helper.make_node(
        spec.name,
        [p.name for p in spec.inputs],
        [p.name for p in spec.outputs],
        name="node",
        domain=DOMAIN,
        **attributes,
    )
    return spiking_model([node], inputs, outputs, [], opset)


def spiking_model(nodes, inputs, outputs, initializers, opset=OPSET):
    """A model with the functions of all its spiking ops."""
    ops = sorted({n.op_type for n in nodes if n.domain == DOMAIN and OPS.find(n.op_type)})
    return helper.make_model(
        helper.make_graph(nodes, "graph", inputs, outputs, initializers),
        opset_imports=[
            helper.make_opsetid("", opset),
            helper.make_opsetid(DOMAIN, DOMAIN_VERSION),
        ],
        ir_version=IR_VERSION,
        functions=functions_for(ops, opset),
    )


def stock_session(model):
    """An onnxruntime session without any of our code."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


class Bench:
    """Computes cases in every way; keeps one session for each op, attributes and ranks."""

    def __init__(self):
        self._kept = {}

    def model(self, case, opset=OPSET):
        """The case's op in a model whose shapes are all symbolic."""
        symbols = [
            [f"{p.name}_{axis}" for axis in range(a.ndim)]
            for p, a in zip(case.spec.inputs, case.inputs, strict=True)
        ]
        outputs = [[None] * a.ndim for a in case.window()]
        types = [ONNX_TYPES[a.dtype] for a in case.inputs]
        return op_model(case.spec, case.attributes, symbols, outputs, opset, types)

    def load_stock(self, model):
        """Any model in stock onnxruntime."""
        return stock_session(model)

    def stock(self, case, opset=OPSET):
        """Stock onnxruntime, the file's function body."""
        return self._keep("stock", case, opset, stock_session).run(None, case.feeds)

    def body(self, case, opset=OPSET):
        """Plain ONNX reference evaluator, the file's function body."""
        return self._keep("body", case, opset, ReferenceEvaluator).run(None, case.feeds)

    def ours(self, case, opset=OPSET):
        """Our reference backend."""
        load = BACKENDS.get("reference")
        executable = self._keep("ours", case, opset, lambda m: load(m, BackendOptions()))
        return executable.run([p.name for p in case.spec.outputs], case.feeds)

    def agree(self, case, opset=OPSET):
        """Assert that all ways give the bits of the definition; returns them."""
        expected = case.window()
        ways = (
            (self.stock, self.ours) if onnx_misreads(case) else (self.stock, self.body, self.ours)
        )
        for way in ways:
            got = way(case, opset)
            assert len(got) == len(expected)
            for param, a, b in zip(case.spec.outputs, got, expected, strict=True):
                assert same_bits(a, b), (way.__name__, param.name, a, b)
        return expected

    def in_parts(self, case, parts, way):
        """A window in parts: each starts from the state that the one before left.

        Gives the op's outputs: what has rows for every step is put together, the rest is what
        the last part says.
        """
        spec, inputs = case.spec, list(case.inputs)
        pieces, done = [], 0
        for steps in parts:
            for i, p in enumerate(spec.inputs):
                if is_in_time(p):
                    n = case.inputs[i].shape[0] // case.steps
                    inputs[i] = case.inputs[i][done * n : (done + steps) * n]
            outputs = way(make_case(spec.name, *inputs[:-1], T=steps, **case.attributes))
            for before, after in spec.states():
                inputs[before] = outputs[after]
            pieces.append(outputs)
            done += steps
        return [
            np.concatenate(parts) if is_in_time(p) else parts[-1]
            for p, parts in zip(spec.outputs, zip(*pieces, strict=True), strict=True)
        ]

    def _keep(self, way, case, opset, load):
        attributes = tuple((k, str(v)) for k, v in sorted(case.attributes.items()))
        ranks = tuple(a.ndim for a in case.inputs)
        types = tuple(a.dtype for a in case.inputs)
        key = (way, case.spec.name, attributes, ranks, types, opset)
        if key not in self._kept:
            self._kept[key] = load(self.model(case, opset))
        return self._kept[key]


def is_in_time(param):
    """Whether a formal input or output always has a row for every step."""
    return param.shape.startswith("[T·N")


def onnx_misreads(case):
    """Whether the body needs something that onnx.reference gets wrong (seen in onnx 1.23.2).

    Its MaxPool, if every stride is 1, takes pads for top, bottom, left, right, and ignores those
    of one-dimensional images. Our own backend does not run bodies, so it is not concerned.
    """
    if case.spec.name != "SpikeMaxPool" or set(case.attributes["strides"]) != {1}:
        return False
    pads = case.attributes["pads"]
    return any(pads) if len(pads) == 2 else len(set(pads)) > 1


def same_bits(a, b):
    """Whether two arrays are the same to the last bit, type and shape included."""
    a, b = np.asarray(a), np.asarray(b)
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


@pytest.fixture(scope="session")
def bench():
    return Bench()


def one_line(error):
    """The message of a caught error, which must be a single line."""
    text = str(error.value)
    assert text
    assert "\n" not in text
    return text


@pytest.fixture(scope="session", name="one_line")
def one_line_fixture():
    return one_line


@pytest.fixture(scope="session", name="same_bits")
def same_bits_fixture():
    return same_bits


@pytest.fixture(scope="session")
def make_op_model() -> Callable:
    return op_model


# ---------------------------------------------------------------------------------------------
# Small networks with integer weights, and what they compute, by NumPy alone.

IMAGE = (1, 6, 6)
CONV = np.random.default_rng(7).integers(-2, 3, (2, 1, 3, 3)).astype(np.float32)
FIRE_THETA = np.array([3, 5], dtype=np.float32).reshape(2, 1, 1)
FIRE_V = np.array([1], dtype=np.float32)
POOL_THETA = np.array([4], dtype=np.float32)
POOL_V = np.array([2], dtype=np.float32)
GEMM = np.random.default_rng(8).integers(-3, 4, (8, 3)).astype(np.float32)
BIAS = np.array([1, -2, 3], dtype=np.float32)


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


@pytest.fixture(scope="session")
def network():
    return make_network


@pytest.fixture(scope="session")
def two_inputs():
    return make_two_inputs


@pytest.fixture(scope="session")
def waiting():
    return make_waiting


@pytest.fixture(scope="session")
def staircases():
    return make_staircases


@pytest.fixture(scope="session", name="climb")
def climb_fixture():
    return climb


@pytest.fixture(scope="session", name="simulate")
def simulate_fixture():
    return simulate


@pytest.fixture(scope="session")
def images():
    """Five images of small whole numbers."""
    return np.random.default_rng(9).integers(0, 4, (5, *IMAGE)).astype(np.float32)
