"""What runs of a spiking network give, apart from its outputs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy.typing as npt

Array: TypeAlias = npt.NDArray[Any]


@dataclass(frozen=True)
class Observation:
    """What a run shows over time.

    Attributes:
        outputs: per graph output, [T, N, ...]: the answer after every step; or [1, N, ...], the
            last one, if only that was asked for.
        rates: per population, [T]: the share of its neurons that fire in a step, mean over N.
        settled: int64 [N]: the number of steps after which no population of a sample fires any
            more; T where one still fires in the last step.
    """

    outputs: dict[str, Array]
    rates: dict[str, Array]
    settled: Array


@dataclass(frozen=True)
class Trace:
    """What chosen populations did.

    Attributes:
        spikes: per population, int8 [T, N, ...]: 0 or 1, of signed neurons also −1.
        v_final: per population, [N, ...]: membrane potential (or accumulator) after the last
            step, in the op's type.
    """

    spikes: dict[str, Array]
    v_final: dict[str, Array]


@dataclass(frozen=True)
class Totals:
    """What a whole window amounts to.

    Attributes:
        outputs: per graph output, [N, ...]: the answer after the window.
        rates: per population: spikes per neuron and step, mean over samples and window.
    """

    outputs: dict[str, Array]
    rates: dict[str, float]
