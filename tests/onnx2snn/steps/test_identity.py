"""A calibration's identity: what matters changes it, and under its own name."""

from dataclasses import fields, replace

import numpy as np
import pytest

from onnx2snn.calibration import Preprocessing, open_dataset
from onnx2snn.frontend import canonicalise
from onnx2snn.plan import ConversionConfig
from onnx2snn.steps.identity import calibration_identity
from onnx2snn_runtime.inputs import tensor_info

IMAGES = np.random.default_rng(0).normal(0, 1, (300, 2, 3, 3)).astype(np.float32)


@pytest.fixture(scope="module")
def canonical(new_net):
    net = new_net()
    return canonicalise(
        net.model(net.relu(net.conv(net.input(shape=("N", 2, 3, 3)), (2, 2, 3, 3))))
    )


def identity(canonical, images=IMAGES, preprocessing=None, **options):
    infos = tuple(tensor_info(i) for i in canonical.to_model().graph.input)
    dataset = open_dataset(images, infos, preprocessing)
    return calibration_identity(canonical, ConversionConfig(**options), dataset)


def changed(canonical, **others):
    one, other = identity(canonical), identity(canonical, **others)
    assert one.keys() == other.keys()
    return [name for name in one if one[name] != other[name]]


def with_one_number_changed(at):
    images = IMAGES.copy()
    images[at] = np.nextafter(images[at], np.float32(9))
    return images


@pytest.mark.parametrize(
    "others",
    [
        {"images": with_one_number_changed((0, 0, 0, 0))},
        {"images": with_one_number_changed((299, 1, 2, 2))},
        {"images": IMAGES[:-1]},
        {"images": IMAGES[::-1]},
        {"preprocessing": Preprocessing(mean=(0.5,))},
    ],
    ids=["first", "last", "fewer", "order", "preprocessing"],
)
def test_samples_as_the_network_receives_them(others, canonical):
    assert changed(canonical, **others) == ["calibration data"]


def test_the_same_samples(canonical):
    assert changed(canonical, images=IMAGES.astype(np.float64)) == []
    assert changed(canonical, preprocessing=Preprocessing(layout="NCHW")) == []


@pytest.mark.parametrize("name", [f.name for f in fields(ConversionConfig)])
def test_every_option(name, canonical):
    default = getattr(ConversionConfig(), name)
    kinds = {str: "other", int: 7, float: 0.5, tuple: ("a",), type(None): (0.0, 1.0)}
    assert changed(canonical, **{name: kinds[type(default)]}) == [name]


def test_the_model(canonical):
    other = replace(canonical.source, digest="another")
    one, two = identity(canonical), identity(replace(canonical, source=other))
    assert [name for name in one if one[name] != two[name]] == ["model"]
