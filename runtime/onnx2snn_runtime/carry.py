"""Windows in time: a long simulation as several short ones, each going on where the last ended.

Every spiking op takes its state as inputs and gives it back as outputs. A variant of the model
lets these be fed and fetched, so that T steps run as windows of any lengths, with the same result.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper

from onnx2snn_runtime.backend import Executable
from onnx2snn_runtime.time_axis import (
    TIMESTEPS,
    label,
    spiking_nodes,
    tensors_in_time,
    waiting_node,
)

Array: TypeAlias = npt.NDArray[Any]
#: The outputs of one window, and the states after it by the names of their inputs.
Window: TypeAlias = tuple[list[Array], dict[str, Array]]
BEFORE = ".before"
#: The state that counts steps, by the name of its input.
STEP_COUNTER = "t_init"


@dataclass(frozen=True)
class State:
    """A state of one node.

    Attributes:
        before: the graph input that takes it; not fed, it is the file's initial state.
        after: the graph output that gives it.
        counts_steps: whether it says how many steps are done, and nothing else.
    """

    before: str
    after: str
    counts_steps: bool


def states(model: onnx.ModelProto) -> list[State]:
    """The states of all spiking nodes."""
    return [
        State(
            node.output[after] + BEFORE,
            node.output[after],
            spec.inputs[before].name == STEP_COUNTER,
        )
        for node, spec in spiking_nodes(model)
        for before, after in spec.states()
    ]


def obstacle(model: onnx.ModelProto) -> str | None:
    """Why the model's window cannot be cut, or None."""
    waiting = waiting_node(model)
    if waiting is not None:
        return f"node {waiting} waits for the whole window"
    in_time = tensors_in_time(model)
    for output in model.graph.output:
        if output.name in in_time:
            return f"output '{output.name}' has a row for every step"
    constants = {t.name for t in model.graph.initializer} - {i.name for i in model.graph.input}
    for node, spec in spiking_nodes(model):
        if not all(node.input[before] in constants for before, _ in spec.states()):
            return f"node {label(node)} has an initial state that is no constant of the file"
    return None


def with_carried_states(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with T and every state as optional inputs, and every state as an output.

    Final states are outputs of any shape; :func:`obstacle` must have found nothing.
    """
    variant = with_free_time(model)
    # Stored shapes of states may not fit those that are fed later.
    final = {state.after for state in states(model)}
    others = [v for v in variant.graph.value_info if v.name not in final]
    del variant.graph.value_info[:]
    variant.graph.value_info.extend(others)
    initial = {t.name: t for t in model.graph.initializer}
    outputs = {o.name for o in model.graph.output}
    for node, spec in spiking_nodes(variant):
        for before, after in spec.states():
            kind = TensorProto.DataType.Value(spec.outputs[after].kind.upper())
            tensor = variant.graph.initializer.add()
            tensor.CopyFrom(initial[node.input[before]])
            # A name of its own: nodes may share one constant, but never a state.
            tensor.name = node.input[before] = node.output[after] + BEFORE
            variant.graph.input.append(helper.make_tensor_value_info(tensor.name, kind, None))
            if node.output[after] not in outputs:
                variant.graph.output.append(
                    helper.make_tensor_value_info(node.output[after], kind, None)
                )
    return variant


def with_free_time(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with T as an optional input, though its constants may be made for one T.

    A window of fewer steps is no simulation of another T.
    """
    variant = onnx.ModelProto()
    variant.CopyFrom(model)
    if TIMESTEPS not in {i.name for i in variant.graph.input}:
        variant.graph.input.append(helper.make_tensor_value_info(TIMESTEPS, TensorProto.INT64, []))
    return variant


def window_lengths(timesteps: int, window: int) -> Iterator[int]:
    """T as windows of at most ``window`` steps."""
    for start in range(0, timesteps, window):
        yield min(window, timesteps - start)


def run_windows(
    executable: Executable,
    names: Sequence[str],
    feeds: Mapping[str, Array],
    carried: Sequence[State],
    lengths: Iterator[int],
) -> Iterator[Window]:
    """Simulate one window after the other.

    Args:
        executable: a model with carried states.
        names: the outputs that are wanted of every window.
        feeds: the samples.
        carried: the model's states.
        lengths: steps of each window.

    Yields:
        every window.
    """
    fetched = list(dict.fromkeys([*names, *(s.after for s in carried)]))
    state: dict[str, Array] = {}
    for steps in lengths:
        values = executable.run(
            fetched, {**feeds, **state, TIMESTEPS: np.array(steps, dtype=np.int64)}
        )
        by_name = dict(zip(fetched, values, strict=True))
        state = {s.before: by_name[s.after] for s in carried}
        yield [by_name[name] for name in names], state
