"""max and percentile: the numbers of the statistics, per channel or for the layer."""

import numpy as np
import pytest

from onnx2snn.methods import THRESHOLDS
from onnx2snn.plan import ConversionConfig


def compute(name, site, statistics, granularity="channel"):
    return THRESHOLDS.get(name).compute(site, statistics, ConversionConfig(granularity=granularity))


def test_maximum(sites, statistics):
    known = statistics["relu"]
    np.testing.assert_array_equal(compute("max", sites["relu"], known), known.maximum)
    layer = compute("max", sites["relu"], known, "layer")
    np.testing.assert_array_equal(layer, [known.maximum.max()])


def test_percentile(sites, statistics):
    known = statistics["relu"]
    np.testing.assert_array_equal(compute("percentile", sites["relu"], known), known.percentile)
    layer = compute("percentile", sites["relu"], known, "layer")
    np.testing.assert_array_equal(layer, [known.layer_percentile])


@pytest.mark.parametrize("name", ["max", "percentile"])
@pytest.mark.parametrize("granularity", ["channel", "layer"])
def test_nothing_without_data(name, granularity, sites):
    for site in sites.values():
        assert compute(name, site, None, granularity) is None
