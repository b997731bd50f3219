"""Work in long windows."""

import pytest

from onnx2snn.methods.sampling import LONG, as_many


@pytest.mark.parametrize(
    ("timesteps", "expected"),
    [(1, 64), (LONG, 64), (LONG + 1, 60), (2 * LONG, 32), (100 * LONG, 1)],
)
def test_the_steps_simulated_stay_as_many_in_long_windows(timesteps, expected):
    assert as_many(64, timesteps) == expected
