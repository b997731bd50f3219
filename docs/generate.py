"""Write the pages that come from the code: one per spiking op, threshold methods, coverage.

``python docs/generate.py`` writes them; ``--check`` leaves with 1 if one is out of date.
"""

from __future__ import annotations

import sys
from pathlib import Path

from onnx2snn.analog import ANALOG
from onnx2snn.analog.never import RANDOM, RECURRENT
from onnx2snn.emit.encoding import ENCODINGS
from onnx2snn.emit.readout import READOUTS
from onnx2snn.linear import LINEAR
from onnx2snn.methods import BIASES, POTENTIALS, RECIPES, THRESHOLDS, TUNINGS, WEIGHTS
from onnx2snn.sites import ACTIVATIONS
from onnx2snn_runtime.opspec import DOMAIN, OPS, OpSpec

DOCS = Path(__file__).resolve().parent
#: What passes make of operators that are in no registry, or seldom reach it.
REWRITTEN = {
    "BatchNormalization": "folded into the layers around it, or a product and a sum",
    "Constant": "a constant",
    "Dropout": "removed",
    "GlobalMaxPool": "as `MaxPool`, where the size is known",
    "HardSigmoid": "as `Clip` of a line; a gate of a product stays analog",
    "LeakyRelu": "two populations: Relu(z) − a·Relu(−z)",
    "Max": "as `Relu` or `Clip`, with a number",
    "Mean": "sums of two, and a product",
    "Min": "as `Clip`, with a number",
    "PRelu": "two populations, as `LeakyRelu`",
    "ReduceMax": "as `MaxPool`, over all places of an image",
    "Split": "slices",
    "Sum": "sums of two",
    "Upsample": "as `Resize`",
}
POPULATIONS = {
    "AveragePool": "population that counts spikes; synapses with `--avgpool linear`",
    "Clip": "population of neurons, where the lower bound is finite",
    "GlobalAveragePool": "as `AveragePool`",
    "MaxPool": "population that follows the busiest of its inputs",
    "QuantizeLinear": "population of neurons behind a layer, if its lower bound is zero; else left "
    "out, for it only rounds",
}
COVERAGE = """
# Operators

What becomes of an operator depends on where it stands.

- **In front of the first population** everything is computed once for a sample, as it is.
- **Behind the last one** everything is computed once for a window, on mean values: softmax, the
  choice of boxes, whatever is there.
- **Between two populations** the table tells. An *analog island* is computed once for a window, on
  mean values, and encoded again behind; neighbours form one island. It is a warning
  (`ANALOG_ISLAND`), and an error with `--strict`.

Operators that are not in the table are refused between populations, because nothing vouches that
they treat every sample of a batch for itself; `--keep-analog NODE` keeps one nevertheless. An
operator that works along the batch axis is refused likewise, and in front of the first population
too. Refused wherever they stand, even on demand: control flow (`If`, `Loop`, `Scan`), {refused},
`BatchNormalization` and `Dropout` in training mode, and operators of other frameworks' domains.

| operator | between two populations | where that cannot be |
|---|---|---|
"""
NOTICE = "<!-- written by docs/generate.py; do not edit -->"


def op_page(spec: OpSpec) -> str:
    """The page of one op version."""
    lines = [
        NOTICE,
        "",
        f"# {spec.name}",
        "",
        f"Domain `{DOMAIN}`, since version {spec.since_version}. {spec.summary}",
        "",
        spec.definition,
        "",
        "## Inputs",
        "",
        *(f"- **{p.name}** ({p.kind}, {p.shape}): {p.doc}" for p in spec.inputs),
        "",
        "## Outputs",
        "",
        *(f"- **{p.name}** ({p.kind}, {p.shape}): {p.doc}" for p in spec.outputs),
        "",
    ]
    if spec.attributes:
        lines += ["## Attributes", ""]
        for a in spec.attributes:
            rule = "required" if a.default is None else f"default `{a.default}`"
            among = f"; one of {', '.join(f'`{c}`' for c in a.choices)}" if a.choices else ""
            lines.append(f"- **{a.name}** ({a.kind}, {rule}{among}): {a.doc}")
        lines.append("")
    lines += ["## Function body", "", "```", spec.body.strip("\n"), "```", ""]
    if spec.calls:
        lines += [f"Calls {', '.join(f'[{c}]({c}-1.md)' for c in spec.calls)}.", ""]
    return "\n".join(lines)


def index_page() -> str:
    """The op set at a glance."""
    ops = sorted(OPS, key=lambda s: s.name)
    rows = [f"| [{s.name}]({s.name}-{s.since_version}.md) | {s.summary} |" for s in ops]
    return "\n".join(
        [
            NOTICE,
            "",
            f"# The spiking op set `{DOMAIN}`",
            "",
            "A spiking tensor folds time into the batch, time-major: shape [T·N, ...], row",
            "t·N + n is sample n at step t. Linear ONNX operators need no change.",
            "",
            "| op | meaning |",
            "|---|---|",
            *rows,
            "",
        ]
    )


def methods_page() -> str:
    """Threshold and initial-potential methods."""
    lines = [
        NOTICE,
        "",
        "# Methods",
        "",
        "## Thresholds (`--threshold`)",
        "",
        "| name | what | needs | made for one T |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| `{m.name}` | {m.summary} | {m.needs} | "
        f"{'yes' if m.depends_on_timesteps or m.refine else 'no'} |"
        for m in sorted(THRESHOLDS, key=lambda m: m.name)
    ]
    lines += ["", "## Initial potentials (`--v-init`)", "", "| name | what |", "|---|---|"]
    lines += [f"| `{m.name}` | {m.summary} |" for m in sorted(POTENTIALS, key=lambda m: m.name)]
    lines += ["", "## Biases (`--bias`)", "", "| name | what |", "|---|---|"]
    lines += [f"| `{m.name}` | {m.summary} |" for m in sorted(BIASES, key=lambda m: m.name)]
    lines += ["", "## Weights (`--weights`)", "", "| name | what |", "|---|---|"]
    lines += [f"| `{m.name}` | {m.summary} |" for m in sorted(WEIGHTS, key=lambda m: m.name)]
    lines += ["", "## Tuning (`--tuning`)", "", "| name | what |", "|---|---|"]
    lines += [f"| `{m.name}` | {m.summary} |" for m in sorted(TUNINGS, key=lambda m: m.name)]
    lines += ["", "## Encodings (`--encoding`)", "", "| name | what | from |", "|---|---|---|"]
    lines += [
        f"| `{e.name}` | {e.summary} | {e.citation} |"
        for e in sorted(ENCODINGS, key=lambda e: e.name)
    ]
    lines += ["", "## Readouts (`--readout`)", "", "| name | what | from |", "|---|---|---|"]
    lines += [
        f"| `{r.name}` | {r.summary} | {r.citation} |"
        for r in sorted(READOUTS, key=lambda r: r.name)
    ]
    lines += [
        "",
        "## Recipes (`--recipe`)",
        "",
        "| name | what | needs | costs | from |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| `{r.name}` | {r.summary} | {r.needs} | {r.costs} | {r.citation} |"
        for r in sorted(RECIPES, key=lambda r: r.name)
    ]
    return "\n".join([*lines, ""])


def coverage_page() -> str:
    """What becomes of each operator, from the registries."""
    known = {*REWRITTEN, *POPULATIONS, *ACTIVATIONS.names(), *LINEAR.names(), *ANALOG.names()}
    rows = [f"| `{op}` | {_in_time(op)} | {_otherwise(op)} |" for op in sorted(known)]
    refused = ", ".join(f"`{op}`" for op in sorted(RANDOM | RECURRENT))
    return "\n".join([NOTICE, "", COVERAGE.format(refused=refused).strip(), *rows, ""])


def _in_time(op: str) -> str:
    if op in REWRITTEN:
        return REWRITTEN[op]
    if op in POPULATIONS:
        return POPULATIONS[op]
    if op in ACTIVATIONS.names():
        return "population of neurons"
    return "synapses, every time step" if op in LINEAR.names() else "–"


def _otherwise(op: str) -> str:
    return "analog island" if op in ANALOG.names() else "refused"


def pages() -> dict[Path, str]:
    """All generated pages."""
    found = {DOCS / "opset" / f"{s.name}-{s.since_version}.md": op_page(s) for s in OPS}
    found[DOCS / "opset" / "README.md"] = index_page()
    found[DOCS / "methods.md"] = methods_page()
    found[DOCS / "operators.md"] = coverage_page()
    return found


def main() -> None:
    """Write, or check."""
    check = "--check" in sys.argv[1:]
    stale = []
    for path, text in pages().items():
        if path.is_file() and path.read_text(encoding="utf-8") == text:
            continue
        stale.append(path)
        if not check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    for path in stale:
        print(("out of date: " if check else "wrote ") + str(path.relative_to(DOCS.parent)))
    sys.exit(1 if check and stale else 0)


if __name__ == "__main__":
    main()
