"""Sums that a staircase can get, where they can be listed."""

from types import SimpleNamespace

import numpy as np
import pytest

from onnx2snn_runtime.counts.kernels import Sums
from onnx2snn_runtime.counts.rules.staircase_fire import MOST_SUMS, _possible_sums


@pytest.fixture
def draft():
    """Codes from 0 to 3, from −2 to 2, and so many that float64 hardly counts them."""
    return SimpleNamespace(sizes={"a": 3, "b": 2, "many": 2**52}, natural={"a"})


def sums(**factors):
    return Sums(tuple(factors), tuple(np.array(f, np.float64) for f in factors.values()))


def test_all_sums_of_two_tensors(draft):
    found = _possible_sums(draft, sums(a=[5], b=[7]), 1)
    expected = sorted({5 * a + 7 * b for a in range(4) for b in range(-2, 3)})
    assert found.tolist() == expected
    assert _possible_sums(draft, sums(a=[5, 5]), 1).tolist() == [0, 5, 10, 15]


@pytest.mark.parametrize(
    ("given", "tables"),
    [
        ({"many": [1]}, 1),
        ({"a": [1], "many": [1]}, 1),
        ({"a": [1], "unknown": [1]}, 1),
        ({"a": [0.5]}, 1),
        ({"a": [1, 2]}, 1),
        ({"a": [1]}, 2),
    ],
    ids=["many", "many beside few", "unknown", "fractions", "channels", "tables"],
)
def test_what_is_not_listed(draft, given, tables):
    assert draft.sizes["many"] > MOST_SUMS
    assert _possible_sums(draft, sums(**given), tables) is None
