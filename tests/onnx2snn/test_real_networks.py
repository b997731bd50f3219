"""Networks that other people trained, on real images; see MANIFEST.md in the data folder."""

from dataclasses import dataclass, field

import numpy as np
import onnx
import pytest

import onnx2snn
from onnx2snn.frontend import canonicalise
from onnx2snn_runtime import SpikingSession

pytestmark = pytest.mark.realdata


@dataclass(frozen=True)
class Network:
    """A file and its preprocessing: (x·scale − mean) / std on bytes, channels first."""

    name: str
    scale: float = 1.0
    mean: tuple = (0.0,)
    std: tuple = (1.0,)
    data: str = "cifar10"
    #: Kinds of sites and how many there are of each.
    sites: dict = field(default_factory=dict)

    def __str__(self):
        return self.name

    def load(self, folder):
        return onnx.load(folder / "models" / f"{self.name}.onnx")

    def images(self, folder, n, split="test"):
        """The first n images, ready for the network, and their labels."""
        kind = f"{split}_lossless" if self.data.startswith("cifar") else split
        with np.load(folder / f"{self.data}_{kind}.npz") as archive:
            x, labels = archive["images"][:n], archive["labels"][:n].astype(int)
        x = np.moveaxis(x, -1, 1).astype(np.float32) * np.float32(self.scale)
        mean, std = (np.array(v, np.float32).reshape(-1, 1, 1) for v in (self.mean, self.std))
        x = (x - mean) / std
        if "128" in self.name:  # four times larger
            x = x.repeat(4, axis=2).repeat(4, axis=3)
        return x, labels


IMAGENET = {"scale": 1 / 255, "mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
DISTILLER = {"scale": 1 / 255, "mean": (0.4914, 0.4822, 0.4465), "std": (0.2023, 0.1994, 0.2010)}
CIFAR100 = {"scale": 1 / 255, "mean": (0.507, 0.487, 0.441), "std": (0.267, 0.256, 0.276)}
VGG = {"scale": 1 / 255, "mean": (0.4914, 0.4822, 0.4465), "std": (0.2470, 0.2435, 0.2616)}

RESNET20 = Network("akamaster_cifar10_resnet20", **IMAGENET, sites={"relu": 19, "average_pool": 1})
RAW = Network(
    "akamaster_cifar10_resnet20_rawexport", **IMAGENET, sites={"relu": 19, "average_pool": 1}
)
WRN = Network("distiller_cifar10_wrn16_1", **DISTILLER, sites={"relu": 13, "average_pool": 1})
MLPERF = Network("mlperftiny_cifar10_resnet8_bn_float", sites={"relu": 7, "average_pool": 1})
MLPERF_INT8 = Network(
    "mlperftiny_cifar10_resnet8_int8_qdq", sites={"quantizer": 7, "average_pool": 1}
)
CORAL = Network(
    "coral_imagenet_mobilenet_v1_0.25_128_quant_qdq", scale=1 / 128, mean=(1.0,),
    sites={"quantizer": 27, "average_pool": 1},
)  # fmt: skip
SINABS = Network(
    "sinabs_mnist_cnn", scale=1 / 255, data="mnist", sites={"relu": 4, "average_pool": 3}
)
OTHERS = [
    Network("akamaster_cifar10_resnet56", **IMAGENET, sites={"relu": 55, "average_pool": 1}),
    Network("vgg16half_cifar10", **VGG, sites={"relu": 13, "max_pool": 5}),
    Network("distiller_cifar10_resnet8", **DISTILLER, sites={"relu": 7, "average_pool": 1}),
    Network(
        "distiller_cifar100_resnet20", **CIFAR100, data="cifar100",
        sites={"relu": 13, "average_pool": 1},
    ),
    Network("mlperftiny_cifar10_resnet8_float", sites={"relu": 7, "average_pool": 1}),
    Network("hls4ml_cifar10_rn08_w8a8pow2_qdq", scale=1 / 256, sites={"quantizer": 5}),
    Network("onnxzoo_mnist_cnn", data="mnist", sites={"relu": 2, "max_pool": 2}),
]  # fmt: skip
NETWORKS = [RESNET20, RAW, WRN, MLPERF, MLPERF_INT8, CORAL, SINABS, *OTHERS]


@pytest.mark.parametrize("network", NETWORKS, ids=str)
def test_the_canonical_form_computes_the_same(data_folder, run_stock, assert_close, network):
    model = network.load(data_folder)
    x, _ = network.images(data_folder, 3)
    canonical = canonicalise(model)
    ops = {n.op for n in canonical.graph.nodes}
    assert not ops & {"BatchNormalization", "Identity", "Dropout", "Cast", "Shape", "Gather"}
    one = model.graph.input[0].type.tensor_type.shape.dim[0].dim_value == 1
    parts = [x[i : i + 1] for i in range(3)] if one else [x]
    wanted = [np.concatenate([run_stock(model, p)[0] for p in parts])]
    got = run_stock(canonical.to_model(), x)
    assert_close(got, wanted, 0 if network.name.endswith("qdq") else 1e-4)
    assert len({tuple(row.round(4)) for row in wanted[0]}) == 3


@pytest.mark.parametrize("network", NETWORKS, ids=str)
def test_conversion_with_default_options(data_folder, network):
    result = onnx2snn.convert(network.load(data_folder), 8)
    kinds = [s.kind for s in result.plan.sites]
    assert {k: kinds.count(k) for k in kinds} == network.sites
    assert not [d for d in result.diagnostics if d.severity == "error"]
    x, _ = network.images(data_folder, 2)
    outputs = SpikingSession(result.model).run(x)
    assert all(np.isfinite(v).all() and v.std() > 0 for v in outputs.values())


def test_two_exports_of_one_network_are_converted_alike(data_folder):
    results = [
        onnx2snn.convert(n.load(data_folder), 8, threshold="gaussian") for n in (RESNET20, RAW)
    ]
    for one, other in zip(*(r.plan.neurons for r in results), strict=True):
        np.testing.assert_allclose(one.threshold, other.threshold, rtol=1e-5)
    x, _ = RAW.images(data_folder, 4)
    one, other = (next(iter(SpikingSession(r.model).run(x).values())) for r in results)
    np.testing.assert_allclose(one, other, atol=0.5)
    np.testing.assert_array_equal(one.argmax(axis=1), other.argmax(axis=1))


@pytest.mark.parametrize(
    ("network", "n", "points", "agreement"),
    [
        (RESNET20, 32, 0.05, 0.9),
        (WRN, 32, 0.05, 0.9),
        (MLPERF, 48, 0.1, 0.8),
        (MLPERF_INT8, 48, 0.1, 0.8),
        (SINABS, 64, 0.02, 0.97),
    ],
    ids=str,
)
def test_accuracy(data_folder, run_stock, network, n, points, agreement):
    """At T = 64, with thresholds from training images and linear pools."""
    model = network.load(data_folder)
    x, labels = network.images(data_folder, n)
    calibration, _ = network.images(data_folder, 64, "train")
    result = onnx2snn.convert(
        model, 64, threshold="percentile", avgpool="linear", calibration_data=calibration
    )
    (logits,) = SpikingSession(result.model).run(x).values()
    ann, snn = run_stock(model, x)[0].argmax(axis=1), logits.argmax(axis=1)
    assert (ann == labels).mean() > 0.8
    assert (snn == labels).mean() >= (ann == labels).mean() - points
    assert (snn == ann).mean() >= agreement


def test_a_deep_quantized_network_converges(data_folder, run_stock):
    """27 populations in a row: slowly, but the logits come to resemble the source's."""
    model = CORAL.load(data_folder)
    x, _ = CORAL.images(data_folder, 2)
    result = onnx2snn.convert(model, 8, threshold="max", avgpool="linear", calibration_data=x)
    (wanted,) = run_stock(model, x)
    session = SpikingSession(result.model)

    def likeness(timesteps):
        (got,) = session.run(x, timesteps).values()
        return np.mean([np.corrcoef(a, b)[0, 1] for a, b in zip(got, wanted, strict=True)])

    assert likeness(8) < 0.3
    assert likeness(320) > 0.6
