"""How answers leave time.

Every readout is a mean over steps. What differs is of what (the current of the last layer, or the
spikes of a population of its own behind it) and over which steps.
"""

from __future__ import annotations

from dataclasses import dataclass

from onnx2snn_runtime.registry import Registry


@dataclass(frozen=True, eq=False)
class Readout:
    """A way to leave time.

    Attributes:
        name: as users write it.
        summary: one line.
        citation: authors and year; empty where there is none to name.
        counts: whether neurons behind the last layer spike, and their spikes are counted.
        delays: whether the first steps are left out.
    """

    name: str
    summary: str
    citation: str = ""
    counts: bool = False
    delays: bool = False


READOUTS: Registry[Readout] = Registry("readout", "onnx2snn.emit.readouts")

#: Without a number given, this part of the window is left out: 1/2.
DELAY_SHARE = 2


def default_delay(timesteps: int) -> int:
    """How many steps a delayed readout leaves out if nobody says; none of a window of one."""
    return timesteps // DELAY_SHARE
