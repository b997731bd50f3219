"""StaircaseFire, averaged and radix: the level of the accumulator."""

from __future__ import annotations

from dataclasses import astuple
from functools import reduce
from math import prod

import numpy as np
import onnx
from onnx import TensorProto

from onnx2snn_runtime.counts.draft import EXACT_FLOAT, Draft
from onnx2snn_runtime.counts.kernels import COUNT_DOMAIN, Sums, gather_sums, rows
from onnx2snn_runtime.counts.rule import RULES
from onnx2snn_runtime.counts.staircase import Line, Straight, find_line, straighten
from onnx2snn_runtime.opspec import DOMAIN, OPS, Array
from onnx2snn_runtime.time_axis import attributes_of

NAME = "StaircaseFire"
#: Sums are listed if they are no more.
MOST_SUMS = 2**19


@RULES.register(NAME)
def fire(draft: Draft, node: onnx.NodeProto) -> None:
    """A quotient, rounded down, where the table is straight; else the op's own search in it."""
    current, tau_name, s_min_name, acc_init = node.input[:4]
    emission = attributes_of(node, OPS.get(NAME))["emission"]
    if emission not in ({"radix"} if draft.radix else {"averaged"}):
        raise draft.refusal(node, f"emission '{emission}' is no function of the window's sum")
    if np.any(draft.known(acc_init, node)):
        raise draft.refusal(node, "its accumulator does not begin at zero")
    if current not in draft.sizes:
        raise draft.refusal(node, "its accumulators may not fit")
    tau = draft.known(tau_name, node)
    lowest = int(draft.known(s_min_name, node).reshape(()))
    rank = draft.ranks.get(node.output[0]) if len(tau) > 1 else 2
    reach = max(abs(lowest), abs(lowest + tau.shape[1]))
    draft.sizes[node.output[0]] = min(reach, draft.weight)
    if lowest >= 0:
        draft.natural.add(node.output[0])
    if draft.kernels and draft.ranks.get(node.output[0], 0) >= 2 and reach < EXACT_FLOAT:
        _fire_by_kernel(draft, node, tau, lowest)
        return
    kinds = (np.float64,) if current in draft.wide else (np.float32, np.float64)
    straight = straighten(tau, draft.sizes[current], *kinds)
    if straight is not None and rank is not None:
        _divide(draft, node, straight, rank)
    else:
        _search(draft, node)


def _fire_by_kernel(draft: Draft, node: onnx.NodeProto, tau: Array, lowest: int) -> None:
    """One pass over the current: a line where it is exact, or one that the table corrects."""
    current, output = node.input[0], node.output[0]
    largest, most = draft.sizes[current], draft.sizes[output]
    sums = gather_sums(draft, current, draft.ranks[output])
    wide = largest + 1 >= EXACT_FLOAT or any(name in draft.wide for name in sums.tensors)
    kinds: list[type] = [np.float64] if wide else [np.float32, np.float64]
    line, kind, above = _closest_line(draft, sums, tau, largest, kinds)
    # Level 0 begins below everything; where nothing or everything passes, one place is as good.
    first = np.full((len(tau), 1), -np.inf)
    entries = np.concatenate([first, np.clip(tau, -largest, largest + 1)], axis=1)
    nothing = np.zeros((1, 0))
    constants = {
        "line": nothing if line is None else rows(astuple(line)),
        "entries": entries if above else nothing,
    }
    names = [draft.constant(v, f"{output}.{name}", kind) for name, v in constants.items()]
    draft.add(
        "CountStaircase",
        [sums.tensors[0], sums.constant(draft, output, kind), *names, *sums.tensors[1:]],
        output,
        domain=COUNT_DOMAIN,
        lowest=lowest,
        low=-most,
        high=most,
    )


def _closest_line(
    draft: Draft, sums: Sums, tau: Array, largest: int, kinds: list[type]
) -> tuple[Line | None, type, int]:
    """A line, the type to compute it in, and how many levels it may give too many.

    It is one of all whole numbers, one of the sums that can be, where these are few enough to be
    listed, or one that is close.
    """
    for above, listed in ((0, False), (0, True), (1, False)):
        among = _possible_sums(draft, sums, len(tau)) if listed else None
        if listed and among is None:
            continue
        for kind in kinds:
            line = find_line(tau, largest, kind, above=above, sums=among)
            if line is not None:
                return line, kind, above
    return None, kinds[0], 1


def _possible_sums(draft: Draft, sums: Sums, tables: int) -> Array | None:
    """All sums of the tensors' whole numbers, int64, if they are few and the same everywhere."""
    ranges, factors = [], []  # a range may be as long as float64 can count
    for tensor, factor in zip(sums.tensors, sums.factors, strict=True):
        size, same = draft.sizes.get(tensor), np.unique(factor)
        if size is None or len(same) != 1 or same[0] != np.rint(same[0]):
            return None
        ranges.append(range(0 if tensor in draft.natural else -size, size + 1))
        factors.append(int(same[0]))
    if tables != 1 or prod(map(len, ranges)) > MOST_SUMS:
        return None
    products = (factor * np.array(r) for factor, r in zip(factors, ranges, strict=True))
    return np.unique(reduce(np.add.outer, products))


def _divide(draft: Draft, node: onnx.NodeProto, straight: Straight, rank: int) -> None:
    """Levels are counted from the lowest, so that cutting the fraction off rounds down."""
    output, most, kind = node.output[0], draft.weight, straight.width.dtype
    wide = kind == np.float64
    current = draft.widened(node.input[0]) if wide else node.input[0]
    base = int(draft.known(node.input[2], node).reshape(())) + straight.base
    ends = [np.clip(v + base, -most, most) - base for v in (straight.least, straight.most)]

    def constant(values: Array, name: str) -> str:
        same = len(np.unique(values)) == 1
        values = values[0] if same else values.reshape(-1, *[1] * (rank - 2))
        return draft.constant(values, f"{output}.{name}", kind)

    # Sub, not Add: onnxruntime would fold a sum into a bias, where it is rounded otherwise.
    above = draft.add("Sub", [current, constant(straight.start, "start")], f"{output}.above")
    ratio = draft.add("Div", [above, constant(straight.width, "width")], f"{output}.ratio")
    least, greatest = (constant(v, n) for v, n in zip(ends, ("least", "most"), strict=True))
    if wide:  # onnxruntime's Clip and Floor are slow in float64
        raised = draft.add("Max", [ratio, least], f"{output}.raised")
        inside = draft.add("Min", [raised, greatest], f"{output}.inside")
        whole = draft.add("Cast", [inside], f"{output}.whole", to=TensorProto.INT32)
        level = draft.add("Cast", [whole], f"{output}.level", to=TensorProto.FLOAT)
    elif draft.known(least, node).ndim or draft.known(greatest, node).ndim:
        raised = draft.add("Max", [ratio, least], f"{output}.raised")
        inside = draft.add("Min", [raised, greatest], f"{output}.inside")
        level = draft.add("Floor", [inside], f"{output}.level")
    else:
        inside = draft.add("Clip", [ratio, least, greatest], f"{output}.inside")
        level = draft.add("Floor", [inside], f"{output}.level")
    draft.add("Add", [level, draft.constant(base, f"{output}.base")], output)


def _search(draft: Draft, node: onnx.NodeProto) -> None:
    """The op with a window of one step, whose tracer is the level."""
    output, most = node.output[0], draft.weight
    current = node.input[0]
    if current in draft.wide:
        current = draft.add("Cast", [current], f"{output}.whole", to=TensorProto.INT64)
    step = draft.constant(1, f"{output}.step", np.int64)
    spikes, acc, level = (f"{output}.step.{name}" for name in ("spikes", "acc", "level"))
    draft.add(
        NAME,
        [current, *node.input[1:5], step],
        spikes,
        domain=DOMAIN,
        more_outputs=(acc, level),
        emission="averaged",
    )
    level = draft.add("Cast", [level], f"{output}.level", to=TensorProto.FLOAT)
    ends = [draft.constant(end, f"{output}.{end}") for end in (-most, most)]
    draft.add("Clip", [level, *ends], output)
