"""``onnx2snn inspect``."""

from __future__ import annotations

from collections import Counter
from typing import Any

import click

from onnx2snn import api
from onnx2snn.cli.main import DONE, FAILED
from onnx2snn.cli.options import FILE, json_option
from onnx2snn.cli.output import diagnostics_json, print_diagnostics, print_json, print_table, say
from onnx2snn.plan import ActivationSite
from onnx2snn.steps.settings import CHOICES


@click.command("inspect")
@click.argument("model", type=FILE)
@click.option(
    "--avgpool",
    type=click.Choice(CHOICES["avgpool"]),
    default="spiking",
    show_default=True,
    help="As for convert.",
)
@click.option("--keep-analog", multiple=True, metavar="NODE", help="As for convert.")
@json_option
def command(model: str, avgpool: str, keep_analog: tuple[str, ...], as_json: bool) -> int:
    """Show what MODEL is made of and what will become of it.

    Leaves with 1 if something in it cannot be converted.
    """
    found = api.inspect(model, avgpool=avgpool, keep_analog=keep_analog)
    if as_json:
        print_json("inspect", _content(found))
    else:
        _print(found)
    return DONE if found.convertible else FAILED


def _print(found: api.Inspection) -> None:
    source = found.source
    say(f"{source.file or 'model'}: {', '.join(source.dialects)}, opset {source.opset}")
    if source.producer:
        say(f"made by {source.producer}")
    say("operators: " + ", ".join(f"{n} {op}" for op, n in source.operators.items()))
    print_table(
        "nodes in canonical form",
        ["node", "operator", "becomes"],
        [[name, op, _fate(found, name)] for name, op in found.operators.items()],
    )
    counts = Counter(site.kind for site in found.sites)
    kinds = ", ".join(f"{n} {kind}" for kind, n in counts.items())
    say(f"{len(found.sites)} activation sites" + (f": {kinds}" if kinds else ""))
    say(_share(found))
    print_diagnostics(found.diagnostics)
    say("can be converted" if found.convertible else "cannot be converted as it is")


def _operations(found: api.Inspection) -> dict[str, Any]:
    work = found.workload
    return {
        "total": work.total,
        "in_time": work.in_time,
        "analog": work.analog,
        "share_in_time": work.share_in_time,
        "unknown": list(work.unknown),
    }


def _share(found: api.Inspection) -> str:
    work = found.workload
    share = work.share_in_time
    if share is None:
        return "operations: no layers with weights whose sizes are known"
    text = (
        f"operations: {work.total:,} multiply-accumulates for a sample, {share:.1%} in time "
        f"(spiking), {1 - share:.1%} analog (once for a window)"
    )
    return text + (f"; {len(work.unknown)} layers are of unknown size" if work.unknown else "")


def _fate(found: api.Inspection, name: str) -> str:
    broken = {d.node for d in found.diagnostics if d.severity == "error"}
    if f"'{name}' ({found.operators[name]})" in broken:
        return "not supported"
    region = found.regions[name]
    if region == "site":
        site = next(s for s in found.sites if name in s.nodes)
        return _population(site) if name == site.name else f"part of {site.name}"
    return {"time": "synapses, every time step", "analog": "computed once"}[region]


def _population(site: ActivationSite) -> str:
    text = f"population ({site.kind})"
    if site.levels is not None:
        text += f", {site.levels} levels up to {site.upper:.4g}"
    return text


def _content(found: api.Inspection) -> dict[str, Any]:
    source = found.source
    return {
        "source": source.file,
        "source_digest": source.digest,
        "dialects": list(source.dialects),
        "opset": source.opset,
        "producer": source.producer,
        "operators": source.operators,
        "convertible": found.convertible,
        "sites": [
            {
                "name": s.name,
                "kind": s.kind,
                "nodes": list(s.nodes),
                "channels": s.channels,
                "levels": s.levels,
                "has_batch_norm_statistics": s.mean is not None,
            }
            for s in found.sites
        ],
        "nodes": [
            {"name": n, "operator": op, "region": found.regions[n]}
            for n, op in found.operators.items()
        ],
        "multiply_accumulates": _operations(found),
        "diagnostics": diagnostics_json(found.diagnostics),
    }
