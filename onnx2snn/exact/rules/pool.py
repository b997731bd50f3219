"""Average pools are sums; max pools commute with whatever is monotone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import lcm

import numpy as np
import onnx_graphsurgeon as gs

from onnx2snn.exact.kernels import Requantized
from onnx2snn.exact.rule import RULES, Builder, only
from onnx2snn.exact.signal import FLOAT_EXACT, LARGEST, NotExact, Signal, refuse_beyond
from onnx2snn.graphs import Array, sample_shape
from onnx2snn.sites import Region
from onnx2snn.sites.average_pool import counted_places, pool_geometry
from onnx2snn.sites.max_pool import max_pool_objection
from onnx2snn_runtime.opspec import DOMAIN


@RULES.register("AveragePool")
def average_pool(build: Builder, node: gs.Node, signals: Sequence[Signal | None]) -> Signal:
    """The sum of each window, by a depthwise convolution with ones; the unit is divided."""
    signal = only(signals)
    size = sample_shape(node.inputs[0])
    places = counted_places(node)
    if not signal.is_linear:
        raise NotExact("no quantizer stands between an activation and the pool")
    if any(signal.offsets):
        raise NotExact("a constant is added in front of it")
    if size is None or places is None:
        raise NotExact("the size of the image is not known")
    if signal.tensor.dtype != np.float32:
        raise NotExact("a sum of differing scales stands in front of it, without a quantizer")
    kernel, strides, pads = pool_geometry(node)
    whole = tuple(kernel) == size[1:] and not any(pads)
    if build.arithmetic == "ort" and not whole:
        raise NotExact("onnxruntime adds its places in float32, one by one")
    count = int(np.prod(kernel))
    refuse_beyond(FLOAT_EXACT, count * signal.peak, "a sum")
    refuse_beyond(LARGEST, count * signal.reach, "a sum over time")
    ones = np.ones((size[0], 1, *kernel), dtype=np.float32)
    sums = build.node(
        "Conv",
        node,
        [signal.tensor, build.constant(f"{node.name}.ones", ones)],
        {"kernel_shape": kernel, "strides": strides, "pads": pads, "group": size[0]},
    )
    pooled = replace(
        signal,
        tensor=sums,
        peak=count * signal.peak,
        reach=count * signal.reach,
        is_population=False,
        kernel=_kernel(signal, count),
        quantizer=None,
    )
    return _divided(build, node, pooled, places)


def _kernel(signal: Signal, places: int) -> Requantized | None:
    """The average of a whole image is the only one that is summed as integers."""
    if signal.quantizer is None or signal.quantizer.channels > 1:
        return None
    return Requantized((np.float32(float(signal.quantizer.scales[0])),), places=places)


def _divided(build: Builder, node: gs.Node, signal: Signal, places: Array) -> Signal:
    """Divide by the number of places, which may differ at the border."""
    numbers = places.astype(np.int64)
    common = lcm(*(int(n) for n in np.unique(numbers)))
    units = tuple(u / common for u in signal.units)
    if numbers.size == 1:
        return replace(signal, units=units)
    factors = common // numbers
    most = int(factors.max())
    refuse_beyond(FLOAT_EXACT, most * signal.peak, "a sum")
    refuse_beyond(LARGEST, most * signal.reach, "a sum over time")
    weights = build.constant(f"{node.name}.places", factors.astype(np.float32))
    tensor = build.node("Mul", node, [signal.tensor, weights], suffix="per_place")
    return replace(
        signal, tensor=tensor, units=units, peak=most * signal.peak, reach=most * signal.reach
    )


@RULES.register("MaxPool")
def max_pool(build: Builder, node: gs.Node, signals: Sequence[Signal | None]) -> Signal:
    """The increments of the largest sum so far."""
    signal = only(signals)
    objection = max_pool_objection(build.emission.graph, node)
    if objection is not None:
        raise NotExact(objection)
    if signal.tensor.dtype != np.float32:
        raise NotExact("a sum of differing scales stands in front of it, without a quantizer")
    most = (3 if build.code == "radix" else 2) * signal.reach  # P(t) − keep·P(t−1)
    refuse_beyond(FLOAT_EXACT, most, "a sum over time")
    kernel, strides, pads = pool_geometry(node)
    state = build.emission.variable(f"{node.name}.count_final", node.inputs[0], in_time=False)
    pooled = build.emission.variable(f"{node.name}.pooled", node.outputs[0], in_time=True)
    build.emission.add(
        "SpikeMaxPool",
        f"{node.name}.integers",
        [
            signal.tensor,
            build.constant(f"{node.name}.count_init", np.zeros(1, dtype=np.float32)),
            build.emission.timesteps,
        ],
        [pooled, state],
        Region.SITE,
        domain=DOMAIN,
        attrs={"kernel_shape": kernel, "strides": strides, "pads": pads, "code": build.code},
    )
    peak = signal.peak if signal.is_population else most
    kernel_kept = signal.kernel if signal.quantizer is not None else None
    return replace(signal, tensor=pooled, peak=peak, kernel=kernel_kept)
