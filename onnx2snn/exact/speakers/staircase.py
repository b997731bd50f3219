"""Staircase neurons: the very integer of the quantizer, in three forms of speech."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import onnx_graphsurgeon as gs
from onnx import helper

from onnx2snn.emit.state import Emission
from onnx2snn.errors import ConfigError
from onnx2snn.exact import quantizer as quantizers
from onnx2snn.exact.kernels import Lookup
from onnx2snn.exact.quantizer import Quantizer
from onnx2snn.exact.rational import rational_table
from onnx2snn.exact.signal import FLOAT_EXACT, Signal, by_channel, refuse_beyond
from onnx2snn.exact.speaker import SPEAKERS, read_out
from onnx2snn.exact.table import Table
from onnx2snn.graphs import label, new_constant, rank, unique_name
from onnx2snn.plan import ActivationSite, ConversionConfig, Diagnostic, NeuronPlan
from onnx2snn.sites import Region
from onnx2snn_runtime.opspec import DOMAIN

#: How an input's integers are spoken, by the emission of the populations.
INPUTS = {"unary": "once", "averaged": "averaged", "radix": "radix"}


@dataclass
class Staircase:
    """StaircaseFire.

    Attributes:
        kind: "unary", "averaged" or "radix".
        config: for the recipe's name and the arithmetic.
        in_float: quantizers that onnxruntime computes in float32, for which it has no kernel.
    """

    kind: str
    config: ConversionConfig
    in_float: list[str] = field(default_factory=list)

    @property
    def code(self) -> str:
        """Only radix is no count."""
        return "radix" if self.kind == "radix" else "count"

    @property
    def arithmetic(self) -> str:
        """As asked for."""
        return self.config.arithmetic

    @property
    def needs_timesteps(self) -> bool:
        """Only unary speech may go on for longer."""
        return self.kind != "unary"

    def begin(self, nodes: Sequence[gs.Node], timesteps: int | None) -> None:
        """Nothing depends on T."""

    def encode(
        self, emission: Emission, reader: gs.Node, found: Quantizer, codes: gs.Variable
    ) -> Signal:
        """CodeEncode."""
        graph, values = emission.graph, reader.outputs[0]
        largest = quantizers.largest_code(reader, found)
        refuse_beyond(FLOAT_EXACT, largest, "an integer")
        base = f"{reader.name}.code"
        spikes = emission.variable(f"{base}.spikes", values, in_time=True)
        steps = gs.Variable(unique_name(graph, f"{base}.t_final"), np.int64, [])
        start = gs.Constant(unique_name(graph, f"{base}.t_init"), np.zeros((), dtype=np.int64))
        how = INPUTS[self.kind]
        node = emission.add(
            "CodeEncode",
            f"{reader.name}.encode",
            [codes, start, emission.timesteps],
            [spikes, steps],
            Region.TIME,
            domain=DOMAIN,
            attrs={"emission": how},
        )
        emission.docs[node.name] = f"The quantizer's integers in time ({how})."
        return Signal(
            spikes,
            found.scales,
            peak=largest if how == "once" else 1,
            reach=largest,
            settled=1,
            is_population=how != "once",
            kernel=_lookup(found),
            quantizer=found,
        )

    def voice(self, node: gs.Node, found: Quantizer, source: Signal) -> StaircaseVoice:
        """Its table, in the arithmetic that is asked for."""
        return StaircaseVoice(
            self.kind, self.config, found, source, self._table(node, found, source)
        )

    def _table(self, node: gs.Node, found: Quantizer, source: Signal) -> Table:
        if self.arithmetic == "ort":
            kernel = source.kernel
            table = None if kernel is None else kernel.table(found, source.functions, source.reach)
            if table is not None:
                return table
            self.in_float.append(label(node))
        return rational_table(source, found)

    def timesteps(
        self, settled: int, largest: int, asked: int | None, said: list[Diagnostic]
    ) -> int:
        """What is guaranteed to suffice; unary may be asked for less."""
        if self.in_float:
            said.append(_without_kernel(self.in_float))
        bits = largest.bit_length()
        enough = {"unary": settled, "averaged": largest, "radix": bits}[self.kind]
        if asked is None:
            asked = enough
        recipe = self.config.recipe
        if self.kind == "radix" and asked != enough:
            raise ConfigError(
                f"recipe {recipe} takes T = {enough}, the number of bits, not {asked}",
                remedy=f"leave out -T, or give -T {enough}",
            )
        if self.kind == "averaged" and asked < enough:
            raise ConfigError(
                f"recipe {recipe} needs T of at least {enough}, the largest integer, not {asked}",
                remedy=f"leave out -T, or give -T {enough}",
            )
        if self.kind == "unary":
            said.append(_settling(enough, asked))
        return asked


@dataclass(frozen=True)
class StaircaseVoice:
    """A population of StaircaseFire."""

    kind: str
    config: ConversionConfig
    found: Quantizer
    source: Signal
    table: Table

    @property
    def lowest(self) -> int:
        """The lowest code that can occur."""
        return self.table.s_min

    @property
    def highest(self) -> int:
        """The highest."""
        return self.table.s_max

    def insert(self, emission: Emission, name: str, like: gs.Tensor) -> Signal:
        """The population."""
        graph, table, found = emission.graph, self.table, self.found
        spikes = emission.variable(f"{name}.spikes", like, in_time=True)
        states = [
            gs.Variable(
                unique_name(graph, f"{name}.{s}"),
                np.int64,
                None if like.shape is None else [emission.batch, *like.shape[1:]],
            )
            for s in ("acc_final", "s_final")
        ]
        zero = np.zeros(1, dtype=np.int64)
        emission.add(
            "StaircaseFire",
            name,
            [
                self.source.tensor,
                new_constant(graph, f"{name}.tau", table.tau),
                new_constant(graph, f"{name}.s_min", np.array([table.s_min], dtype=np.int64)),
                new_constant(graph, f"{name}.acc_init", zero),
                new_constant(graph, f"{name}.s_init", zero),
                emission.timesteps,
            ],
            [spikes, *states],
            Region.SITE,
            domain=DOMAIN,
            attrs={"emission": self.kind},
        )
        emission.docs[name] = (
            f"Speaks the integers of the quantizer ({self.kind}): {table.s_min} to {table.s_max}, "
            f"zero point {', '.join(map(str, found.zero_points))}."
        )
        # It starts at 0.
        settled = self.source.settled + max(table.s_max, 0) - min(table.s_min, 0)
        return Signal(
            spikes,
            found.scales,
            peak=1,
            reach=table.magnitude,
            settled=settled,
            is_population=True,
            kernel=_lookup(found),
            quantizer=found,
        )

    def give_back(
        self, emission: Emission, name: str, spikes: gs.Variable, integers: gs.Variable
    ) -> None:
        """The sum, the zero point, the integers' type."""
        graph, found = emission.graph, self.found
        mode = "radix" if self.kind == "radix" else "sum"
        counts = read_out(emission, name, spikes, integers, mode)
        if any(found.zero_points):
            shifted = emission.variable(f"{name}.integer", integers, in_time=False)
            zeros = by_channel(np.array(found.zero_points, dtype=np.float32), rank(integers))
            zero = new_constant(graph, f"{name}.zero_point", zeros)
            emission.add("Add", f"{name}.shift_back", [counts, zero], [shifted], Region.ANALOG)
            counts = shifted
        emission.add(
            "Cast",
            f"{name}.cast",
            [counts],
            [integers],
            Region.ANALOG,
            attrs={"to": int(helper.np_dtype_to_tensor_dtype(found.dtype))},
        )

    def plan(self, site: ActivationSite) -> NeuronPlan:
        """A table takes the place of a threshold."""
        return NeuronPlan(
            site=site.name,
            neuron="staircase",
            threshold=None,
            v_init=np.zeros(1, dtype=np.float32),
            amplitude=None if site.scale is None else np.array([site.scale], dtype=np.float32),
            provenance={"table": f"{self.config.arithmetic} arithmetic", "emission": self.kind},
        )


def _lookup(found: Quantizer) -> Lookup | None:
    """How onnxruntime goes on from a quantizer's codes."""
    return Lookup(np.float32(float(found.scales[0]))) if found.channels == 1 else None


def _without_kernel(nodes: list[str]) -> Diagnostic:
    shown = ", ".join(nodes[:4]) + (f" and {len(nodes) - 4} more" if len(nodes) > 4 else "")
    return Diagnostic(
        "NO_INTEGER_KERNEL",
        "info",
        "",
        f"exact arithmetic for {len(nodes)} quantizers: {shown}",
        "onnxruntime computes them in float32, whose rounding depends on the order of its sums",
    )


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


for _kind in INPUTS:
    SPEAKERS.register(_kind)(partial(Staircase, _kind))
