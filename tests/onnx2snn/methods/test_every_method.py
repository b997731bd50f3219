"""What holds for every threshold method and initial potential: a new file is covered at once."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from onnx2snn.calibration import SiteStatistics
from onnx2snn.calibration.statistics import BINS
from onnx2snn.errors import CalibrationError
from onnx2snn.methods import POTENTIALS, THRESHOLDS, plan_neurons, sites_without_threshold
from onnx2snn.plan import ConversionConfig

every_method = pytest.mark.parametrize("method", list(THRESHOLDS), ids=THRESHOLDS.names())
#: A start depends on the share of the threshold alone; the walk refines it elsewhere.
every_potential = pytest.mark.parametrize(
    "potential",
    [p for p in POTENTIALS if p.refine is None],
    ids=[p.name for p in POTENTIALS if p.refine is None],
)
every_length = pytest.mark.parametrize("T", [1, 2, 8, 1000])
every_granularity = pytest.mark.parametrize("granularity", ["channel", "layer"])


def plan(site, statistics, **options):
    """The neuron plan of one site, whether it is for one T only, and the diagnostics."""
    found = {} if statistics is None else {site.name: statistics}
    said = []
    [neuron], fixed = plan_neurons([site], found, ConversionConfig(**options), said)
    return neuron, fixed, said


def applicable(method, sites, statistics):
    """Everything that the method can be applied to: (site, statistics or None)."""
    config = ConversionConfig(threshold=method.name)
    for name, site in sites.items():
        for known in (None, statistics[name]):
            if method.compute(site, known, config) is not None:
                yield site, known


@every_method
class TestThresholds:
    def test_describes_itself(self, method):
        assert THRESHOLDS.get(method.name) is method
        assert method.summary
        assert "\n" not in method.summary
        assert not method.summary.endswith(".")
        assert method.needs

    def test_applies_to_something(self, method, sites, statistics):
        assert list(applicable(method, sites, statistics))

    def test_needs_data_or_not(self, method, sites, statistics):
        """As it says of itself: with data alone, or without any."""
        for name, site in sites.items():
            config = ConversionConfig(threshold=method.name)
            if method.needs_data:
                assert method.compute(site, None, config) is None
                assert method.compute(site, statistics[name], config) is not None
            else:
                alone = method.compute(site, None, config)
                with_data = method.compute(site, statistics[name], config)
                np.testing.assert_array_equal(alone, with_data)

    @every_granularity
    @every_length
    @every_potential
    def test_plans(self, method, granularity, T, potential, sites, statistics):
        """Finite positive thresholds of a shape that fits, amplitudes and potentials to match."""
        for site, known in applicable(method, sites, statistics):
            neuron, fixed, said = plan(
                site,
                known,
                timesteps=T,
                threshold=method.name,
                granularity=granularity,
                v_init=potential.name,
            )
            theta = neuron.threshold
            assert theta.dtype == np.float32
            assert np.isfinite(theta).all()
            assert (theta > 0).all()
            assert theta.shape in {(1,), (site.channels, *(1 for _ in range(site.rank - 2)))}
            if granularity == "layer":
                assert theta.size == 1
            assert (theta <= np.float32(site.upper - site.lower)).all()
            np.testing.assert_array_equal(neuron.amplitude, theta)
            np.testing.assert_array_equal(neuron.v_init, theta * np.float32(potential.fraction))
            assert neuron.site == site.name
            assert fixed == method.depends_on_timesteps
            assert said == []

    def test_reasonable(self, method, sites, statistics):
        """Not far from the activations: no method gives tiny or huge thresholds here."""
        for site, known in applicable(method, sites, statistics):
            neuron, _, _ = plan(site, known, threshold=method.name)
            assert (neuron.threshold > 0.05).all()
            assert (neuron.threshold < 20).all()

    def test_depends_on_time_or_not(self, method, sites, statistics):
        """A file whose thresholds depend on T must say so, and only then."""
        changed = False
        for site, known in applicable(method, sites, statistics):
            one, other = (
                plan(site, known, timesteps=T, threshold=method.name)[0].threshold for T in (1, 32)
            )
            changed = changed or not np.array_equal(one, other)
        assert changed == method.depends_on_timesteps

    def test_longer_windows_clip_less(self, method, sites, statistics):
        """More levels allow a threshold no smaller."""
        for site, known in applicable(method, sites, statistics):
            thresholds = [
                plan(site, known, timesteps=T, threshold=method.name)[0].threshold
                for T in (2, 8, 64)
            ]
            for short, long in pairwise(thresholds):
                assert (long >= short * (1 - 0.02)).all()

    def test_provenance(self, method, sites, statistics):
        for site, known in applicable(method, sites, statistics):
            neuron, _, _ = plan(site, known, threshold=method.name, v_init="zero")
            told = neuron.provenance["threshold"]
            assert told.startswith(method.name)
            assert ("4000 samples from data.npz" in told) == method.needs_data
            assert "/" not in told
            assert neuron.provenance["v_init"] == "zero"

    def test_refuses_what_it_cannot(self, method, sites):
        config = ConversionConfig(threshold=method.name)
        refused = [s for s in sites.values() if method.compute(s, None, config) is None]
        assert refused
        for site in refused:
            with pytest.raises(CalibrationError) as error:
                plan(site, None, threshold=method.name)
            for text in (f"'{site.name}'", f"'{method.name}'", method.needs, "--threshold"):
                assert text in str(error.value)
        assert sites_without_threshold(list(sites.values()), config) == refused

    def test_changes_nothing(self, method, sites, statistics):
        """The same every time; what it is given stays as it is."""
        for site, known in applicable(method, sites, statistics):
            before = None if known is None else (known.maximum.copy(), known.histogram.copy())
            one, two = (plan(site, known, threshold=method.name)[0] for _ in range(2))
            np.testing.assert_array_equal(one.threshold, two.threshold)
            if known is not None:
                np.testing.assert_array_equal(known.maximum, before[0])
                np.testing.assert_array_equal(known.histogram, before[1])


@pytest.mark.parametrize("method", [m for m in THRESHOLDS if m.needs_data], ids=lambda m: m.name)
class TestThresholdsFromData:
    @every_granularity
    def test_silence(self, method, granularity, make_site):
        """Activations that are always zero: neurons that never fire, and a warning."""
        zeros = np.zeros(6)
        histogram = np.zeros((6, BINS), np.int64)
        histogram[:, 0] = 100
        silent = SiteStatistics(zeros, zeros, 0.0, histogram, 100, "data")
        neuron, _, said = plan(
            make_site(), silent, threshold=method.name, granularity=granularity, timesteps=4
        )
        assert np.isfinite(neuron.threshold).all()
        assert (neuron.threshold > 0).all()
        assert not neuron.amplitude.any()
        assert [(d.code, d.severity) for d in said] == [("DEAD_CHANNELS", "warning")]

    def test_one_silent_channel(self, method, make_site, make_statistics):
        values = np.abs(np.random.default_rng(0).normal(0, 1, (6, 500)))
        values[2] = 0
        neuron, _, said = plan(make_site(), make_statistics(values), threshold=method.name)
        dead = neuron.amplitude.reshape(-1) == 0
        assert list(np.flatnonzero(dead)) == [2]
        assert neuron.threshold.reshape(-1)[2] == 1.0
        assert [(d.code, d.severity) for d in said] == [("DEAD_CHANNELS", "info")]
        assert "1 of 6" in said[0].what

    def test_one_sample(self, method, make_site, make_statistics):
        values = np.abs(np.random.default_rng(0).normal(0, 1, (6, 1)))
        neuron, _, _ = plan(
            make_site(), make_statistics(values), threshold=method.name, timesteps=1
        )
        # One value per channel: every method can represent it with its largest level.
        np.testing.assert_allclose(neuron.threshold.reshape(-1), values[:, 0], rtol=0.05)

    def test_synthetic_data_tell_layers_apart_only(self, method, sites, statistics):
        made_up = replace(statistics["relu"], synthetic=True)
        neuron, _, _ = plan(sites["relu"], made_up, threshold=method.name)
        assert neuron.threshold.size == 1


@every_potential
def test_potential(potential):
    assert POTENTIALS.get(potential.name) is potential
    assert potential.summary
    assert "\n" not in potential.summary
    assert 0 <= potential.fraction <= 1
