"""``onnx2snn recipes``."""

import json

import onnx2snn.methods


def test_all_are_listed(invoke):
    answer = invoke("recipes", "--json")
    assert (answer.code, answer.err) == (0, "")
    content = {r["name"]: r for r in json.loads(answer.out)["recipes"]}
    assert set(content) == set(onnx2snn.methods.RECIPES.names())
    assert {n for n, r in content.items() if r["exact"]} == {"exact", "exact-asg", "exact-radix"}
    for recipe in content.values():
        assert recipe["summary"]
        assert recipe["needs"]
        assert recipe["costs"]


def test_the_table(invoke):
    answer = invoke("recipes")
    assert (answer.code, answer.err) == (0, "")
    for name in onnx2snn.methods.RECIPES.names():
        assert name in answer.out
