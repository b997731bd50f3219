"""Which method "auto" takes, and plans that are the same for every method."""

import numpy as np
import pytest

from onnx2snn.errors import CalibrationError, RegistryError
from onnx2snn.methods import THRESHOLDS, plan_neurons, sites_without_threshold
from onnx2snn.methods.planner import AUTO_ORDER, DEAD_THRESHOLD
from onnx2snn.plan import ConversionConfig


def chosen(site, statistics=None, **options):
    found = {} if statistics is None else {site.name: statistics}
    [neuron], _ = plan_neurons([site], found, ConversionConfig(**options), [])
    return neuron.provenance["threshold"]


class TestAuto:
    def test_methods_exist(self):
        assert set(AUTO_ORDER) <= set(THRESHOLDS.names())

    @pytest.mark.parametrize("name", ["relu", "norm", "clip", "quantizer", "quantizer, norm"])
    def test_data_come_first(self, name, sites, statistics):
        method = chosen(sites[name], statistics[name]).split()[0]
        assert THRESHOLDS.get(method).needs_data

    @pytest.mark.parametrize("name", ["quantizer", "quantizer, norm", "signed"])
    def test_then_the_quantizer(self, name, sites):
        assert chosen(sites[name]).startswith("quantizer")

    @pytest.mark.parametrize("name", ["norm", "clip, norm", "flat"])
    def test_then_batch_norm(self, name, sites):
        assert chosen(sites[name]) == "gaussian"

    def test_then_the_bound(self, sites):
        assert chosen(sites["clip"]) == "bound"

    def test_nothing_is_known(self, sites):
        assert sites_without_threshold(list(sites.values()), ConversionConfig()) == [sites["relu"]]

    def test_each_site_for_itself(self, sites, statistics):
        """Statistics of one site are no reason to need them for another."""
        some = [sites[n] for n in ("relu", "norm", "clip", "quantizer")]
        known = {"the relu": statistics["relu"]}
        neurons, _ = plan_neurons([some[0], some[2], some[3]], known, ConversionConfig(), [])
        methods = [n.provenance["threshold"].split()[0] for n in neurons]
        assert THRESHOLDS.get(methods[0]).needs_data
        assert methods[1] == "bound"
        assert methods[2].startswith("quantizer")

    def test_free_time_if_every_method_allows_it(self, sites):
        free = [sites["clip"]]
        assert plan_neurons(free, {}, ConversionConfig(), [])[1] is False
        both = [sites["clip"], sites["norm"]]
        assert plan_neurons(both, {}, ConversionConfig(), [])[1] is True
        assert plan_neurons(both[::-1], {}, ConversionConfig(), [])[1] is True


class TestPlans:
    def test_order_and_names(self, sites, statistics):
        some = [sites["quantizer"], sites["clip"]]
        neurons, _ = plan_neurons(some, {}, ConversionConfig(), [])
        assert [n.site for n in neurons] == [s.name for s in some]

    @pytest.mark.parametrize("reset", ["subtract", "zero"])
    def test_reset(self, reset, sites):
        [neuron], _ = plan_neurons([sites["clip"]], {}, ConversionConfig(reset=reset), [])
        assert (neuron.neuron, neuron.reset) == ("if", reset)

    @pytest.mark.parametrize(("v_init", "share"), [("half", 0.5), ("zero", 0.0)])
    def test_average_pools(self, v_init, share, make_site):
        """They need no method: a spike for as many as there are places."""
        places = np.array([[4, 6], [6, 9]], np.float32)
        pool = make_site("average_pool", places=places)
        config = ConversionConfig(v_init=v_init, threshold="quantizer")
        [neuron], fixed = plan_neurons([pool], {}, config, [])
        assert (neuron.neuron, neuron.amplitude, fixed) == ("average_pool", None, False)
        np.testing.assert_array_equal(neuron.threshold, places)
        np.testing.assert_array_equal(neuron.v_init, places * share)
        assert sites_without_threshold([pool], config) == []

    def test_max_pools(self, make_site):
        [neuron], fixed = plan_neurons([make_site("max_pool")], {}, ConversionConfig(), [])
        assert (neuron.neuron, neuron.threshold, neuron.amplitude) == ("max_pool", None, None)
        assert not fixed

    def test_never_above_the_bound(self, make_site, make_statistics):
        """A threshold above it would only waste levels."""
        values = np.full((6, 100), 6.0)
        config = ConversionConfig(threshold="max")
        clip = make_site("clip", upper=2.0)
        [neuron], _ = plan_neurons([clip], {clip.name: make_statistics(values)}, config, [])
        np.testing.assert_array_equal(neuron.threshold.reshape(-1), np.full(6, 2, np.float32))

    @pytest.mark.parametrize("value", [0.0, -1.0, 1e-45, np.nan])
    def test_what_is_no_threshold(self, value, make_site, make_statistics):
        """Zero, and what float32 cannot tell from it: a channel that never fires."""
        statistics = make_statistics(np.ones((6, 100)))
        statistics.maximum[3] = value
        said = []
        site = make_site()
        config = ConversionConfig(threshold="max")
        [neuron], _ = plan_neurons([site], {site.name: statistics}, config, said)
        assert neuron.threshold[3, 0, 0] == DEAD_THRESHOLD
        assert neuron.amplitude[3, 0, 0] == 0
        assert [d.code for d in said] == ["DEAD_CHANNELS"]

    @pytest.mark.parametrize(("rank", "shape"), [(2, (6,)), (3, (6, 1)), (5, (6, 1, 1, 1))])
    def test_shape(self, rank, shape, make_site, make_statistics):
        site = make_site(rank=rank)
        known = {site.name: make_statistics(np.arange(1.0, 7)[:, None] * np.ones((6, 9)))}
        [neuron], _ = plan_neurons([site], known, ConversionConfig(threshold="max"), [])
        assert neuron.threshold.shape == neuron.v_init.shape == neuron.amplitude.shape == shape

    def test_unknown_names(self, sites):
        for options in ({"threshold": "frobnicate"}, {"v_init": "frobnicate"}):
            with pytest.raises(RegistryError):
                plan_neurons([sites["clip"]], {}, ConversionConfig(**options), [])

    def test_the_site_is_named(self, sites):
        with pytest.raises(CalibrationError) as error:
            plan_neurons([sites["relu"]], {}, ConversionConfig(threshold="max"), [])
        assert error.value.node == "'the relu'"
        assert error.value.remedy
