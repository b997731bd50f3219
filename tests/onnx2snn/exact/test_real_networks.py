"""Trained int8 networks: the populations against onnxruntime's own integers, on a few images.

The source runs node by node in float32 there, so a few integers differ where a value is nearly a
half. ``onnx2snn verify`` proves those; here they are counted.
"""

import itertools

import numpy as np
import onnx
import pytest
from onnx import helper

from onnx2snn import convert

#: What share of the integers may be near a half.
NONE, FEW = 0.0, 1e-3


def with_integers(source, targets):
    """The source with the integers of its quantizers as outputs, and their zero points."""
    constants = {t.name: onnx.numpy_helper.to_array(t) for t in source.graph.initializer}
    makers = {n.output[0]: n for n in source.graph.node}
    model = onnx.ModelProto()
    model.CopyFrom(source)
    zeros = [constants[makers[t].input[2]] for t in targets]
    for target, zero in zip(targets, zeros, strict=True):
        kind = helper.np_dtype_to_tensor_dtype(zero.dtype)
        model.graph.output.append(helper.make_tensor_value_info(target, kind, None))
    return model, [int(z.reshape(-1)[0]) for z in zeros]


def fewest(got, want):
    """Differences in the order of axes with the fewest of them: Transposes may have moved."""
    orders = [(0, *p) for p in itertools.permutations(range(1, want.ndim))]
    moved = [want.transpose(p) for p in orders]
    return min((np.abs(got - m) for m in moved if m.shape == got.shape), key=np.count_nonzero)


def compare(source, feeds, spoken, run_stock, allowed):
    """All populations of the radix twin against the source.

    Behind an average pool, whose halves are many, integers may differ by a few levels.
    """
    result = convert(source, recipe="exact-radix")
    assert result.plan.config.timesteps == 8
    assert not [d for d in result.diagnostics if d.severity != "info"]
    makers = {o: n.op_type for n in source.graph.node for o in n.output}
    assert {s.target for s in result.plan.sites} == {
        n.output[0]
        for n in source.graph.node
        if n.op_type == "QuantizeLinear" and makers.get(n.input[0], "Softmax") != "Softmax"
    }
    names, outputs = spoken(result.model, feeds)
    model, zeros = with_integers(source, [s.target for s in result.plan.sites])
    wanted = run_stock(model, feeds)
    pools = {n.output[0] for n in source.graph.node if "AveragePool" in n.op_type}
    wrong, total, pooled = 0, 0, False
    integers = wanted[len(source.graph.output) :]
    for site, zero, want in zip(result.plan.sites, zeros, integers, strict=True):
        misses = fewest(outputs[names[site.name]], want.astype(np.int64) - zero)
        pooled = pooled or site.source in pools
        assert misses.max() <= (3 if pooled else 1), site.name
        if not pooled:
            wrong, total = wrong + np.count_nonzero(misses), total + misses.size
    assert wrong <= allowed * total, (wrong, total)
    answer = source.graph.output[0].name
    np.testing.assert_array_equal(outputs[answer].argmax(axis=1), wanted[0].argmax(axis=1))


@pytest.mark.parametrize(
    "name", ["onnx2snn/demo_data/digits_cnn_int8.onnx", "models/digits_cnn_int8_asymmetric.onnx"]
)
def test_digits(pytestconfig, spoken, run_stock, name):
    source = onnx.load(pytestconfig.rootpath / name)
    with np.load(pytestconfig.rootpath / "onnx2snn/demo_data/digits_heldout.npz") as data:
        images = (data["images"][:40] / np.float32(16)).astype(np.float32)
    feeds = {source.graph.input[0].name: images}
    compare(source, feeds, spoken, run_stock, FEW)


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("name", "scale", "allowed"),
    [
        ("mlperftiny_cifar10_resnet8_int8_qdq", 1.0, FEW),
        ("hls4ml_cifar10_rn08_w8a8pow2_qdq", 1 / 256, NONE),
    ],
)
def test_networks_of_others(data_folder, spoken, run_stock, name, scale, allowed):
    source = onnx.load(data_folder / "models" / f"{name}.onnx")
    with np.load(data_folder / "cifar10_test_lossless.npz") as archive:
        images = archive["images"][:4].astype(np.float32) * np.float32(scale)
    shape = [d.dim_value for d in source.graph.input[0].type.tensor_type.shape.dim]
    images = images if shape[-1] == 3 else np.moveaxis(images, -1, 1)
    feeds = {source.graph.input[0].name: np.ascontiguousarray(images)}
    compare(source, feeds, spoken, run_stock, allowed)
