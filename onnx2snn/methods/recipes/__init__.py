"""Named combinations of stages: one recipe per file."""

from onnx2snn.methods.recipe import RECIPES, Recipe

__all__ = ["RECIPES", "Recipe"]
