"""``onnx2snn recipes``."""

from __future__ import annotations

import click

from onnx2snn.cli.options import json_option
from onnx2snn.cli.output import print_json, print_table
from onnx2snn.methods import RECIPES, Recipe


@click.command("recipes")
@json_option
def command(as_json: bool) -> None:
    """List the recipes: what each does, needs and costs, and where it comes from."""
    recipes = sorted(RECIPES, key=lambda r: r.name)
    if as_json:
        print_json("recipes", {"recipes": [_content(r) for r in recipes]})
        return
    print_table(
        f"{len(recipes)} recipes",
        ["recipe", "what it does", "needs", "costs", "from"],
        [[r.name, r.summary, r.needs, r.costs, r.citation] for r in recipes],
    )


def _content(recipe: Recipe) -> dict[str, object]:
    return {
        "name": recipe.name,
        "summary": recipe.summary,
        "needs": recipe.needs,
        "costs": recipe.costs,
        "citation": recipe.citation,
        "stages": dict(recipe.stages),
        "exact": recipe.is_exact,
    }
