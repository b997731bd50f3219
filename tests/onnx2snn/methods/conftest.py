"""Activation sites of every kind, and statistics as calibration would give them."""

import numpy as np
import pytest

from onnx2snn.calibration import SiteStatistics
from onnx2snn.calibration.statistics import BINS
from onnx2snn.plan import ActivationSite

CHANNELS = 6


def statistics_of(values, percentile=99.9, synthetic=False):
    """Statistics of activations [C, n] above the lower bound."""
    top = values.max(axis=1).astype(np.float64)
    counts = [np.histogram(v, BINS, (0, t or 1))[0] for v, t in zip(values, top, strict=True)]
    return SiteStatistics(
        maximum=top,
        percentile=np.percentile(values, percentile, axis=1),
        layer_percentile=float(np.percentile(values, percentile)),
        histogram=np.array(counts, dtype=np.int64),
        samples=values.shape[1],
        data="/some/where/data.npz",
        synthetic=synthetic,
    )


def a_site(kind="relu", channels=CHANNELS, rank=4, **options):
    return ActivationSite(
        f"the {kind}", kind, "x", "y", (f"the {kind}",), channels, rank, **options
    )


RNG = np.random.default_rng(0)
MEAN = RNG.normal(0, 1, CHANNELS).astype(np.float32)
STD = RNG.uniform(0.5, 2, CHANNELS).astype(np.float32)

SITES = {
    "relu": a_site(),
    "norm": a_site(mean=MEAN, std=STD),
    "clip": a_site("clip", upper=6.0),
    "clip, norm": a_site("clip", upper=6.0, mean=MEAN, std=STD),
    "quantizer": a_site("quantizer", upper=2.55, levels=256, scale=0.01, zero_point=0),
    "quantizer, norm": a_site(
        "quantizer", upper=2.55, levels=256, scale=0.01, zero_point=0, mean=MEAN, std=STD
    ),
    "signed": a_site("quantizer", lower=-1.0, upper=1.54, levels=255, scale=0.01, zero_point=100),
    "flat": a_site(rank=2, mean=MEAN, std=STD),
}


def activations(name):
    """Activations above the lower bound, [C, n], for one of the sites."""
    site = SITES[name]
    mean = MEAN if site.mean is None else site.mean
    std = STD if site.std is None else site.std
    x = np.random.default_rng(1).normal(mean[:, None], std[:, None], (CHANNELS, 4000))
    return np.clip(x, site.lower, site.upper) - site.lower


@pytest.fixture(scope="session")
def sites():
    """Sites by name, with and without what methods may need."""
    return SITES


@pytest.fixture(scope="session")
def make_site():
    return a_site


@pytest.fixture(scope="session")
def make_statistics():
    return statistics_of


@pytest.fixture(scope="session")
def statistics():
    """Statistics by the name of the site."""
    return {name: statistics_of(activations(name)) for name in SITES}
