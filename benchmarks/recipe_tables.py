"""Markdown tables of measured cells."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

from cells import Row
from common import table
from questions import Claim, Question
from records import Record, Records

#: From so many images on, hundredths of a point are shown.
MANY = 5000


def lost_tables(rows: Sequence[Row], records: Records) -> list[str]:
    """A table for each network and number of images; rows that were not measured are left out."""
    lines: list[str] = []
    for (title, samples), group in groupby(rows, key=lambda r: (r.network.name, r.samples)):
        measured = [r for r in group if any(record for _, record in r.cells(records))]
        if measured:
            lines += [f"### {title}", "", _source(measured, records, samples), ""]
            lines += _table(measured, records)
    return lines


def answers(question: Question, rows: Sequence[Row], records: Records) -> list[str]:
    """The table of a question, and what became of its claims."""
    measured = [r for r in rows if any(record for _, record in r.cells(records))]
    if not measured:
        return []
    lines = [f"## {question.title} ({question.source})", ""]
    lines += [f"{question.network.name}. {_source(measured, records, question.samples)}", ""]
    lines += _table(measured, records)
    claims = [_claim(c, rows, records) for c in question.claims]
    if claims:
        lines += table(["claim", "asked", "measured", ""], claims)
    return lines


def _source(rows: Iterable[Row], records: Records, samples: int) -> str:
    """What the source network reaches on these images."""
    found = [record.ann for row in rows for _, record in row.cells(records) if record]
    known = next((ann for ann in found if ann is not None), None)
    told = "" if known is None else f"; the source is right on {100 * known:.1f} %"
    return f"Points of accuracy lost, {samples:,} test images{told}."


def _table(rows: Sequence[Row], records: Records) -> list[str]:
    steps = sorted({t for row in rows for t, record in row.cells(records) if record})
    lines = []
    for row in rows:
        cells = {t: record for t, record in row.cells(records) if record}
        refusal = _refusal(cells.values())
        if refusal:
            lines.append([row.label, refusal, *[""] * len(steps)])
            continue
        lines.append([row.label, *(_cell(cells.get(t)) for t in steps), _seconds(cells.values())])
    return table(["", *(f"T = {t}" for t in steps), "CPU s"], lines)


def _cell(record: Record | None) -> str:
    if record is None:
        return ""
    if record.lost is None:
        return "refused"
    return f"{record.lost:.{1 if record.samples < MANY else 2}f}"


def _refusal(records: Iterable[Record]) -> str:
    """Why there is no cell at all; empty where there is one."""
    reasons = [r.refusal for r in records]
    return reasons[0] if all(reasons) else ""


def _seconds(records: Iterable[Record]) -> str:
    """Smallest and largest CPU seconds of a conversion."""
    known = [r.calibration_seconds for r in records if r.calibration_seconds is not None]
    if not known:
        return ""
    low, high = round(min(known)), round(max(known))
    return f"{low}" if low == high else f"{low} to {high}"


def _claim(claim: Claim, rows: Sequence[Row], records: Records) -> list[str]:
    found = {row.label: dict(row.cells(records)).get(claim.timesteps) for row in rows}
    lost = {name: record and record.lost for name, record in found.items()}
    better = lost[claim.better]
    if not claim.worse:
        told, asked = f"“{claim.better}”, T = {claim.timesteps}", f"at most {-claim.points:g} lost"
        if better is None:
            return [told, asked, "", "not measured"]
        return [told, asked, f"{better:.2f} lost", _verdict(round(better, 6) <= -claim.points)]
    told = f"“{claim.better}” over “{claim.worse}”, T = {claim.timesteps}"
    asked = f"more than {claim.points:g} points" if claim.points else "better"
    worse = lost[claim.worse]
    if better is None or worse is None:
        return [told, asked, "", "not measured"]
    gain = worse - better
    # Shares of images are not exact in binary: 5 points are not more than 5.
    return [told, asked, f"{gain:+.1f}", _verdict(round(gain, 6) > claim.points)]


def _verdict(holds: bool) -> str:
    return "holds" if holds else "does not hold"
