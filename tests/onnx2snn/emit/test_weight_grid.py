"""Integers and scales: nearest, of least error, the source's own where there are some."""

import numpy as np
import pytest

from onnx2snn.emit.weight_grid import dequantize, quantize_weights

RNG = np.random.default_rng(0)


def error(weights, axis, bits):
    codes, scales = quantize_weights(weights, axis, bits)
    lost = weights - dequantize(codes, scales, axis)
    return np.square(lost).sum() / np.square(weights).sum()


@pytest.mark.parametrize("bits", [4, 5, 6, 7, 8])
@pytest.mark.parametrize(("shape", "axis"), [((6, 5, 3, 3), 0), ((7, 9), 1), ((4, 3, 2, 2), 1)])
def test_range_and_places(bits, shape, axis):
    weights = RNG.normal(0, 1, shape).astype(np.float32)
    codes, scales = quantize_weights(weights, axis, bits)
    assert codes.dtype == np.int8
    assert scales.dtype == np.float32
    assert codes.shape == shape
    assert scales.shape == (shape[axis],)
    assert (np.abs(codes.astype(int)) < 2 ** (bits - 1)).all()
    # What is not clipped is off by half a step at most.
    step = np.moveaxis(np.broadcast_to(scales, np.moveaxis(weights, axis, -1).shape), -1, axis)
    inside = np.abs(codes.astype(int)) < 2 ** (bits - 1) - 1
    off = np.abs(dequantize(codes, scales, axis) - weights)
    assert (off[inside] <= 0.5001 * step[inside]).all()


@pytest.mark.parametrize("bits", [4, 6, 8])
def test_better_than_the_largest_weight_as_limit(bits):
    weights = RNG.standard_t(3, (8, 400)).astype(np.float32)
    limit = 2 ** (bits - 1) - 1
    scales = np.abs(weights).max(axis=1, keepdims=True) / limit
    plain = np.rint(weights / scales) * scales
    assert error(weights, 0, bits) < np.square(weights - plain).sum() / np.square(weights).sum()


def test_a_second_time_changes_nothing():
    codes, scales = quantize_weights(RNG.normal(0, 1, (9, 50)).astype(np.float32), 0, 4)
    values = dequantize(codes, scales, 0)
    again = dequantize(*quantize_weights(values, 0, 4), 0)
    assert np.allclose(again, values, rtol=1e-6, atol=0)


@pytest.mark.parametrize("low", [-128, -127])
def test_integers_of_a_source_are_kept(low):
    integers = RNG.integers(low, 128, (5, 80)).astype(np.int8)
    integers[:, :3] = (low, 126, 127)
    scales = RNG.uniform(1e-3, 1e-1, (5, 1)).astype(np.float32)
    # As the way to a file changes them: a batch norm's factor, then an amplitude.
    factor, amplitude = RNG.uniform(0.3, 3, (5, 1)).astype(np.float32), np.float32(0.7312)
    weights = integers * scales * factor * amplitude
    codes, found = quantize_weights(weights, 0, 8)
    assert np.array_equal(codes, integers)
    assert np.allclose(found, (scales * factor * amplitude)[:, 0], rtol=1e-6)


def test_common_divisors_move_into_the_scale():
    weights = np.array([[4, -8, 12, 0], [3, 1, -2, 7]], np.float32) * np.float32(0.1)
    codes, scales = quantize_weights(weights, 0, 4)
    assert codes.tolist() == [[1, -2, 3, 0], [3, 1, -2, 7]]
    assert np.allclose(scales, [0.4, 0.1])


def test_silent_channels():
    weights = np.array([[0, 0, 0], [1e-44, 0, -1e-44], [0.3, -0.2, 0.11]], np.float32)
    with np.errstate(all="raise"):
        codes, scales = quantize_weights(weights, 0, 8)
    assert not codes[:2].any()
    assert scales[:2].tolist() == [1, 1]
    assert np.isfinite(scales).all()
    assert codes[2].any()


def test_large_arrays_go_in_blocks(monkeypatch):
    weights = RNG.normal(0, 1, (7, 30)).astype(np.float32)
    whole = quantize_weights(weights, 0, 5)
    monkeypatch.setattr("onnx2snn.emit.weight_grid.BLOCK", 60)
    parts = quantize_weights(weights, 0, 5)
    assert np.array_equal(whole[0], parts[0])
    assert np.array_equal(whole[1], parts[1])
