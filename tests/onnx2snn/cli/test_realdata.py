"""The way of a user with a real network and real images."""

import json
import time

import pytest

pytestmark = pytest.mark.realdata

MEAN, STD = "0.485,0.456,0.406", "0.229,0.224,0.225"


@pytest.fixture
def resnet20(data_folder):
    return data_folder / "models" / "akamaster_cifar10_resnet20.onnx"


def test_resnet20(resnet20, data_folder, invoke, folder):
    """inspect, convert with bytes in NHWC order, evaluate, run."""
    train = data_folder / "cifar10_train_lossless.npz"
    test = data_folder / "cifar10_test_lossless.npz"
    read = ("--scale", "1/255", "--mean", MEAN, "--std", STD)
    assert invoke("inspect", resnet20).code == 0
    data = ("--calibration-data", train, *read, "--samples", "32", "--threshold", "percentile")
    options = ("-T", "16", "--avgpool", "linear", "-o", "net.onnx")
    answer = invoke("convert", resnet20, *data, *options)
    assert answer.code == 0, answer.err
    call = ("evaluate", "net.onnx", "--data", test, *read, "--samples", "24", "-T", "1,16")
    answer = invoke(*call, "--ann", resnet20, "--json")
    assert answer.code == 0, answer.err
    content = json.loads(answer.out)
    short, long = content["rows"]
    assert content["ann_accuracy"] > 0.8
    assert short["agreement"] < 0.5
    assert long["agreement"] > 0.6


def test_resnet20_without_data_is_quick(resnet20, invoke, folder):
    started = time.monotonic()
    assert invoke("convert", resnet20, "-o", "net.onnx").code == 0
    assert time.monotonic() - started < 5


def test_mnist_from_images(data_folder, invoke, files, folder):
    """Images [N, 28, 28, 1] of bytes fit a network of [N, 1, 28, 28]."""
    test = data_folder / "mnist_test.npz"
    assert invoke("convert", files.mnist, "-T", "8", "-o", "net.onnx").code == 0
    call = ("evaluate", "net.onnx", "--data", test, "--scale", "1/255", "--samples", "100")
    content = json.loads(invoke(*call, "--ann", files.mnist, "--json").out)
    assert content["ann_accuracy"] > 0.97
    assert content["rows"][-1]["accuracy"] > 0.9


def test_images_that_need_a_layout(data_folder, invoke, refused, resnet20, folder):
    """As a new user would err: no scale and a wrong layout; the first is no error."""
    test = data_folder / "cifar10_test_lossless.npz"
    assert invoke("convert", resnet20, "-o", "net.onnx").code == 0
    call = ("run", "net.onnx", "-i", test, "--samples", "4")
    refused(*call, "--layout", "NCHW", says=(test, "[4, 32, 32, 3]", "[N, 3, 32, 32]"))
    assert invoke(*call, "-T", "8").code == 0
