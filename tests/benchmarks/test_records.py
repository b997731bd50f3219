from __future__ import annotations

import json


def _record(script, **changes):
    values = {
        "network": "net",
        "options": {"threshold": "mmse"},
        "timesteps": 8,
        "samples": 100,
        "ann": 0.9,
        "snn": 0.85,
        "date": "2026-01-01",
    }
    return script("records").Record(**{**values, **changes})


def test_what_was_written_is_known_to_the_next_run(script, tmp_path):
    records = script("records")
    path = tmp_path / "results" / "cells.jsonl"
    first = _record(script)

    records.Records(path).add([first])

    again = records.Records(path)
    assert list(again) == [first]
    assert first.key in again
    assert records.key("net", {"threshold": "mmse"}, 8, 100) in again
    assert records.key("net", {"threshold": "mmse"}, 16, 100) not in again
    assert records.key("net", {"threshold": "max"}, 8, 100) not in again
    assert records.key("net", {"threshold": "mmse"}, 8, 200) not in again


def test_the_order_of_options_does_not_matter_and_tuples_are_lists(script, tmp_path):
    records = script("records")
    path = tmp_path / "cells.jsonl"
    records.Records(path).add([_record(script, options={"input_range": (0.0, 1.0), "a": 1})])

    assert records.key("net", {"a": 1, "input_range": (0.0, 1.0)}, 8, 100) in records.Records(path)


def test_the_last_record_of_a_cell_counts_and_the_file_keeps_both(script, tmp_path):
    records = script("records")
    path = tmp_path / "cells.jsonl"
    kept = records.Records(path)
    kept.add([_record(script)])
    kept.add([_record(script, snn=0.7)])

    assert [r.snn for r in records.Records(path)] == [0.7]
    assert [json.loads(line)["snn"] for line in path.read_text().splitlines()] == [0.85, 0.7]


def test_points_lost_need_both_accuracies(script):
    assert round(_record(script).lost, 9) == 5.0
    assert _record(script, snn=None).lost is None


def test_circumstances_name_what_figures_depend_on(script):
    told = script("records").circumstances_of([_record(script, versions="numpy 2", machine="m")])

    assert "2026-01-01" in told
    assert "numpy 2" in told
    assert "never" in script("records").circumstances_of([])
