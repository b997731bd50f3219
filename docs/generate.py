"""Write the pages that come from the code: one per spiking op, threshold methods, coverage.

``python docs/generate.py`` writes them; ``--check`` leaves with 1 if one is out of date.
"""

from __future__ import annotations

import sys
from pathlib import Path

from onnx2snn.linear import LINEAR
from onnx2snn.methods import POTENTIALS, THRESHOLDS
from onnx2snn.sites import ACTIVATIONS
from onnx2snn.sites.find import POOLS
from onnx2snn.sites.regions import READOUTS
from onnx2snn_runtime.opspec import DOMAIN, OPS, OpSpec

DOCS = Path(__file__).resolve().parent
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
        f"| `{m.name}` | {m.summary} | {m.needs} | {'yes' if m.depends_on_timesteps else 'no'} |"
        for m in sorted(THRESHOLDS, key=lambda m: m.name)
    ]
    lines += ["", "## Initial potentials (`--v-init`)", "", "| name | what |", "|---|---|"]
    lines += [f"| `{m.name}` | {m.summary} |" for m in sorted(POTENTIALS, key=lambda m: m.name)]
    return "\n".join([*lines, ""])


def coverage_page() -> str:
    """Which operators become what."""

    def names(found: object) -> str:
        return ", ".join(f"`{n}`" for n in sorted(found))  # type: ignore[call-overload]

    return "\n".join(
        [
            NOTICE,
            "",
            "# Operators",
            "",
            "| what becomes of it | operators |",
            "|---|---|",
            f"| a population of neurons | {names([*ACTIVATIONS.names(), *POOLS, 'MaxPool'])} |",
            f"| synapses, every time step | {names(LINEAR.names())} |",
            f"| kept behind the readout, at the end of a network | {names(READOUTS)} |",
            "| folded away | `BatchNormalization`, `Identity`, `Dropout`, `Cast` (float to float), "
            "`ReduceMean` over space, quantizers of constants |",
            "| kept as it is | anything in front of the first activation, and what "
            "`--keep-analog` names |",
            "| refused by name | everything else |",
            "",
        ]
    )


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
