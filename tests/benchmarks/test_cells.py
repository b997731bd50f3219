from __future__ import annotations

import pytest

SAMPLES = 20


@pytest.fixture
def kept(script, tmp_path):
    return script("records").Records(tmp_path / "cells.jsonl")


@pytest.fixture
def row(script, monkeypatch):
    """A row on the digits network of the demo; nothing asks git."""
    monkeypatch.setattr(script("cells"), "circumstances", dict)

    def make(steps=(2, 4), **options):
        digits = script("common").OWN_DIGITS
        return script("cells").Row("a row", digits, {"samples": 16, **options}, steps, SAMPLES)

    return make


def test_a_file_for_one_t_is_made_for_every_t_in_the_order_asked_for(script, row, kept, capsys):
    made = row(threshold="mmse")

    script("cells").fill([made], [4, 2, 8], kept, again=False)

    assert [r.timesteps for r in kept] == [4, 2]
    assert all(r.ann > 0.9 and 0 <= r.snn <= 1 and r.agreement is not None for r in kept)
    assert capsys.readouterr().out.count("a row") == 2


def test_a_file_for_any_t_is_simulated_once_up_to_the_longest_asked_for(script, row, kept):
    made = row(steps=(2, 4, 8), threshold="max")

    script("cells").fill([made], [4, 2], kept, again=False)

    assert sorted(r.timesteps for r in kept) == [2, 4]
    assert len({r.calibration_seconds for r in kept}) == 1


def test_known_cells_are_measured_only_when_asked_to(script, row, kept, monkeypatch):
    cells, made = script("cells"), row(threshold="max")
    cells.fill([made], [4], kept, again=False)
    measured = []
    original = cells.measure
    monkeypatch.setattr(cells, "measure", lambda *a: measured.append(a) or original(*a))

    cells.fill([made], [4], kept, again=False)
    assert not measured

    cells.fill([made, made], [4], kept, again=True)
    assert len(measured) == 1


def test_a_refusal_is_a_cell_with_its_reason(script, row, kept):
    cells, made = script("cells"), row(threshold="gaussian")

    cells.fill([made], [4], kept, again=False)

    (record,) = kept
    assert "batch norm" in record.refusal
    assert record.lost is None
