"""More samples from the same images."""

import numpy as np
import pytest

from onnx2snn.calibration.augmentation import FARTHEST, flipped_and_cropped, with_mirrored


def images(samples=6, shape=(2, 32, 32)):
    return np.random.default_rng(0).normal(0, 1, (samples, *shape)).astype(np.float32)


def shifted(image, down, right):
    """By whole places, the edge repeated."""
    widest = max(abs(down), abs(right), 1)
    padded = np.pad(image, [(0, 0), (widest, widest), (widest, widest)], mode="edge")
    height, width = image.shape[1:]
    return padded[
        :, widest + down : widest + down + height, widest + right : widest + right + width
    ]


def test_every_sample_is_followed_by_its_mirrored_copy():
    x = images()
    found = with_mirrored({"x": x})["x"]
    np.testing.assert_array_equal(found[0::2], x)
    np.testing.assert_array_equal(found[1::2], x[:, :, :, ::-1])


@pytest.mark.parametrize("shape", [(5,), (5, 7), (3, 1, 9), (3, 9, 1)])
def test_what_is_no_image_stays(shape):
    x = images(shape=shape)
    rng = np.random.default_rng(0)
    np.testing.assert_array_equal(with_mirrored({"x": x})["x"], x)
    np.testing.assert_array_equal(flipped_and_cropped({"x": x}, rng)["x"], x)


def test_values_beside_images_are_repeated():
    found = with_mirrored({"x": images(2), "y": np.arange(2.0)})
    assert found["x"].shape == (4, 2, 32, 32)
    np.testing.assert_array_equal(found["y"], [0, 0, 1, 1])


def test_a_batch_is_mirrored_and_shifted():
    """Each image is one of all mirrored and shifted forms of itself, and they differ."""
    x = images(40)
    found = flipped_and_cropped({"x": x}, np.random.default_rng(1))["x"]
    assert found.dtype == np.float32
    far = round(FARTHEST * 32)
    places = [(d, r) for d in range(-far, far + 1) for r in range(-far, far + 1)]
    seen = []
    for image, changed in zip(x, found, strict=True):
        forms = {
            (mirrored, d, r): moved[:, :, ::-1] if mirrored else moved
            for d, r in places
            for moved in [shifted(image, d, r)]
            for mirrored in (False, True)
        }
        seen.append(next(key for key, form in forms.items() if np.array_equal(form, changed)))
    assert {mirrored for mirrored, _, _ in seen} == {False, True}
    assert {d for _, d, _ in seen} == {r for _, _, r in seen} == set(range(-far, far + 1))


def test_inputs_of_a_sample_change_alike():
    x = images(20)
    found = flipped_and_cropped({"x": x, "y": x + 1}, np.random.default_rng(2))
    np.testing.assert_array_equal(found["y"], found["x"] + 1)


def test_what_was_given_is_not_changed():
    x = images()
    before = x.copy()
    flipped_and_cropped({"x": x}, np.random.default_rng(0))
    with_mirrored({"x": x})
    np.testing.assert_array_equal(x, before)
