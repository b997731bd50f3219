"""PoissonEncode: the hash in Python's own numbers, rates, independence, batches."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onnx2snn_runtime.ops.poisson_encode import ADDEND, PRIME, draw, scramble
from onnx2snn_runtime.opspec import OPS

SPEC = OPS.get("PoissonEncode")


def by_hand(seed, index, place, t):
    """The number drawn, as the definition writes it; Python's integers do not overflow."""

    def h(x):
        return (x**3 + ADDEND) ** 3 % PRIME

    key = h(seed % PRIME)
    cell = h(h(key + index % PRIME) + place % PRIME)
    return h(cell + h(h(key) + t % PRIME))


def spikes(x, indices, T, *, seed=0, t_init=0):
    arrays = np.array(x, np.float32), np.array(indices, np.int64), np.array(t_init)
    out, _ = SPEC.window(*arrays, np.array(T), seed=seed)
    return out.reshape(T, *np.shape(x))


EDGES = st.sampled_from([0, 1, 7, PRIME - 1, PRIME, PRIME + 1, 2**62, 2**63 - 1, -1, -(2**63)])


@settings(max_examples=50)
@given(seed=EDGES, index=EDGES, t=st.sampled_from([0, 1, 9, PRIME - 1, PRIME, 2**40]))
def test_the_hash_is_the_one_that_is_written_down(seed, index, t):
    numbers = draw(np.array([index], np.int64), 4, t, seed)
    assert numbers.tolist() == [[by_hand(seed, index, place, t) for place in range(4)]]


def test_the_hash_never_overflows():
    ends = [0, 1, PRIME - 1, PRIME, 2 * PRIME - 2, 2 * PRIME - 1]
    want = [(x**3 + ADDEND) ** 3 % PRIME for x in ends]
    assert scramble(np.array(ends, np.int64)).tolist() == want


def test_the_hash_is_a_permutation():
    """Cubing permutes the numbers below a prime that is 2 modulo 3."""
    assert PRIME % 3 == 2
    assert all(PRIME % d for d in range(2, int(PRIME**0.5) + 1))
    numbers = np.arange(10**5, dtype=np.int64)
    assert np.unique(scramble(numbers)).size == numbers.size


def test_the_numbers_are_uniform():
    numbers = draw(np.arange(20), 1000, 3, 5).ravel()
    counts = np.bincount(numbers * 100 // PRIME, minlength=100)
    chi_squared = ((counts - 200) ** 2 / 200).sum()  # 99 degrees of freedom
    assert 50 < chi_squared < 160


@pytest.mark.parametrize("p", [0.001, 0.1, 0.5, 0.93])
def test_the_rate_is_the_value(p):
    train = spikes(np.full((10, 400), p), range(10), 50)
    n = train.size
    assert abs(train.mean() - p) < 4 * np.sqrt(p * (1 - p) / n)
    # As random as coins: over steps, over places, over samples.
    for axis, size in enumerate(train.shape):
        counts = train.sum(axis=axis).ravel()
        assert counts.var() == pytest.approx(size * p * (1 - p), rel=0.2)


def test_zero_and_less_never_fire_one_and_more_always():
    train = spikes([[-0.5, 0, 1, 1.5]], [3], 200)
    assert train[:, 0].mean(axis=0).tolist() == [0, 0, 1, 1]


@pytest.mark.parametrize(
    "other",
    [
        lambda x: spikes(x, range(100, 150), 20),  # other samples
        lambda x: spikes(x, range(50), 20, seed=1),  # another seed
        lambda x: spikes(x, range(50), 20, t_init=20),  # later steps
        lambda x: spikes(x, range(50), 20, t_init=1),  # the next step
        lambda x: spikes(x, range(1, 51), 20),  # the next sample
        lambda x: np.roll(spikes(x, range(50), 20), 1, axis=2),  # the next place
    ],
)
def test_trains_are_independent(other):
    x = np.full((50, 100), 0.3)
    a, b = (train - train.mean() for train in (spikes(x, range(50), 20), other(x)))
    correlation = (a * b).mean() / (a.std() * b.std())
    assert abs(correlation) < 5 / np.sqrt(a.size)


@given(data=st.data())
def test_batches_do_not_matter(makers, bench, data):
    case = data.draw(makers["PoissonEncode"](N=st.integers(2, 4)))
    x, index, t_init, T = case.inputs
    cut = data.draw(st.integers(1, len(x) - 1))
    parts = []
    for rows in (slice(None, cut), slice(cut, None)):
        part = type(case)(SPEC, (x[rows], index[rows], t_init, T), case.attributes)
        parts.append(bench.stock(part)[0].reshape(case.steps, -1, *x.shape[1:]))
    whole = case.window()[0].reshape(case.steps, *x.shape)
    np.testing.assert_array_equal(np.concatenate(parts, axis=1), whole)


@pytest.mark.parametrize(("x", "out"), [(("N", 3), (None, 3)), ((0, 3), (0, 3))])
def test_inferred_shapes(x, out):
    assert SPEC.infer_shapes([x, x[:1], (), ()], SPEC.defaults()) == (out, ())
