"""A sample of a population's neurons, on which many thresholds can be tried at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from onnx2snn.methods.work import Array, Work


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


def sample(work: Work, count: int) -> Sample:
    """About ``count`` places of every channel, the same for all channels."""
    rng = np.random.default_rng(work.seed)
    share = count / len(work.wanted)
    kept: list[tuple[Array, Array, Array]] = []
    for part, current in work.currents():
        flat = _channels(current, 2)
        places = flat.shape[2]
        wanted = min(places, max(1, round(share * current.shape[1])))
        chosen = np.sort(rng.choice(places, wanted, replace=False))
        goal = _channels(work.wanted[part], 1)
        twin = goal if work.twin is None else _channels(work.twin[part], 1)
        kept.append((flat[:, :, chosen], goal[:, chosen], twin[:, chosen]))
    currents, goals, twins = (np.concatenate(parts, axis=-1) for parts in zip(*kept, strict=True))
    return Sample(currents, goals, None if work.twin is None else twins)


def _channels(values: Array, axis: int) -> Array:
    """[..., C, all else]: the channel axis after the leading ones, the rest in a row."""
    if values.ndim == axis:
        return values.reshape(*values.shape[: axis - 1], 1, -1)
    moved = np.moveaxis(values, axis, axis - 1)
    return moved.reshape(*moved.shape[:axis], -1)
