"""What a speaker is: how neurons say the integers of quantizers in spikes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import onnx_graphsurgeon as gs

from onnx2snn.emit.boundaries import insert_readout
from onnx2snn.emit.state import Emission
from onnx2snn.exact.quantizer import Quantizer
from onnx2snn.exact.signal import Signal
from onnx2snn.plan import ActivationSite, ConversionConfig, Diagnostic, NeuronPlan
from onnx2snn_runtime.registry import Registry


class Voice(Protocol):
    """The neurons that speak for one quantizer."""

    @property
    def lowest(self) -> int:
        """The lowest code that they can say."""
        ...

    @property
    def highest(self) -> int:
        """The highest."""
        ...

    def insert(self, emission: Emission, name: str, like: gs.Tensor) -> Signal:
        """Put the population into the graph; gives what is known of its spikes.

        Args:
            emission: the graph, changed.
            name: of the population.
            like: the tensor that the quantizer reads in the source.
        """
        ...

    def give_back(
        self, emission: Emission, name: str, spikes: gs.Variable, integers: gs.Variable
    ) -> None:
        """Read the population out: the quantizer's integers for whoever is not in time."""
        ...

    def plan(self, site: ActivationSite) -> NeuronPlan:
        """The population for people."""
        ...


class Speaker(Protocol):
    """Neurons of one kind, for a whole network."""

    @property
    def code(self) -> str:
        """How counts are spoken, as SpikeMaxPool must know: "count" or "radix"."""
        ...

    @property
    def arithmetic(self) -> str:
        """How rules compute: "rational", "ort" or "float"."""
        ...

    @property
    def needs_timesteps(self) -> bool:
        """Whether constants of the file are made for one T."""
        ...

    def begin(self, nodes: Sequence[gs.Node], timesteps: int | None) -> None:
        """Look at the source before it is walked; T as asked for, None for what suffices.

        Raises:
            ConfigError: so few steps cannot be.
        """
        ...

    def encode(
        self, emission: Emission, reader: gs.Node, found: Quantizer, codes: gs.Variable
    ) -> Signal:
        """Integers of an ordinary node (int64, without zero point) in time.

        Raises:
            NotExact: they are too large.
        """
        ...

    def voice(self, node: gs.Node, found: Quantizer, source: Signal) -> Voice | None:
        """Neurons for a quantizer; None where the currents may go on as they are.

        Raises:
            NotExact: they cannot do what stands in front of it.
        """
        ...

    def timesteps(
        self, settled: int, largest: int, asked: int | None, said: list[Diagnostic]
    ) -> int:
        """T of the file.

        Args:
            settled: steps after which every population is silent.
            largest: the largest code that is spoken.
            asked: T as asked for.
            said: what the user should know; added to.

        Raises:
            ConfigError: T does not suffice.
        """
        ...


SPEAKERS: Registry[Callable[[ConversionConfig], Speaker]] = Registry(
    "speaker", "onnx2snn.exact.speakers"
)


def read_out(
    emission: Emission, name: str, spikes: gs.Variable, integers: gs.Variable, mode: str
) -> gs.Variable:
    """What a population amounts to over the window, float32."""
    counts = emission.variable(f"{name}.count", integers, in_time=False)
    node = insert_readout(emission, f"{name}.decode", spikes, counts, mode=mode)
    emission.docs[node.name] = "Readout: the population's integer, without its zero point."
    return counts
