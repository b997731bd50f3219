"""Statements that function bodies share, in the ONNX text format.

Each text says which names it sets and which it needs. A window is [T·N, ...], time-major.
"""

from __future__ import annotations

#: Sets ``steps``, T as [1], and ``axis``, which is [1].
STEPS = """
  axis = Constant <value_ints = [1]> ()
  steps = Reshape (T, axis)"""


def text_choice(attribute: str, choice: str) -> str:
    """Body statements that set ``{attribute}_is_{choice}`` (float, [1]) to 1 or 0.

    Equal on strings needs opset 19 and, in the reference evaluator, strings of one length;
    counting the distinct members of a pair needs neither.
    """
    name = f"{attribute}_is_{choice}"
    return f"""
  {name}_axis = Constant <value_ints = [1]> ()
  {name}_scalar = Constant <value_string: string = @{attribute}> ()
  {name}_given = Reshape ({name}_scalar, {name}_axis)
  {name}_wanted = Constant <value_strings = ["{choice}"]> ()
  {name}_pair = Concat <axis = 0> ({name}_given, {name}_wanted)
  {name}_distinct = Unique ({name}_pair)
  {name}_count = Shape ({name}_distinct)
  {name}_two = Constant <value_ints = [2]> ()
  {name}_flag = Sub ({name}_two, {name}_count)
  {name} = Cast <to = 1> ({name}_flag)"""


def window_shapes(tensor: str) -> str:
    """Body statements that take the shape of a window ``tensor`` [T·N, ...] apart.

    They set ``rows`` [T·N], ``samples`` [N], ``tail``, ``sample_shape`` [N, ...], ``flat`` (values
    of one step), ``window_shape`` [T, flat], and what :data:`STEPS` sets.
    """
    return f"""{STEPS}
  rows = Shape <end = 1> ({tensor})
  tail = Shape <start = 1> ({tensor})
  samples = Div (rows, steps)
  sample_shape = Concat <axis = 0> (samples, tail)
  flat = ReduceProd <keepdims = 1> (sample_shape)
  window_shape = Concat <axis = 0> (steps, flat)"""


def flattened(*names: str) -> str:
    """Body statements that broadcast inputs to one step and flatten them: ``{name}_flat``.

    They need what :func:`window_shapes` sets.
    """
    return "".join(_flattened(name, name) for name in names)


def flattened_states(*names: str) -> str:
    """As :func:`flattened` for the inputs ``{name}_init``, without that ending."""
    return "".join(_flattened(name, f"{name}_init") for name in names)


def final_states(*names: str) -> str:
    """Body statements that give back the states ``{name}_last`` [flat] as ``{name}_final``.

    They need what :func:`window_shapes` sets.
    """
    return "".join(
        f"""
  {name}_final = Reshape <allowzero = 1> ({name}_last, sample_shape)"""
        for name in names
    )


def _flattened(name: str, source: str) -> str:
    return f"""
  {name}_map = Expand ({source}, sample_shape)
  {name}_flat = Reshape <allowzero = 1> ({name}_map, flat)"""
