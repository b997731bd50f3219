"""Made-up inputs: in range, smooth, the same every time."""

import numpy as np
import pytest

from onnx2snn.calibration import synthetic_dataset
from onnx2snn.calibration.synthetic import FREE_LENGTH, SAMPLES
from onnx2snn.errors import CalibrationError


def values(info, bounds=(0.0, 1.0), seed=0):
    return np.concatenate([b["x"] for b in synthetic_dataset((info,), bounds, seed).batches(16)])


def neighbours(x, axis):
    """Correlation of values with the next along an axis; white noise has zero."""
    a = np.take(x, range(x.shape[axis] - 1), axis).reshape(-1)
    b = np.take(x, range(1, x.shape[axis]), axis).reshape(-1)
    return np.corrcoef(a, b)[0, 1]


@pytest.mark.parametrize("bounds", [(0.0, 1.0), (-1.0, 1.0), (0.0, 255.0), (-3.0, -2.0)])
def test_range(info, bounds):
    """All inside, and the range is used."""
    x = values(info(), bounds)
    low, high = bounds
    assert x.min() >= low
    assert x.max() <= high
    assert np.quantile(x, 0.02) < low + 0.2 * (high - low)
    assert np.quantile(x, 0.98) > high - 0.2 * (high - low)
    assert abs(x.mean() - (low + high) / 2) < 0.1 * (high - low)


@pytest.mark.parametrize(
    ("shape", "least"),
    [
        (("N", 3, 64), 0.8),
        (("N", 3, 32, 32), 0.5),
        (("N", 1, 16, 16), 0.5),
        # As few pixels as digits have, and voxels: not so smooth, but far from noise.
        (("N", 1, 8, 8), 0.3),
        (("N", 2, 8, 9, 10), 0.3),
    ],
)
def test_smooth(info, shape, least):
    x = values(info(shape))
    for axis in range(2, len(shape)):
        assert neighbours(x, axis) > least


@pytest.mark.parametrize("samples", [1, 5, 200])
def test_number_of_samples(info, samples):
    infos = (info(("N", 3)),)
    assert len(synthetic_dataset(infos, (0.0, 1.0), 0, samples)) == samples


def test_not_constant(info):
    x = values(info())
    assert x.std(axis=(1, 2, 3)).min() > 0.05
    assert x.mean(axis=(1, 2, 3)).std() > 0.05


def test_the_same_every_time(info):
    np.testing.assert_array_equal(values(info(), seed=3), values(info(), seed=3))
    assert not np.array_equal(values(info(), seed=3), values(info(), seed=4))


def test_shape_and_type(info):
    assert values(info(("N", 3, None, "W"))).shape == (SAMPLES, 3, FREE_LENGTH, FREE_LENGTH)
    assert values(info(("N", 5))).shape == (SAMPLES, 5)
    assert values(info(("N",))).shape == (SAMPLES,)
    assert values(info(("N", 1, 1, 1))).shape == (SAMPLES, 1, 1, 1)
    assert values(info(dtype=np.uint8), (0.0, 255.0)).dtype == np.uint8
    assert values(info()).dtype == np.float32


def test_without_space_there_is_nothing_to_smooth(info):
    x = values(info(("N", 40)))
    assert np.isfinite(x).all()
    assert x.std() > 0.1


def test_two_inputs_differ(info):
    data = synthetic_dataset((info(name="x"), info(name="z")), (0.0, 1.0), 0)
    [batch, *_] = data.batches(8)
    assert not np.array_equal(batch["x"], batch["z"])
    assert data.synthetic


@pytest.mark.parametrize(
    "wrong",
    [
        {"shape": ("N", 10**12)},
        {"shape": ("N", 10**5, 10**5)},
        {"shape": ("N", -3)},
        {"shape": ("N", 0)},
        {"shape": ()},
        {"dtype": np.dtype("U4")},
        {"dtype": np.complex64},
        {"dtype": np.bool_},
    ],
    ids=str,
)
def test_what_cannot_be_made_up(info, wrong):
    with pytest.raises(CalibrationError) as error:
        synthetic_dataset((info(**wrong),), (0.0, 1.0), 0)
    assert "'x'" in str(error.value)
    assert error.value.remedy
