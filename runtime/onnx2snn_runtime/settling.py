"""When a simulation comes to rest: after it, no further step can change an answer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import onnx

from onnx2snn_runtime.carry import State, Window, obstacle
from onnx2snn_runtime.errors import BackendError
from onnx2snn_runtime.time_axis import READOUT, attributes_of, encoders, label, spiking_nodes

Array: TypeAlias = npt.NDArray[Any]
#: Encodings that end: nothing comes in once a code is spoken.
ENDING = ("once", "unary")
ENDING_ENCODER = "CodeEncode"
#: Readouts that silence leaves as they are.
LASTING = "sum"
#: Steps from one look to the next.
WINDOW = 16


def check_can_settle(model: onnx.ModelProto) -> None:
    """Check that a model can stop early: its input ends, and its answer then stays.

    Raises:
        BackendError: its window cannot be cut, or an encoder or a readout goes on as long as the
            simulation does.
    """
    remedy = "run it for a number of time steps"
    reason = obstacle(model)
    if reason is not None:
        raise BackendError(f"the simulation cannot stop early: {reason}", remedy=remedy)
    for node, spec in encoders(model):
        emission = attributes_of(node, spec).get("emission")
        if node.op_type != ENDING_ENCODER or emission not in ENDING:
            raise BackendError(
                "the input goes on for the whole simulation, so the network never settles",
                node=label(node),
                remedy=remedy,
            )
    for node, spec in spiking_nodes(model):
        if node.op_type == READOUT and attributes_of(node, spec)["mode"] != LASTING:
            raise BackendError(
                "the answer depends on the number of steps even after the last spike",
                node=label(node),
                remedy=remedy,
            )


def answer_at_rest(
    windows: Iterable[Window], answers: int, carried: Sequence[State]
) -> list[Array]:
    """The answers of the first window at rest, else of the last.

    Args:
        windows: the simulation; its outputs are the answers, then the activity of encoders and
            populations.
        answers: how many of them are answers.
        carried: what the states are.
    """
    before: Mapping[str, Array] = {}
    for values, after in windows:
        if at_rest(values[answers:], before, after, carried):
            break
        before = after
    return values[:answers]


def at_rest(
    activity: Sequence[Array],
    before: Mapping[str, Array],
    after: Mapping[str, Array],
    carried: Sequence[State],
) -> bool:
    """Whether a window was silent and changed nothing, so that the next ones do neither.

    Silence alone is not enough: a small constant current may lift a potential for many windows
    before it fires.

    Args:
        activity: of encoders and populations in the window.
        before: the states before it, empty for the first window.
        after: the states after it.
        carried: what the states are.
    """
    if not before or any(a.any() for a in activity):
        return False
    names = [s.before for s in carried if not s.counts_steps]
    return all(np.array_equal(before[name], after[name]) for name in names)


def last_active_step(activity: Array) -> Array:
    """The number of steps after which each sample is silent.

    Args:
        activity: [populations, T, N]: not 0 where something fires.

    Returns:
        int64 [N]; 0 for a sample that never fires.
    """
    moving = np.any(activity, axis=0)
    steps = np.arange(1, len(moving) + 1, dtype=np.int64)
    last: Array = (steps[:, None] * moving).max(axis=0)
    return last
