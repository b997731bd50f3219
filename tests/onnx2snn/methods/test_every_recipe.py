"""What holds for every recipe: a new file is covered at once."""

from dataclasses import fields, replace

import pytest

from onnx2snn.methods import BIASES, POTENTIALS, RECIPES, THRESHOLDS, TUNINGS, WEIGHTS, Recipe
from onnx2snn.methods.recipe import SHORT
from onnx2snn.plan import ConversionConfig

every_recipe = pytest.mark.parametrize("recipe", list(RECIPES), ids=RECIPES.names())
REGISTRIES = {
    "threshold": THRESHOLDS,
    "v_init": POTENTIALS,
    "bias": BIASES,
    "weights": WEIGHTS,
    "tuning": TUNINGS,
}


@every_recipe
def test_describes_itself(recipe):
    assert RECIPES.get(recipe.name) is recipe
    for text in (recipe.summary, recipe.needs, recipe.costs):
        assert text
        assert "\n" not in text
        assert not text.endswith(".")


@every_recipe
def test_stages_exist(recipe):
    known = {f.name for f in fields(ConversionConfig)}
    assert set(recipe.stages) <= known - {"recipe", "timesteps", "seed", "samples"}
    for stages in (recipe.stages, recipe.stages_with_data, *recipe.stages_by_neuron.values()):
        assert set(stages) <= known
        for stage, registry in REGISTRIES.items():
            if stages.get(stage, "auto") != "auto":
                registry.get(stages[stage])
    assert set(recipe.stages_by_neuron) <= set(recipe.neurons)


@every_recipe
def test_says_if_it_needs_data(recipe):
    config = ConversionConfig(**recipe.stages)
    methods = [r.get(getattr(config, s)) for s, r in REGISTRIES.items() if s != "threshold"]
    if config.threshold != "auto":
        methods.append(THRESHOLDS.get(config.threshold))
    needing = [
        m.name
        for m in methods
        if getattr(m, "needs_data", False) or getattr(m, "refine", getattr(m, "correct", None))
    ]
    if needing:
        assert "calibration data" in recipe.needs


class TestStages:
    """What the user says comes first, then data, then the recipe."""

    recipe = Recipe("r", "s", "n", "c", stages={"v_init": "zero"}, stages_with_data={"bias": "x"})

    def chosen(self, given=None, *, timesteps=8, has_data=True):
        return self.recipe.chosen(given or {}, timesteps=timesteps, has_data=has_data)

    def test_with_and_without_data(self):
        assert self.chosen() == {"v_init": "zero", "bias": "x"}
        assert self.chosen(has_data=False) == {"v_init": "zero"}

    def test_long_windows(self):
        assert self.chosen(timesteps=65) == {"v_init": "zero"}
        assert self.chosen(timesteps="8") == {"v_init": "zero"}

    def test_given(self):
        assert self.chosen({"avgpool": "a"}) == {"v_init": "zero", "bias": "x", "avgpool": "a"}
        assert self.chosen({"v_init": "half"}) == {"v_init": "half"}

    def test_what_a_neuron_model_has_of_its_own(self):
        """In place of the recipe's stages, where those are set; the user's come first."""
        recipe = replace(self.recipe, stages={}, stages_by_neuron={"asg": {"bias": "y", "v": "z"}})
        options = {"timesteps": 8, "has_data": True}
        assert recipe.chosen({"neuron": "if"}, **options) == {"bias": "x", "neuron": "if"}
        asg = {"bias": "y", "v": "z", "neuron": "asg"}
        assert recipe.chosen({"neuron": "asg"}, **options) == asg
        given = {"neuron": "asg", "v": "mine"}
        assert recipe.chosen(given, **options) == {**asg, "v": "mine"}
        assert recipe.chosen({"neuron": "asg"}, timesteps=8, has_data=False) == {"neuron": "asg"}

    def test_short_windows_of_plain_neurons(self):
        recipe = replace(self.recipe, stages={}, stages_in_short_windows={"bias": "y"})
        options = {"timesteps": SHORT, "has_data": True}
        assert recipe.chosen({}, **options) == {"bias": "y"}
        assert recipe.chosen({"neuron": "if"}, **options) == {"bias": "y", "neuron": "if"}
        assert recipe.chosen({"neuron": "asg"}, **options) == {"bias": "x", "neuron": "asg"}
        assert recipe.chosen({"bias": "mine"}, **options) == {"bias": "mine"}
        assert recipe.chosen({}, timesteps=SHORT, has_data=False) == {}
        assert recipe.chosen({}, timesteps=SHORT + 1, has_data=True) == {"bias": "x"}

    @pytest.mark.parametrize(("timesteps", "best"), [(8, "regression"), (4, "distill")])
    def test_auto_is_the_best_with_data(self, timesteps, best):
        auto, stages = RECIPES.get("auto"), dict(RECIPES.get(best).stages)
        assert auto.chosen({}, timesteps=timesteps, has_data=True) == stages
        assert auto.chosen({}, timesteps=timesteps, has_data=False) == {}


def test_papers_are_there():
    papers = {
        "max-norm", "robust-norm", "spike-norm", "rmp", "shift", "opi", "yan2022", "yan2022-ctt",
        "ding2021", "li2021-light", "li2021-advanced", "li2023",
    }  # fmt: skip
    assert papers <= set(RECIPES.names())
    assert all(RECIPES.get(name).citation for name in papers)
