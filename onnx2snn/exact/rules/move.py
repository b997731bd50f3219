"""Operators that only move integers about; units and offsets move with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np
import onnx_graphsurgeon as gs

from onnx2snn.exact.rule import RULES, Builder, only
from onnx2snn.exact.signal import NotExact, Signal, per_channel, shrunk
from onnx2snn.graphs import rank
from onnx2snn.linear import LINEAR

MOVES = ("Identity", "Flatten", "Reshape", "Squeeze", "Unsqueeze", "Transpose", "Slice", "Pad")


@RULES.register(*MOVES, "DepthToSpace", "SpaceToDepth", "Resize")
def move(build: Builder, node: gs.Node, signals: Sequence[Signal | None]) -> Signal:
    """The same operator on the integers."""
    signal = only(signals)
    handler = LINEAR.find(node.op)
    reason = "it does more than move values" if handler is None else handler.reason(node)
    if reason is not None:
        raise NotExact(reason)
    if node.op == "Pad":
        _check_padding(node, signal)
    if node.op == "Resize" and node.attrs.get("mode", "nearest") not in {"nearest", b"nearest"}:
        raise NotExact("it interpolates")
    if any(f.channels > 1 for f in signal.functions):
        raise NotExact("the activation in front of it differs by channel")
    order = _channel_order(node, signal)
    inputs = [signal.tensor, *node.inputs[1:]]
    if node.op == "Pad" and len(inputs) > 2:
        inputs[2] = build.constant(f"{node.name}.filler", np.zeros((), signal.tensor.dtype))
    tensor = build.node(node.op, node, inputs, dict(node.attrs), dtype=signal.tensor.dtype)
    return replace(
        signal,
        tensor=tensor,
        units=_moved(signal.units, order),
        offsets=_moved(signal.offsets, order),
        kernel=signal.kernel if signal.quantizer is not None else None,
    )


@RULES.register("Concat")
def concat(build: Builder, node: gs.Node, signals: Sequence[Signal | None]) -> Signal:
    """Channels behind each other."""
    parts = [s for s in signals if s is not None]
    handler = LINEAR.get("Concat")
    reason = handler.reason(node)
    if len(parts) != len(signals) or reason is not None:
        raise NotExact(reason or "it joins a constant")
    if len({p.functions for p in parts}) > 1:
        raise NotExact("the activations in front of it differ")
    whole = any(p.tensor.dtype == np.int64 for p in parts)
    tensors = [
        build.whole(node, p.tensor, f"part{i}") if whole else p.tensor for i, p in enumerate(parts)
    ]
    ndim = rank(node.outputs[0]) or 0
    first = parts[0]
    grids = {p.quantizer.grid for p in parts if p.quantizer is not None}
    alike = len(grids) == 1 and all(p.quantizer is not None for p in parts)
    if int(node.attrs["axis"]) % ndim == 1:
        lengths = [t.shape[1] for t in node.inputs]
        units = [u for p, n in zip(parts, lengths, strict=True) for u in per_channel(p.units, n)]
        offsets = [
            o for p, n in zip(parts, lengths, strict=True) for o in per_channel(p.offsets, n)
        ]
        if any(f.channels > 1 for f in first.functions):
            raise NotExact("the activations in front of it differ by channel")
    else:
        units, offsets = list(first.units), list(first.offsets)
        if any((p.units, p.offsets) != (first.units, first.offsets) for p in parts):
            raise NotExact("it joins tensors of several scales within a channel")
    tensor = build.node(
        "Concat", node, tensors, dict(node.attrs), dtype=np.int64 if whole else np.float32
    )
    return replace(
        first,
        tensor=tensor,
        units=shrunk(units),
        offsets=shrunk(offsets),
        peak=max(p.peak for p in parts),
        reach=max(p.reach for p in parts),
        settled=max(p.settled for p in parts),
        is_population=all(p.is_population for p in parts),
        kernel=first.kernel if alike else None,
        quantizer=first.quantizer if alike else None,
    )


def _check_padding(node: gs.Node, signal: Signal) -> None:
    handler = LINEAR.get("Pad")
    if handler.carry(node, np.ones(1, dtype=np.float32)) is None:
        raise NotExact("it pads with other values than zero")
    if any(signal.offsets) or not all(f.keeps_zero for f in signal.functions):
        raise NotExact("zero is no longer zero in front of the padding")


def _channel_order(node: gs.Node, signal: Signal) -> list[int] | None:
    """Which channel of the input each channel of the output is; None where all are alike."""
    count = max(len(signal.units), len(signal.offsets))
    if count == 1:
        return None
    ndim = rank(node.inputs[0])
    handler = LINEAR.get(node.op)
    if ndim is None:
        raise NotExact("its number of axes is not known")
    numbers = np.arange(count, dtype=np.float32).reshape(-1, *([1] * (ndim - 2)))
    moved = handler.carry(node, numbers)
    if moved is None or any(d != 1 for d in moved.shape[1:]):
        raise NotExact("channels of several scales do not stay one axis")
    return [int(i) for i in moved.reshape(-1)]


def _moved(values: tuple[Fraction, ...], order: list[int] | None) -> tuple[Fraction, ...]:
    if order is None or len(values) == 1:
        return values
    return shrunk([values[i] for i in order])
