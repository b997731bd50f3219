"""Exact conversion: canonical graph with integers → plan and spiking model."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx

from onnx2snn.canonical import CanonicalGraph
from onnx2snn.emit.assemble import assemble
from onnx2snn.emit.state import Emission
from onnx2snn.errors import ConfigError, UnsupportedModelError
from onnx2snn.exact.lower import FOLLOWS, ExactNetwork, lower
from onnx2snn.plan import ActivationSite, ConversionConfig, ConversionPlan, Diagnostic, NeuronPlan


def convert_exactly(
    canonical: CanonicalGraph, config: ConversionConfig, emission: str, timesteps: int | None
) -> tuple[ConversionPlan, onnx.ModelProto]:
    """An exact spiking network and its plan.

    Args:
        canonical: made with ``keep_integers``.
        config: its ``timesteps`` are not read.
        emission: "unary", "averaged" or "radix".
        timesteps: T; None takes the number that is guaranteed to suffice.

    Raises:
        UnsupportedModelError: there is no quantizer behind a layer of integer weights.
        ConfigError: T does not suffice, where the emission allows no other.
    """
    graph = canonical.graph.copy()
    graph.import_domains = list(graph.import_domains)
    draft = ConversionPlan(canonical.source.digest, config, (), ())
    state = Emission(graph, draft, {})
    network = lower(state, emission, config.arithmetic)
    if not network.populations:
        raise UnsupportedModelError(
            _first_reason(network),
            file=canonical.source.file,
            remedy="quantize the network first, or convert with --quantize 8",
        )
    if network.in_float:
        state.diagnostics.append(_without_kernel(network.in_float))
    said = [*canonical.diagnostics, *state.diagnostics]
    T = _timesteps(network, timesteps, config.recipe, said)
    sites = tuple(network.populations.values())
    plan = ConversionPlan(
        source_digest=canonical.source.digest,
        config=replace(config, timesteps=T),
        sites=sites,
        neurons=tuple(_neuron(site, config, emission) for site in sites),
        timesteps_fixed=emission != "unary",
        diagnostics=tuple(said),
    )
    state.plan = plan
    return plan, assemble(state, canonical)


def _without_kernel(nodes: list[str]) -> Diagnostic:
    shown = ", ".join(nodes[:4]) + (f" and {len(nodes) - 4} more" if len(nodes) > 4 else "")
    return Diagnostic(
        "NO_INTEGER_KERNEL",
        "info",
        "",
        f"exact arithmetic for {len(nodes)} quantizers: {shown}",
        "onnxruntime computes them in float32, whose rounding depends on the order of its sums",
    )


def _first_reason(network: ExactNetwork) -> str:
    text = "holds no quantizer that spiking neurons can equal"
    for node, reason in network.reasons.items():
        if reason != FOLLOWS:
            return f"{text} (first: '{node}', {reason})"
    return text


def _timesteps(
    network: ExactNetwork, asked: int | None, recipe: str, said: list[Diagnostic]
) -> int:
    enough = network.guaranteed
    if asked is None:
        asked = enough
    if network.kind == "radix" and asked != enough:
        raise ConfigError(
            f"recipe {recipe} takes T = {enough}, the number of bits, not {asked}",
            remedy=f"leave out -T, or give -T {enough}",
        )
    if network.kind == "averaged" and asked < enough:
        raise ConfigError(
            f"recipe {recipe} needs T of at least {enough}, the largest integer, not {asked}",
            remedy=f"leave out -T, or give -T {enough}",
        )
    if network.kind == "unary":
        said.append(_settling(enough, asked))
    return asked


def _settling(enough: int, asked: int) -> Diagnostic:
    if asked >= enough:
        return Diagnostic(
            "SETTLES", "info", "", f"equal to the source after {enough} steps, for every input"
        )
    return Diagnostic(
        "MAY_NOT_SETTLE",
        "info",
        "",
        f"T = {asked} is less than the {enough} steps after which every input has settled",
        "most inputs settle far sooner",
        "'onnx2snn verify' tells when yours did",
    )


def _neuron(site: ActivationSite, config: ConversionConfig, emission: str) -> NeuronPlan:
    return NeuronPlan(
        site=site.name,
        neuron="staircase",
        threshold=None,
        v_init=np.zeros(1, dtype=np.float32),
        amplitude=None if site.scale is None else np.array([site.scale], dtype=np.float32),
        provenance={"table": f"{config.arithmetic} arithmetic", "emission": emission},
    )
