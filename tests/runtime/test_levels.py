"""Quantization of a value range: shares, levels, ties."""

import numpy as np
import pytest

from onnx2snn_runtime.levels import levels, unit_range


def test_shares_of_a_range():
    x = np.array([-5, -1, 0, 1, 3, 9], np.float32)
    got = unit_range(x, np.array([-1], np.float32), np.array([3], np.float32))
    assert got.dtype == np.float32
    assert got.tolist() == [0, 0, 0.25, 0.5, 1, 1]


@pytest.mark.parametrize(
    ("quantize", "want"), [("nearest", [0, 0, 1, 2, 2, 4]), ("floor", [0, 0, 0, 1, 2, 4])]
)
def test_levels_and_ties(quantize, want):
    share = np.array([0, 0.125, 0.1875, 0.375, 0.625, 1], np.float32)
    got = levels(share, 4, quantize)
    assert got.dtype == np.float32
    assert got.tolist() == want


def test_no_levels_at_all():
    assert levels(np.array([0, 1], np.float32), 0, "nearest").tolist() == [0, 0]
