"""PoissonEncode: random spikes that are the same on every machine and in every batch."""

from __future__ import annotations

import numpy as np

from onnx2snn_runtime.encoders import T_FINAL, T_INIT, grown_and_steps
from onnx2snn_runtime.opspec import (
    OPS,
    TIMESTEPS_PARAM,
    Array,
    Attr,
    OpSpec,
    Param,
    as_float32,
    merge_time,
)
from onnx2snn_runtime.statements import STEPS

#: The largest prime below 2^30 for which cubing is a permutation (it is 2 modulo 3).
PRIME = 1073741789
#: Between the two cubings; any number does.
ADDEND = 610839776


def scramble(number: Array) -> Array:
    """Pseudo-random int64 in 0 … PRIME−1 from int64 in 0 … 2·PRIME−1.

    x ↦ (x³ + c)³ modulo a prime, a permutation of 0 … PRIME−1 (the rounds of the MiMC cipher).
    No product exceeds 2^62.
    """
    for addend in (ADDEND, 0):
        number = (number * number % PRIME * number + addend) % PRIME
    return number


def draw(sample_index: Array, places: int, t: int, seed: int) -> Array:
    """Pseudo-random int64 in 0 … PRIME−1 for every sample and place of step ``t``, [N, places]."""
    key = scramble(np.asarray(seed % PRIME, dtype=np.int64))
    samples = scramble(key + sample_index % PRIME)[:, None]
    cells = scramble(samples + np.arange(places, dtype=np.int64) % PRIME)
    return scramble(cells + scramble(scramble(key) + t % PRIME))


def step(x: Array, sample_index: Array, t: int, seed: int) -> Array:
    """The spikes of step ``t``, shaped as ``x`` [N, ...]."""
    places = int(np.prod(x.shape[1:], dtype=np.int64))
    numbers = draw(sample_index, places, t, seed).reshape(x.shape)
    return (numbers < x.astype(np.float64) * PRIME).astype(np.float32)


def window(
    x: Array, sample_index: Array, t_init: Array, timesteps: Array, *, seed: int = 0
) -> tuple[Array, Array]:
    """[N, ...] to spikes [T·N, ...]."""
    (x,) = as_float32(x)
    start = int(np.asarray(t_init).reshape(()))
    after = start + int(timesteps)
    rows = [step(x, np.asarray(sample_index), t, seed) for t in range(start, after)]
    return merge_time(np.stack(rows)), np.asarray(after, dtype=np.int64)


def scramble_text(result: str, number: str) -> str:
    """Body statements for :func:`scramble`; they need ``prime`` and ``addend``."""
    return f"""
  {result}_square = Mul ({number}, {number})
  {result}_square_rest = Mod ({result}_square, prime)
  {result}_cube = Mul ({result}_square_rest, {number})
  {result}_moved = Add ({result}_cube, addend)
  {result}_half = Mod ({result}_moved, prime)
  {result}_half_square = Mul ({result}_half, {result}_half)
  {result}_half_rest = Mod ({result}_half_square, prime)
  {result}_half_cube = Mul ({result}_half_rest, {result}_half)
  {result} = Mod ({result}_half_cube, prime)"""


SPEC = OPS.register("PoissonEncode")(
    OpSpec(
        name="PoissonEncode",
        since_version=1,
        summary="Bernoulli spikes from a counter hash: the same train on every machine.",
        definition=(
            "A spike wherever a pseudo-random whole number r in 0 … p−1 is below X·p (in "
            f"float64), p = {PRIME}, so with probability X: never for X ≤ 0, always for X ≥ 1. "
            "r is computed in integers from the seed, the sample's index, the place (row-major "
            "within a sample) and the step (t_init + t), and from nothing else, so the spikes do "
            "not depend on batches, windows or backends:\n\n"
            f"    h(x) = (x³ + {ADDEND})³ mod p\n"
            "    key  = h(seed mod p)\n"
            "    cell = h(h(key + index mod p) + place mod p)\n"
            "    r    = h(cell + h(h(key) + step mod p))\n\n"
            "ONNX's own random operators give every backend and every batch another train. This "
            "one is for simulation, not for secrets."
        ),
        inputs=(
            Param("X", "[N, ...]", "probability of a spike in a step"),
            Param("sample_index", "[N]", "which sample of the data a row is", "int64"),
            T_INIT,
            TIMESTEPS_PARAM,
        ),
        outputs=(
            Param("spikes", "[T·N, ...]", "0 or 1, time-major"),
            T_FINAL,
        ),
        attributes=(Attr("seed", "int", "another seed, other spikes", default=0),),
        window=window,
        infer_shapes=grown_and_steps,
        body=f"""
  prime = Constant <value_int = {PRIME}> ()
  addend = Constant <value_int = {ADDEND}> ()"""
        + STEPS
        + """
  samples = Shape <end = 1> (X)
  tail = Shape <start = 1> (X)
  place_shape = Concat <axis = 0> (axis, tail)
  places = ReduceProd <keepdims = 0> (place_shape)
  first = Constant <value_int = 0> ()
  next = Constant <value_int = 1> ()
  seed_any = Constant <value_int: int = @seed> ()
  seed_rest = Mod (seed_any, prime)"""
        + scramble_text("key", "seed_rest")
        + """
  column = Constant <value_ints = [-1, 1]> ()
  index_rest = Mod (sample_index, prime)
  index_keyed = Add (key, index_rest)
  index_column = Reshape (index_keyed, column)"""
        + scramble_text("sample_key", "index_column")
        + """
  place_numbers = Range (first, places, next)
  place_rest = Mod (place_numbers, prime)
  cell_numbers = Add (sample_key, place_rest)"""
        + scramble_text("cell", "cell_numbers")
        + scramble_text("step_base", "key")
        + """
  t_end = Add (t_init, T)
  step_numbers = Range (t_init, t_end, next)
  step_rest = Mod (step_numbers, prime)
  step_keyed = Add (step_base, step_rest)"""
        + scramble_text("step_key", "step_keyed")
        + """
  time_axes = Constant <value_ints = [-1, 1, 1]> ()
  step_block = Reshape (step_key, time_axes)
  all_numbers = Add (cell, step_block)"""
        + scramble_text("drawn", "all_numbers")
        + """
  drawn_wide = Cast <to = 11> (drawn)
  x_wide = Cast <to = 11> (X)
  prime_wide = Cast <to = 11> (prime)
  limit_any = Mul (x_wide, prime_wide)
  places_row = Reshape (places, axis)
  limit_shape = Concat <axis = 0> (samples, places_row)
  limit = Reshape <allowzero = 1> (limit_any, limit_shape)
  fires = Less (drawn_wide, limit)
  spike_block = Cast <to = 1> (fires)
  rows = Mul (samples, steps)
  shape = Concat <axis = 0> (rows, tail)
  spikes = Reshape <allowzero = 1> (spike_block, shape)
  t_final = Identity (t_end)""",
    )
)
