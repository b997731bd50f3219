"""Example inputs: one maker for each op. A new op needs one; test_every_op.py says so."""

import numpy as np
from hypothesis import strategies as st

from op_case import make_case

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
