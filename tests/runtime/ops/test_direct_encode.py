"""DirectEncode: the value at every step, time-major."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onnx2snn_runtime.opspec import OPS


def test_hand_made(bench, case):
    (currents,) = bench.agree(case("DirectEncode", [[1, 2], [3, 4]], T=3))
    assert currents.tolist() == [[1, 2], [3, 4], [1, 2], [3, 4], [1, 2], [3, 4]]


@given(data=st.data())
def test_row_t_n_is_sample_n(makers, bench, data):
    case = data.draw(makers["DirectEncode"]())
    values = case.inputs[0]
    (currents,) = bench.agree(case)
    assert currents.shape == (case.steps * values.shape[0], *values.shape[1:])
    for t in range(case.steps):
        for n, sample in enumerate(values):
            np.testing.assert_array_equal(currents[t * values.shape[0] + n], sample)


@given(values=st.lists(st.floats(width=32), min_size=6, max_size=6))
def test_carries_every_float_as_it_is(bench, case, values):
    """Negative zero, subnormals, infinity and NaN included: no arithmetic is done."""
    bench.agree(case("DirectEncode", np.reshape(np.array(values, np.float32), (2, 3)), T=2))


def test_commutes_with_linear_layers(bench, case):
    rng = np.random.default_rng(2)
    values, weights = rng.integers(-5, 6, (3, 4)), rng.integers(-5, 6, (4, 2))
    (first,) = bench.agree(case("DirectEncode", values, T=5))
    (behind,) = bench.agree(case("DirectEncode", values @ weights, T=5))
    np.testing.assert_array_equal(first @ weights, behind)


@pytest.mark.parametrize(
    ("values", "currents"),
    [(("N", 3, "H"), (None, 3, "H")), ((2, 3), (None, 3)), ((0, 3), (0, 3)), (("N",), (None,))],
)
def test_inferred_shapes(values, currents):
    assert OPS.get("DirectEncode").infer_shapes([values, ()], {}) == (currents,)
