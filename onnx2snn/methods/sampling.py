"""A sample of a population's neurons, on which many thresholds can be tried at once."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from onnx2snn.methods.work import Array, Work

Indices: TypeAlias = npt.NDArray[np.int64]

#: Currents looked at together.
AT_ONCE = 1 << 18
#: Time steps up to which counts of neurons or samples are as named.
LONG = 16


@dataclass(frozen=True)
class Sample:
    """Some neurons of every channel, on some samples of the data.

    Attributes:
        currents: [R, C, M].
        wanted: [C, M] the source's activations above the lower bound.
        twin: [C, M] those of the averaged twin, or None.
    """

    currents: Array
    wanted: Array
    twin: Array | None

    def parts(self) -> list[slice]:
        """Neurons of every channel in parts that stay in the processor's cache."""
        size = max(1, AT_ONCE // self.currents[:, :, 0].size)
        return [slice(low, low + size) for low in range(0, self.wanted.shape[1], size)]


def sample(work: Work, count: int) -> Sample:
    """About ``count`` places of every channel, the same for all channels."""
    rng = np.random.default_rng(work.seed)
    share = count / len(work.wanted)
    kept: list[tuple[Array, Array, Array]] = []
    for part, current in work.currents():
        samples, places = current.shape[1], prod(current.shape[3:])
        total = samples * places
        chosen = rng.choice(total, min(total, max(1, round(share * samples))), replace=False)
        at = np.divmod(np.sort(chosen), places)
        goal = _drawn(work.wanted[part], at)
        twin = goal if work.twin is None else _drawn(work.twin[part], at)
        kept.append((np.stack([_drawn(row, at) for row in current]), goal, twin))
    currents, goals, twins = (np.concatenate(parts, axis=-1) for parts in zip(*kept, strict=True))
    return Sample(currents, goals, None if work.twin is None else twins)


def as_many(count: int, timesteps: int) -> int:
    """Fewer than ``count`` in windows longer than LONG, so that the steps simulated stay as many.

    Long windows leave less to choose: two good candidates differ less in them.
    """
    return max(1, count * LONG // max(LONG, timesteps))


def _drawn(values: Array, at: tuple[Indices, Indices]) -> Array:
    """[C, M]: values [N, C, ...] of some samples at some places."""
    channels = values.shape[1] if values.ndim > 1 else 1
    chosen: Array = values.reshape(len(values), channels, -1)[at[0], :, at[1]]
    return chosen.T
