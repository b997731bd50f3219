"""Exact conversion: canonical graph with integers → plan and spiking model."""

from __future__ import annotations

from dataclasses import replace

import onnx

from onnx2snn.canonical import CanonicalGraph
from onnx2snn.emit.assemble import assemble
from onnx2snn.emit.state import Emission
from onnx2snn.errors import UnsupportedModelError
from onnx2snn.exact.lower import FOLLOWS, ExactNetwork, lower
from onnx2snn.exact.speaker import SPEAKERS
from onnx2snn.passes import fold_quantized_constants
from onnx2snn.plan import ConversionConfig, ConversionPlan


def convert_exactly(
    canonical: CanonicalGraph, config: ConversionConfig, emission: str, timesteps: int | None
) -> tuple[ConversionPlan, onnx.ModelProto]:
    """An exact spiking network and its plan.

    Args:
        canonical: made with ``keep_integers``.
        config: its ``timesteps`` are not read.
        emission: how neurons speak: a name in ``SPEAKERS``.
        timesteps: T; None takes the number that is guaranteed to suffice.

    Raises:
        UnsupportedModelError: there is no quantizer behind a layer of integer weights.
        ConfigError: T does not suffice, where the emission allows no other.
    """
    graph = canonical.graph.copy()
    graph.import_domains = list(graph.import_domains)
    draft = ConversionPlan(canonical.source.digest, config, (), ())
    state = Emission(graph, draft, {})
    speaker = SPEAKERS.get(emission)(config)
    network = lower(state, speaker, timesteps)
    if not network.populations:
        raise UnsupportedModelError(
            _first_reason(network),
            file=canonical.source.file,
            remedy="use a recipe without exact integers, such as auto"
            if config.quantize
            else "quantize the network first, or convert with --quantize 8, or with recipe auto",
        )
    said = [*canonical.diagnostics, *state.diagnostics]
    settled, largest = max(network.settled.values()), max(network.codes.values())
    T = speaker.timesteps(settled, largest, timesteps, said)
    sites = tuple(network.populations.values())
    plan = ConversionPlan(
        source_digest=canonical.source.digest,
        config=replace(config, timesteps=T),
        sites=sites,
        neurons=tuple(network.voices[s.name].plan(s) for s in sites),
        timesteps_fixed=speaker.needs_timesteps,
        diagnostics=tuple(said),
    )
    state.plan = plan
    if config.arithmetic == "rational":
        # onnxruntime computes a Gemm with integer weights more coarsely than one with floats;
        # in its own arithmetic the analog parts are to be what they are in the source.
        fold_quantized_constants(CanonicalGraph(graph, canonical.source))
    return plan, assemble(state, canonical)


def _first_reason(network: ExactNetwork) -> str:
    text = "holds no quantizer that spiking neurons can equal"
    for node, reason in network.reasons.items():
        if reason != FOLLOWS:
            return f"{text} (first: '{node}', {reason})"
    return text
