"""Encoders: what the ops share that bring values into time, [N, ...] to [T·N, ...]."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from onnx2snn_runtime.opspec import AttributeValue, Param, Shape, unknown_rows

VALUES = Param("X", "[N, ...]", "analog values")

#: For encoders that go on where the window before ended.
T_INIT = Param("t_init", "scalar", "steps done before this window", "int64")
T_FINAL = Param("t_final", "scalar", "steps done after it", "int64")


def grown(shapes: Sequence[Shape], attributes: Mapping[str, AttributeValue]) -> tuple[Shape, ...]:
    """Axis 0 grows T-fold; T is known at run time only."""
    return (unknown_rows(shapes[0]),)


def grown_and_steps(
    shapes: Sequence[Shape], attributes: Mapping[str, AttributeValue]
) -> tuple[Shape, ...]:
    """As :func:`grown`, and the number of steps done, a scalar."""
    return unknown_rows(shapes[0]), ()


#: Body statements that set ``first`` (0), ``next`` (1), ``numbers`` (0 … T) and ``column``, the
#: shape [-1, 1].
STEP_NUMBERS = """
  first = Constant <value_int = 0> ()
  next = Constant <value_int = 1> ()
  end = Add (T, next)
  numbers = Range (first, end, next)
  column = Constant <value_ints = [-1, 1]> ()"""


def sample_size(tensor: str) -> str:
    """Body statements that set ``sample_shape`` [N, ...] and ``flat``, the number of its values."""
    return f"""
  sample_shape = Shape ({tensor})
  flat = ReduceProd <keepdims = 1> (sample_shape)"""


def given_in_steps(result: str) -> str:
    """Body statements for what is given in each step, ``result`` [T, flat].

    They need ``given`` [T + 1, flat], the spikes given before each step; ``zero`` [1], and
    ``axis`` and ``steps``.
    """
    return f"""
  ends = Add (steps, axis)
  given_before = Slice (given, zero, steps, zero)
  given_after = Slice (given, axis, ends, zero)
  {result} = Sub (given_after, given_before)"""


def grown_shape(tensor: str) -> str:
    """Body statements that set ``shape`` [T·N, ...] for ``tensor`` [N, ...].

    They need ``steps`` and set ``samples`` [N], ``tail`` and ``rows`` [T·N] too.
    """
    return f"""
  samples = Shape <end = 1> ({tensor})
  tail = Shape <start = 1> ({tensor})
  rows = Mul (samples, steps)
  shape = Concat <axis = 0> (rows, tail)"""
