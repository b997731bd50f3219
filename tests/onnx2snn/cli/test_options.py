"""The kinds of values that options take."""

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onnx2snn.cli.options import Bytes, Numbers, Steps, Whole, make_preprocessing
from onnx2snn.errors import ConfigError


def value(kind, text):
    return kind.convert(text, None, None)


@given(number=st.integers(1, 2**31 - 1))
def test_whole_numbers(number):
    assert value(Whole(1), str(number)) == number
    assert value(Whole(1), f" {number} ") == number


@pytest.mark.parametrize("text", ["0", "-1", "1.0", "1e3", "x", "", "0x10", str(2**31), "9" * 99])
def test_no_whole_number_from_one_on(text):
    with pytest.raises(click.BadParameter):
        value(Whole(1), text)


def test_limits_are_told():
    for text, limit in (("2", "at least 3"), ("9", "at most 8")):
        with pytest.raises(click.BadParameter) as error:
            value(Whole(3, 8), text)
        assert limit in str(error.value)


@given(st.lists(st.integers(1, 10**6), min_size=1, max_size=5), st.sampled_from([",", " ", ", "]))
def test_steps(numbers, between):
    assert value(Steps(), between.join(map(str, numbers))) == tuple(numbers)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("1GiB", 2**30),
        ("512 MiB", 2**29),
        ("1.5gib", 3 * 2**29),
        ("2GB", 2 * 10**9),
        ("3kB", 3000),
        ("3KiB", 3072),
        ("1TiB", 2**40),
        ("17", 17),
        ("17B", 17),
    ],
)
def test_amounts_of_memory(text, size):
    assert value(Bytes(), text) == size


@pytest.mark.parametrize("text", ["", "GiB", "-1GiB", "1XiB", "1e9", "1 G B", "one", "1GiBs", "1."])
def test_no_amount_of_memory(text):
    with pytest.raises(click.BadParameter) as error:
        value(Bytes(), text)
    assert "MiB" in str(error.value)  # shows how to say it


@pytest.mark.parametrize("text", ["", ",", "1,0", "1,x", "1-4", "1.5", "-1"])
def test_no_steps(text):
    with pytest.raises(click.BadParameter):
        value(Steps(), text)


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("1", (1.0,)),
        ("1/255", (1 / 255,)),
        ("0.485,0.456,0.406", (0.485, 0.456, 0.406)),
        ("125.3/255 123/255", (125.3 / 255, 123 / 255)),
        ("-1,+2", (-1.0, 2.0)),
        ("1e-3", (1e-3,)),
        ("", ()),
    ],
)
def test_numbers(text, numbers):
    assert value(Numbers(), text) == numbers


@pytest.mark.parametrize("text", ["x", "1/0", "1/2/3", "/2", "nan", "inf", "1e999", "1;2"])
def test_no_numbers(text):
    with pytest.raises(click.BadParameter):
        value(Numbers(), text)


def test_preprocessing():
    made = make_preprocessing("NHWC", (0.5,), (0.25,), (2.0, 3.0))
    assert (made.layout, made.scale, made.mean, made.std) == ("NHWC", 0.5, (0.25,), (2.0, 3.0))
    for scale in ((), (1.0, 2.0)):
        with pytest.raises(click.UsageError):
            make_preprocessing("auto", scale, (), ())
    with pytest.raises(ConfigError):
        make_preprocessing("auto", (0.0,), (), ())
