"""What stands in a network: sites, regions, and whether it can be converted."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

import onnx

from onnx2snn.canonical import CanonicalGraph
from onnx2snn.errors import (
    BackendError,
    CalibrationError,
    ConfigError,
    ModelFileError,
    StrictError,
    UnsupportedModelError,
    computing,
    naming,
)
from onnx2snn.frontend import canonicalise, read_source
from onnx2snn.plan import ActivationSite, ConversionConfig, ConversionPlan, Diagnostic
from onnx2snn.sites import Region, classify, find_sites, islands, refusals
from onnx2snn.sites.output_population import insert_output_populations

if TYPE_CHECKING:
    import onnx_graphsurgeon as gs

    Source: TypeAlias = str | os.PathLike[str] | onnx.ModelProto | gs.Graph

#: Errors that are about the source model, whichever room finds them.
ABOUT_THE_MODEL = (ModelFileError, UnsupportedModelError, CalibrationError, BackendError)


def load_source(source: Source, *, keep_integers: bool = False) -> CanonicalGraph:
    """A source in canonical form.

    Raises:
        ModelFileError, UnsupportedModelError: it cannot be read.
    """
    file = os.fspath(source) if isinstance(source, (str, os.PathLike)) else None
    with naming(file, *ABOUT_THE_MODEL), computing():
        try:
            return canonicalise(*read_source(source), keep_integers=keep_integers)
        except UnicodeError as error:  # damaged names; protobuf does not look at them
            raise ModelFileError(
                "holds text that is not UTF-8", remedy="export the network again"
            ) from error


def survey(
    canonical: CanonicalGraph, config: ConversionConfig, diagnostics: list[Diagnostic]
) -> tuple[tuple[ActivationSite, ...], dict[str, Region]]:
    """Where populations will stand, and the region of every node.

    Raises:
        ConfigError: a node that shall stay analog is not there.
    """
    kept = frozenset(config.keep_analog)
    names = {n.name for n in canonical.graph.nodes}
    for name in kept - names:
        raise ConfigError(
            f"there is no node '{name}' to keep analog",
            file=canonical.source.file,
            remedy="'onnx2snn inspect' lists the nodes",
        )
    sites = find_sites(canonical, avgpool=config.avgpool, keep_analog=kept, diagnostics=diagnostics)
    if config.output_range is not None:
        answers = insert_output_populations(canonical, sites, *config.output_range)
        again = find_sites(canonical, avgpool=config.avgpool, keep_analog=kept, diagnostics=[])
        sites = tuple(replace(s, kind="readout") if s.name in answers else s for s in again)
    regions = classify(canonical.graph, sites, kept)
    diagnostics.extend(refusals(canonical.graph, regions, kept))
    diagnostics.extend(islands(canonical.graph, regions, kept))
    if not sites:
        diagnostics.append(
            Diagnostic(
                "NO_ACTIVATION",
                "error",
                "",
                "holds no activation that neurons can replace",
                remedy="known are Relu, Clip and quantizers",
            )
        )
    return sites, regions


def refuse_errors(canonical: CanonicalGraph, diagnostics: Sequence[Diagnostic]) -> None:
    """Stop at the first error.

    Raises:
        UnsupportedModelError: there is one.
    """
    errors = [d for d in diagnostics if d.severity == "error"]
    file = canonical.source.file
    if errors:
        first = errors[0]
        more = ", ".join(e.node for e in errors[1:6] if e.node)
        rest = f" (also {more}{' and others' if len(errors) > 6 else ''})" if more else ""
        raise UnsupportedModelError(
            first.what + rest, file=file, node=first.node or None, remedy=first.remedy
        )


def refuse_warnings(plan: ConversionPlan, file: str | None) -> None:
    """Stop at the first warning.

    Raises:
        StrictError: there is one.
    """
    warnings = [d for d in plan.diagnostics if d.severity == "warning"]
    if warnings:
        raise StrictError(str(warnings[0]), file=file)


def distinct(diagnostics: Sequence[Diagnostic]) -> tuple[Diagnostic, ...]:
    """Each of them once."""
    return tuple(dict.fromkeys(diagnostics))
