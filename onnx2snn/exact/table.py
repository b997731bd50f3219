"""A staircase for each channel: what a population needs to know."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

#: Entries that every accumulator, or none, reaches.
BELOW_ALL, ABOVE_ALL = -(2**62), 2**62


@dataclass(frozen=True)
class Table:
    """A staircase for each channel.

    Attributes:
        tau: int64 [C or 1, K], ascending: the smallest accumulator of each level above ``s_min``;
            K is 0 for a constant.
        s_min: the lowest code that can occur.
    """

    tau: npt.NDArray[np.int64]
    s_min: int

    @property
    def s_max(self) -> int:
        """The highest code that can occur."""
        return self.s_min + int(self.tau.shape[1])

    @property
    def magnitude(self) -> int:
        """The largest |code|; at least 1."""
        return max(abs(self.s_min), abs(self.s_max), 1)


def trimmed(tau: npt.NDArray[np.int64], s_min: int, reach: int) -> Table:
    """Without the levels that no accumulator of magnitude ``reach`` leaves or reaches."""
    always = int((tau <= -reach).all(axis=0).sum())
    never = int((tau > reach).all(axis=0).sum())
    kept = tau[:, always : tau.shape[1] - never]
    if (kept == kept[:1]).all():
        kept = kept[:1]
    return Table(np.ascontiguousarray(kept), s_min + always)
