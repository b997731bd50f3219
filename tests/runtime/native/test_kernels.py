"""Every kernel gives the bits of the op's definition."""

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from onnx2snn_runtime.opspec import DOMAIN, DOMAIN_VERSION, OPS, functions_for

KERNELS = (
    "AveragedIntegrateFire",
    "CodeEncode",
    "DirectEncode",
    "IntegrateFire",
    "LeakyIntegrateFire",
    "SignedIntegrateFire",
    "SpikeAveragePool",
    "SpikeDecode",
    "SpikeMaxPool",
    "StaircaseFire",
    "TableSynapse",
)
kernels = pytest.mark.parametrize("name", KERNELS)
# The instruction set is chosen once for all examples.
modest = settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])


@kernels
@modest
@given(data=st.data())
def test_small_examples(name, makers, native, same_bits, instructions, data):
    native.agree(data.draw(makers[name]()), same_bits)


@kernels
@settings(max_examples=10)
@given(data=st.data())
def test_no_samples(name, makers, native, same_bits, data):
    native.agree(data.draw(makers[name](N=st.just(0))), same_bits)


@kernels
@settings(max_examples=10)
@given(data=st.data())
def test_one_step(name, makers, native, same_bits, data):
    native.agree(data.draw(makers[name](T=st.just(1))), same_bits)


# ---------------------------------------------------------------------------------------------
# Many blocks of values, and fractions: what the small whole numbers above do not reach.

T, N, TAIL = 5, 3, (7, 13, 11)  # 3003 values a step: three blocks, the last one short
FULL = (N, *TAIL)
LAYOUTS = {
    "one": (1,),
    "channels": (TAIL[0], 1, 1),
    "rows": (TAIL[1], 1),
    "columns": (TAIL[2],),
    "map": TAIL,
    "samples": (N, 1, 1, 1),
    "everything": FULL,
}
STATES = {**LAYOUTS, "step by channel": (N, TAIL[0], 1, 1)}


def fractions(rng, shape, low, high):
    return rng.uniform(low, high, shape).astype(np.float32)


def codes(rng, shape, low, high):
    return rng.integers(low, high + 1, shape)


def pool_attributes(rng):
    kernel = [int(k) for k in rng.integers(1, 4, 2)]
    pads = [int(rng.integers(0, k)) for k in (*kernel, *kernel)]
    return {
        "kernel_shape": kernel,
        "strides": [int(s) for s in rng.integers(1, 4, 2)],
        "pads": pads,
    }


def large_case(case, name, rng, layout):
    """A case of many values whose parameters have the given layout."""
    shape, rows = LAYOUTS[layout], (T * N, *TAIL)
    theta = fractions(rng, shape, 0.3, 2)
    v_init = fractions(rng, shape, -1, 2)
    current = fractions(rng, rows, -1.5, 2)
    spikes = codes(rng, rows, -1, 1)
    reset = ("subtract", "zero")[rng.integers(2)]
    if name == "IntegrateFire":
        return case(name, current, theta, v_init, T=T, reset=reset)
    if name == "LeakyIntegrateFire":
        leak = fractions(rng, shape, 0, 1)
        mode = ("linear", "factor")[rng.integers(2)]
        return case(name, current, theta, leak, v_init, T=T, leak_mode=mode, reset=reset)
    if name == "AveragedIntegrateFire":
        return case(name, current, theta, v_init, T=T)
    if name == "SignedIntegrateFire":
        low, high, tracer = (codes(rng, shape, *ends) for ends in ((-3, 0), (1, 4), (-1, 1)))
        return case(name, current, theta, low, high, v_init, tracer, T=T)
    if name == "DirectEncode":
        return case(name, current[:N], T=T)
    if name == "SpikeDecode":
        modes = ("mean", "sum", "last", "radix")
        mode, cumulative = modes[rng.integers(4)], int(rng.integers(2))
        before, delay = int(rng.integers(4)), int(rng.integers(6))
        return case(
            name, current, v_init, before, T=T, mode=mode, cumulative=cumulative, delay=delay
        )
    if name == "SpikeMaxPool":
        code = ("count", "radix")[rng.integers(2)]
        start = codes(rng, shape, -4, 4)
        return case(name, spikes, start, T=T, **pool_attributes(rng), code=code)
    if name == "SpikeAveragePool":
        # The pooled image has other lengths: the parameters follow channels and samples only.
        fits = shape if layout in {"one", "channels", "samples"} else (N, TAIL[0], 1, 1)
        theta, start = codes(rng, fits, 1, 9), codes(rng, fits, -2, 4)
        return case(name, np.abs(spikes), theta, start, T=T, **pool_attributes(rng))
    if name == "StaircaseFire":
        kind = (np.int64, np.float32)[rng.integers(2)]
        emission = ("unary", "averaged", "radix")[rng.integers(3)]
        tau = np.sort(codes(rng, ((1, TAIL[0])[rng.integers(2)], 30), -60, 60), axis=1)
        acc, tracer = codes(rng, shape, -20, 20), codes(rng, shape, -18, 18)
        current = codes(rng, rows, -20, 20).astype(kind)
        return case(name, current, tau, [-15], acc, tracer, T=T, emission=emission)
    if name == "CodeEncode":
        emission = ("once", "unary", "averaged", "radix")[rng.integers(4)]
        return case(name, codes(rng, FULL, -31, 31), 0, T=T, emission=emission)
    code = ("count", "radix")[rng.integers(2)]
    table = codes(rng, 81, -(2**60), 2**60)
    start = codes(rng, shape, -3, 3) if code == "count" else np.zeros(shape)
    return case("TableSynapse", spikes, table, [-40], start, T=T, code=code)


@kernels
@pytest.mark.parametrize("layout", LAYOUTS)
def test_many_blocks(case, name, native, same_bits, instructions, layout):
    rng = np.random.default_rng(sum(map(ord, name + layout + instructions)))
    native.agree(large_case(case, name, rng, layout), same_bits, threads=2)


@pytest.mark.parametrize("layout", STATES)
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_states_of_samples(case, native, same_bits, layout, threads):
    rng = np.random.default_rng(len(layout))
    current = fractions(rng, (T * N, *TAIL), -1.5, 2)
    start = fractions(rng, STATES[layout], -1, 2)
    example = case("IntegrateFire", current, [0.7], start, T=T, reset="subtract")
    native.agree(example, same_bits, threads)


# ---------------------------------------------------------------------------------------------
# Extremes.

EDGES = np.array(
    [0, -0.0, 1e-45, -1e-45, 1e-38, 1, -1, 2**24, 3.4e38, -3.4e38, np.inf, -np.inf], np.float32
)


@pytest.mark.parametrize(
    ("name", "parameters", "attributes"),
    [
        ("IntegrateFire", ([1.5], [-0.0]), {"reset": "subtract"}),
        ("IntegrateFire", ([1e-45], [0]), {"reset": "zero"}),
        ("LeakyIntegrateFire", ([1], [0.3], [0]), {"leak_mode": "linear", "reset": "subtract"}),
        ("LeakyIntegrateFire", ([1], [0.3], [0]), {"leak_mode": "factor", "reset": "zero"}),
        ("SignedIntegrateFire", ([0.5], [-2], [3], [0], [0]), {}),
        ("AveragedIntegrateFire", ([0.5], [0.25]), {}),
        ("SpikeDecode", ([0], 0), {"mode": "last", "cumulative": 1}),
        ("SpikeDecode", ([-0.0], 2**24), {"mode": "mean", "cumulative": 0}),
    ],
)
def test_extreme_floats(case, native, same_bits, instructions, name, parameters, attributes):
    pairs = np.stack(np.meshgrid(EDGES, EDGES)).reshape(2, -1)
    native.agree(case(name, pairs, *parameters, T=2, **attributes), same_bits)


def test_integers_wrap(case, native, same_bits, instructions):
    """As NumPy's: the accumulator is int64, whatever comes in."""
    ends = np.array([[2**63 - 1, -(2**63), 2**62, -1]] * 3)
    tau = np.array([[-(2**62), 0, 2**62]])
    for emission in ("unary", "averaged", "radix"):
        native.agree(
            case("StaircaseFire", ends, tau, [0], [5], [0], T=3, emission=emission), same_bits
        )


@pytest.mark.parametrize("length", [0, 1, 2, 255, 65535])
def test_long_and_empty_tables(case, native, same_bits, instructions, length):
    tau = np.arange(length)[None] * 3
    current = np.array([[-1, 0, 1, 3 * length - 3, 3 * length - 2, 2**40, -(2**40)]])
    for emission in ("unary", "averaged"):
        native.agree(
            case("StaircaseFire", current, tau, [-7], [0], [3], T=1, emission=emission), same_bits
        )


def test_codes_of_more_bits_than_steps(case, native, same_bits, instructions):
    codes = np.array([[5, -5, 2**40, -(2**40), 0, 2**62 + 1]])
    for steps in (1, 2, 62):
        native.agree(case("CodeEncode", codes, 0, T=steps, emission="radix"), same_bits)
        native.agree(case("CodeEncode", codes, 0, T=steps, emission="averaged"), same_bits)


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("name", ["SpikeMaxPool", "SpikeAveragePool"])
def test_pools_of_every_rank(case, native, same_bits, instructions, name, rank):
    rng = np.random.default_rng(rank)
    attributes = {"kernel_shape": [3] * rank, "strides": [2] * rank, "pads": [1, 2, 0][:rank] * 2}
    spikes = codes(rng, (4, 2, 9, 8, 6)[: 2 + rank], 0, 1)
    if name == "SpikeMaxPool":
        example = case(name, spikes, [0], T=2, **attributes, code="count")
    else:
        example = case(name, spikes, [4], [1], T=2, **attributes)
    native.agree(example, same_bits)


# ---------------------------------------------------------------------------------------------
# What a kernel refuses, in one line.

ROWS = np.ones((4, 3), np.float32)
PLANES = np.ones((4, 1, 5, 5), np.float32)


def pool(**changes):
    return {"kernel_shape": [2, 2], "strides": [2, 2], "pads": [0] * 4, "code": "count"} | changes


def fire(**changes):
    return {"reset": "subtract"} | changes


@pytest.mark.parametrize(
    ("name", "inputs", "steps", "attributes", "words"),
    [
        ("IntegrateFire", (ROWS, [1], [0]), 3, fire(), "no multiple of T = 3"),
        ("IntegrateFire", (ROWS, [1], [0]), 0, fire(), "from 1 to .* not 0"),
        ("IntegrateFire", (ROWS, [1, 2], [0]), 2, fire(), "theta does not broadcast"),
        ("IntegrateFire", (ROWS, [1], np.ones((4, 3))), 2, fire(), "v_init does not broadcast"),
        ("IntegrateFire", (ROWS, [1], [0]), 2, fire(reset="half"), 'unknown reset "half"'),
        ("IntegrateFire", (ROWS, [1], [0]), 2, fire(reset="x" * 99), "unknown reset"),
        ("DirectEncode", (ROWS,), 2**31, {}, "not 2147483648"),
        ("DirectEncode", (np.float32(1),), 2, {}, "no axis of samples"),
        ("SpikeMaxPool", (PLANES, [0]), 2, pool(kernel_shape=[9, 9]), "larger than the padded"),
        ("SpikeMaxPool", (PLANES, [0]), 2, pool(strides=[0, 1]), "must be positive"),
        ("SpikeMaxPool", (PLANES, [0]), 2, pool(pads=[0]), "one to three axes"),
        ("SpikeMaxPool", (ROWS, [0]), 2, pool(), "axes are not the kernel's"),
        ("TableSynapse", (ROWS, [7, 8, 9], [-1], [0]), 4, {"code": "count"}, "outside of"),
        ("TableSynapse", (ROWS, [7, 8, 9], [-1], [0]), 4, {"code": "radix"}, "outside of"),
        ("TableSynapse", (ROWS, [], [0], [0]), 4, {"code": "count"}, "table is empty"),
        ("StaircaseFire", (ROWS, np.zeros((2, 1)), [0], [0], [0]), 2, {}, "tau does not broadc"),
    ],
)
def test_refusals(case, bench, native, name, inputs, steps, attributes, words):
    good = case(name, *inputs, T=2, **attributes)
    symbols = [[None] * a.ndim for a in good.inputs]
    graph_inputs = [
        helper.make_tensor_value_info(p.name, helper.np_dtype_to_tensor_dtype(a.dtype), shape)
        for p, a, shape in zip(good.spec.inputs, good.inputs, symbols, strict=True)
    ]
    feeds = {**good.feeds, "T": np.array(steps)}
    with pytest.raises(Exception, match=words) as error:  # onnxruntime's own kinds
        native.load(node_model(good, graph_inputs)).run(None, feeds)
    assert "\n" not in str(error.value).strip()


def node_model(case, graph_inputs):
    """A model of one node, of any attributes."""
    spec = case.spec
    names = [[p.name for p in params] for params in (spec.inputs, spec.outputs)]
    node = helper.make_node(spec.name, *names, domain=DOMAIN, **case.attributes)
    kinds = {"float": TensorProto.FLOAT, "int64": TensorProto.INT64}
    outputs = [helper.make_tensor_value_info(p.name, kinds[p.kind], None) for p in spec.outputs]
    return helper.make_model(
        helper.make_graph([node], "graph", graph_inputs, outputs),
        opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid(DOMAIN, DOMAIN_VERSION)],
        ir_version=8,
    )


@kernels
def test_defaults_apply(name, makers, native, same_bits):
    """Files of other tools may leave out attributes that have a default."""
    found = []

    @settings(max_examples=1, database=None, derandomize=True)
    @given(makers[name](T=st.just(3), N=st.just(2)))
    def draw(example):
        found.append(example)

    draw()
    defaults = OPS.get(name).defaults()
    whole = type(found[0])(found[0].spec, found[0].inputs, found[0].attributes | defaults)
    bare = {k: v for k, v in whole.attributes.items() if k not in defaults}
    got = native.run(type(whole)(whole.spec, whole.inputs, bare))
    for a, b in zip(got, whole.window(), strict=True):
        assert same_bits(a, b)


# ---------------------------------------------------------------------------------------------
# Kernels beside function bodies.


def test_bodies_call_kernels(native, case, same_bits):
    """The call within a function becomes the kernel; ops without a kernel keep their bodies."""
    text = f"""<opset_import: ["" : 17, "{DOMAIN}" : 1], domain: "else.where">
    Twice (x, theta, zero, T) => (spikes, calm) {{
      first, v_one = {DOMAIN}.IntegrateFire <reset = "subtract"> (x, theta, zero, T)
      spikes, v_two, s_two = {DOMAIN}.CalciumIntegrateFire <gated = 0, rounding = 0>
        (first, theta, zero, zero, zero, T)
      calm = Neg (v_two)
    }}"""
    body = functions_for(["CalciumIntegrateFire"], 17)
    names = ["x", "theta", "zero", "T"]
    kinds = [TensorProto.FLOAT] * 3 + [TensorProto.INT64]
    model = helper.make_model(
        helper.make_graph(
            [helper.make_node("Twice", names, ["spikes", "calm"], domain="else.where")],
            "graph",
            [helper.make_tensor_value_info(*pair, None) for pair in zip(names, kinds, strict=True)],
            [helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in ("spikes", "calm")],
        ),
        opset_imports=[
            helper.make_opsetid("", 17),
            helper.make_opsetid("else.where", 1),
            helper.make_opsetid(DOMAIN, DOMAIN_VERSION),
        ],
        ir_version=8,
        functions=[onnx.parser.parse_function(text), *body],
    )
    x = np.random.default_rng(3).integers(-3, 6, (12, 5)).astype(np.float32)
    theta, zero = np.array([2], np.float32), np.array([0], np.float32)
    feeds = dict(zip(names, (x, theta, zero, np.array(4)), strict=True))
    spikes, calm = native.load(model).run(None, feeds)
    first, _ = case("IntegrateFire", x, theta, zero, T=4, reset="subtract").window()
    want, v, _ = case(
        "CalciumIntegrateFire", first, theta, zero, zero, zero, T=4, gated=0, rounding=0
    ).window()
    assert same_bits(spikes, want)
    assert same_bits(calm, -v)
