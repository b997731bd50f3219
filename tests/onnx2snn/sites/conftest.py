"""Sites of a model, checked against what the canonical network computes."""

from dataclasses import dataclass

import numpy as np
import pytest

from onnx2snn.canonical import CanonicalGraph
from onnx2snn.frontend import canonicalise
from onnx2snn.plan import ActivationSite, Diagnostic
from onnx2snn.sites import find_sites
from onnx2snn_runtime.instrument import with_outputs


@dataclass(frozen=True)
class Found:
    """What was found in a model."""

    canonical: CanonicalGraph
    sites: tuple[ActivationSite, ...]
    diagnostics: list[Diagnostic]

    @property
    def only(self):
        (site,) = self.sites
        return site

    @property
    def kinds(self):
        return [s.kind for s in self.sites]


@pytest.fixture(scope="session")
def find():
    """The sites of a model."""

    def find(model, avgpool="spiking", keep_analog=()):
        canonical, diagnostics = canonicalise(model), []
        sites = find_sites(
            canonical,
            avgpool=avgpool,
            keep_analog=frozenset(keep_analog),
            diagnostics=diagnostics,
        )
        return Found(canonical, sites, diagnostics)

    return find


@pytest.fixture(scope="session")
def check_values(run_stock):
    """Assert that every activation is its pre-activation, clipped to the bounds, on the grid."""

    def check(found, feeds):
        sites = [s for s in found.sites if s.kind != "average_pool"]
        names = [n for s in sites for n in (s.source, s.target)]
        model = with_outputs(found.canonical.to_model(), names)
        if not isinstance(feeds, dict):
            feeds = {model.graph.input[0].name: feeds}
        ops = {n.name: n.op for n in found.canonical.graph.nodes}
        # A graph's own input can be a source too.
        made = [n for n in dict.fromkeys(names) if n not in feeds]
        values = feeds | dict(zip(made, run_stock(model, feeds, made), strict=True))
        for site in sites:
            before, after = values[site.source], values[site.target]
            clipped = np.clip(before, site.lower, site.upper)
            if site.scale is None:
                np.testing.assert_array_equal(after, clipped.astype(np.float32))
                continue
            # Two quantizers in a chain round twice.
            steps = sum(ops[n] == "QuantizeLinear" for n in site.nodes) * 0.501
            assert np.abs(after - clipped).max() <= steps * site.scale
            grid = after / site.scale
            np.testing.assert_allclose(grid, np.round(grid), atol=1e-3)
            assert after.min() >= site.lower - 1e-6
            assert after.max() <= site.upper + 1e-6

    return check


@pytest.fixture(scope="session")
def quantized():
    """A function that puts QuantizeLinear and DequantizeLinear behind a tensor."""

    def quantized(net, x, scale, zero=0, dtype=np.uint8, name=None, axis=None):
        given = [net.const(scale), net.const(np.array(zero, dtype), dtype=None)]
        attributes = {} if axis is None else {"axis": axis}
        q = net.node("QuantizeLinear", x, *given, name=name, **attributes)
        return net.node("DequantizeLinear", q, *given, name=name and f"{name}_d", **attributes)

    return quantized
