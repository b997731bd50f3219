"""Resizes to a size hold for any batch."""

import numpy as np
import pytest

from onnx2snn.frontend import canonicalise

X = np.random.default_rng(0).normal(size=(3, 2, 5, 6)).astype(np.float32)


@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
@pytest.mark.parametrize("transform", ["half_pixel", "align_corners", "asymmetric"])
def test_with_a_batch_of_one(new_net, same_function, mode, transform):
    net = new_net()
    x = net.input(shape=(1, 2, 5, 6))
    y = net.node(
        "Resize", x, "", "", net.ints(1, 2, 9, 13), mode=mode,
        coordinate_transformation_mode=transform,
    )  # fmt: skip
    canonical = same_function(net.model(y), X, 1e-5)
    (node,) = canonical.graph.nodes
    assert node.attrs["axes"] == [1, 2, 3]


@pytest.mark.parametrize("opset", [11, 13, 18])
def test_scales_stay(new_net, same_function, opset):
    net = new_net(opset=opset)
    roi = net.const([]) if opset < 13 else ""
    x = net.input(shape=(1, 2, 5, 6))
    y = net.node("Resize", x, roi, net.const([1, 1, 2, 3]), mode="nearest")
    same_function(net.model(y), X, 0)


@pytest.mark.parametrize("opset", [7, 9])
def test_upsample(new_net, same_function, ops_of, opset):
    net = new_net(opset=opset)
    x = net.input(shape=("N", 2, 5, 6))
    if opset == 7:
        y = net.node("Upsample", x, scales=[1.0, 1.0, 2.0, 2.0])
    else:
        y = net.node("Upsample", x, net.const([1, 1, 2, 2]))
    assert ops_of(same_function(net.model(y), X, 0)) == ["Resize"]


@pytest.mark.parametrize("case", ["batch", "crop", "aspect"])
def test_others_stay(new_net, ops_of, case):
    net = new_net()
    x = net.input(shape=(1, 2, 5, 6))
    roi, attributes = "", {}
    if case == "crop":
        roi = net.const([0, 0, 0.1, 0.1, 1, 1, 0.9, 0.9])
        attributes = {"coordinate_transformation_mode": "tf_crop_and_resize"}
    elif case == "aspect":
        attributes = {"keep_aspect_ratio_policy": "not_larger"}
    sizes = net.ints(2 if case == "batch" else 1, 2, 9, 13)
    model = net.model(net.node("Resize", x, roi, "", sizes, **attributes), check=False)
    (node,) = canonicalise(model).graph.nodes
    assert "axes" not in node.attrs
