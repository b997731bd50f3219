"""quantizer and bound: what the model says of itself."""

import numpy as np
import pytest

from onnx2snn.methods import THRESHOLDS
from onnx2snn.plan import ConversionConfig


def compute(name, site):
    return THRESHOLDS.get(name).compute(site, None, ConversionConfig())


@pytest.mark.parametrize(("site", "width"), [("quantizer", 2.55), ("signed", 2.54)])
def test_quantizer(site, width, sites):
    """From the lowest to the highest value; a signed one is shifted to start at zero."""
    np.testing.assert_allclose(compute("quantizer", sites[site]), [width])


def test_bound(sites, make_site):
    np.testing.assert_array_equal(compute("bound", sites["clip"]), [6])
    np.testing.assert_array_equal(compute("bound", make_site("clip", lower=-1.0, upper=1.0)), [2])


def test_not_applicable(sites):
    for name in ("relu", "norm", "clip"):
        assert compute("quantizer", sites[name]) is None
    for name in ("relu", "norm", "flat"):
        assert compute("bound", sites[name]) is None
