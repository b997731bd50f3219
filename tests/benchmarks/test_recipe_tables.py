from __future__ import annotations

from pathlib import Path

import pytest

OPTIONS = {"good": {"threshold": "mmse"}, "bad": {"threshold": "max"}}


@pytest.fixture
def network(script):
    common = script("common")
    return common.Network("a net", Path("net.onnx"), Path("t"), Path("c"), common.Preprocessing())


@pytest.fixture
def rows(script, network):
    return [script("cells").Row(name, network, o, (4, 8), 100) for name, o in OPTIONS.items()]


@pytest.fixture
def measured(script, tmp_path):
    records = script("records")
    kept = records.Records(tmp_path / "cells.jsonl")
    for name, snn in (("good", 0.85), ("bad", 0.6)):
        kept.add([records.Record("net", OPTIONS[name], 8, 100, 0.9, snn, 0.8, 3.0)])
    return kept


def _question(script, network, *claims):
    questions = script("questions")
    made = tuple(questions.Claim(*c) for c in claims)
    return questions.Question("title", "source", OPTIONS, made, network, (4, 8), 100)


def test_cells_say_points_lost_and_steps_nobody_measured_are_left_out(script, rows, measured):
    lines = script("recipe_tables").lost_tables(rows, measured)

    assert "| good | 5.0 | 3 |" in lines
    assert "| bad | 30.0 | 3 |" in lines
    assert "|  | T = 8 | CPU s |" in lines
    assert any("100 test images" in line and "90.0 %" in line for line in lines)


def test_rows_nobody_measured_are_left_out(script, rows, tmp_path):
    empty = script("records").Records(tmp_path / "none.jsonl")

    assert script("recipe_tables").lost_tables(rows, empty) == []


def test_a_refusal_stands_in_place_of_cells(script, rows, measured):
    record = script("records").Record("net", OPTIONS["bad"], 8, 100, refusal="needs quantizers")
    measured.add([record])

    assert "| bad | needs quantizers |  |" in script("recipe_tables").lost_tables(rows, measured)


@pytest.mark.parametrize(
    ("claim", "verdict"),
    [
        (("good", "bad", 8, 0), ("better", "+25.0", "holds")),
        (("good", "bad", 8, 20), ("more than 20 points", "+25.0", "holds")),
        (("good", "bad", 8, 30), ("more than 30 points", "+25.0", "does not hold")),
        (("good", "bad", 8, 25), ("more than 25 points", "+25.0", "does not hold")),
        (("good", "", 8, -5), ("at most 5 lost", "5.00 lost", "holds")),
        (("bad", "good", 8, 0), ("better", "-25.0", "does not hold")),
        (("good", "", 8, -6), ("at most 6 lost", "5.00 lost", "holds")),
        (("good", "", 8, -0.3), ("at most 0.3 lost", "5.00 lost", "does not hold")),
        (("good", "bad", 4, 0), ("better", "", "not measured")),
        (("good", "", 4, -1), ("at most 1 lost", "", "not measured")),
    ],
)
def test_claims_are_compared_with_what_was_measured(
    script, network, rows, measured, claim, verdict
):
    question = _question(script, network, claim)

    lines = script("recipe_tables").answers(question, rows, measured)

    assert any(line.endswith(" | ".join(("", *verdict, ""))[1:].rstrip()) for line in lines), lines


def test_a_claim_names_rows_that_are_there(script):
    questions = script("questions")
    for question in (questions.FAMILIES, questions.DIGITS, *questions.QUESTIONS):
        for claim in question.claims:
            assert claim.better in question.rows
            assert claim.worse in ("", *question.rows)
            assert claim.timesteps in question.steps
