"""Tables against brute force: every accumulator through the activations, in fractions."""

from fractions import Fraction
from math import inf

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onnx2snn.exact.monotone import Affine, Clipped, Leaky
from onnx2snn.exact.quantizer import Quantizer
from onnx2snn.exact.rational import rational_table
from onnx2snn.exact.signal import Signal

KINDS = {np.int8: (-128, 127), np.uint8: (0, 255)}
REACH = 60


def positive(most=12):
    return st.fractions(Fraction(1, 64), most, max_denominator=64)


VALUES = st.fractions(-6, 6, max_denominator=16)


@st.composite
def functions(draw, channels):
    """An activation, its parameters for one channel or all, and how it works forwards."""
    count = draw(st.sampled_from([1, channels]))
    kind = draw(st.sampled_from(["clip", "relu", "leaky", "affine"]))
    if kind == "relu":
        return Clipped(Fraction(0), inf)
    if kind == "clip":
        ends = sorted(draw(st.lists(VALUES, min_size=2, max_size=2)))
        return Clipped(
            draw(st.sampled_from([-inf, ends[0]])), draw(st.sampled_from([inf, ends[1]]))
        )
    slopes = draw(st.lists(st.fractions(0, 3, max_denominator=8), min_size=count, max_size=count))
    if kind == "leaky":
        return Leaky(tuple(slopes))
    return Affine(tuple(s or Fraction(1, 3) for s in slopes), (draw(VALUES),))


def forwards(function, value, channel):
    """The activation as it is written in the source."""
    if isinstance(function, Clipped):
        return min(max(value, function.lower), function.upper)
    if isinstance(function, Leaky):
        slope = function.slopes[channel if len(function.slopes) > 1 else 0]
        return value if value >= 0 else slope * value
    scale = function.scales[channel if len(function.scales) > 1 else 0]
    return scale * value + function.shifts[0]


@st.composite
def cases(draw):
    channels = draw(st.integers(1, 3))

    def some(values):
        count = draw(st.sampled_from([1, channels]))
        return tuple(draw(st.lists(values, min_size=count, max_size=count)))

    dtype = draw(st.sampled_from(list(KINDS)))
    low, high = KINDS[dtype]
    quantizer = Quantizer(
        None, some(positive()), some(st.integers(low, high)), low, high, np.dtype(dtype)
    )
    signal = Signal(
        None, some(positive()), peak=1, reach=REACH, settled=1, offsets=some(VALUES),
        functions=tuple(draw(st.lists(functions(channels), max_size=3))),
    )  # fmt: skip
    return channels, signal, quantizer


def at(values, channel):
    return values[channel if len(values) > 1 else 0]


@settings(max_examples=150)
@given(case=cases())
def test_against_brute_force(case):
    channels, signal, quantizer = case
    table = rational_table(signal, quantizer)
    assert table.tau.shape[0] in {1, channels}
    assert (table.tau[:, 1:] >= table.tau[:, :-1]).all()
    said = []
    for channel in range(channels):
        row = table.tau[channel if len(table.tau) > 1 else 0]
        zero = at(quantizer.zero_points, channel)
        for acc in range(-REACH, REACH + 1):
            value = at(signal.units, channel) * acc + at(signal.offsets, channel)
            for function in signal.functions:
                value = forwards(function, value, channel)
            rounded = round(Fraction(value) / at(quantizer.scales, channel)) + zero
            want = min(max(rounded, quantizer.lowest), quantizer.highest) - zero
            got = table.s_min + int((row <= acc).sum())
            assert got == want, (channel, acc)
            said.append(got)
    # No level is left that no accumulator takes.
    assert (table.s_min, table.s_max) == (min(said), max(said))


def plain(unit, scale, zero=0, dtype=np.int8, functions=(), reach=10**6):
    low, high = KINDS[dtype]
    quantizer = Quantizer(None, (Fraction(scale),), (zero,), low, high, np.dtype(dtype))
    signal = Signal(None, (Fraction(unit),), 1, reach, 1, functions=functions)
    return rational_table(signal, quantizer)


def test_halves_go_to_the_even_integer():
    """With one level for two accumulators every odd accumulator is a half."""
    table = plain(1, 2, reach=9)
    # −9 … 9 halved: −4.5 → −4, −3.5 → −4, −2.5 → −2, … 3.5 → 4, 4.5 → 4.
    assert table.s_min == -4
    assert table.tau.tolist() == [[-6, -5, -2, -1, 2, 3, 6, 7]]


def test_saturation_and_zero_point():
    table = plain(1, 1, zero=250, dtype=np.uint8)
    assert (table.s_min, table.s_max) == (-250, 5)
    assert table.tau[0, -1] == 5


def test_a_constant_has_an_empty_table():
    table = plain(1, 1, functions=(Clipped(Fraction(3), Fraction(3)),), reach=50)
    assert (table.s_min, table.s_max, table.tau.shape, table.magnitude) == (3, 3, (1, 0), 3)


@pytest.mark.parametrize("reach", [0, 1])
def test_hardly_anything_comes_in(reach):
    table = plain(1, Fraction(1, 3), reach=reach)
    assert (table.s_min, table.s_max) == (-3 * reach, 3 * reach)
