"""Average pools that become populations of their own.

A pool can be one if what arrives are spikes of one unit: directly from a population, or through
operators that only move spikes about.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import onnx_graphsurgeon as gs

from onnx2snn.graphs import Array, label, producer, rank, sample_shape
from onnx2snn.linear import LINEAR
from onnx2snn.linear.window import joined
from onnx2snn.passes.explicit_padding import ceil_padding
from onnx2snn.plan import ActivationSite, Diagnostic
from onnx2snn.sites.activation import PASSIVE_QUANTIZER
from onnx2snn_runtime.windows import window_sum


def pool_site(
    node: gs.Node, spiking: Collection[str], diagnostics: list[Diagnostic]
) -> ActivationSite | None:
    """The population of an average pool, or None with a diagnostic that says why.

    Args:
        node: an AveragePool or GlobalAveragePool.
        spiking: names of the tensors that populations make.
        diagnostics: where reasons go.
    """
    reason = None
    places: Array | None = None
    if not receives_spikes(node, spiking):
        reason = "what it averages are not the spikes of one population"
    else:
        places = counted_places(node)
        if places is None:
            reason = "the number of places it averages depends on the input's size"
    if reason is not None:
        diagnostics.append(
            Diagnostic(
                "POOL_KEPT_LINEAR",
                "info",
                label(node),
                "kept as synapses instead of spiking",
                reason,
            )
        )
        return None
    source, target = node.inputs[0], node.outputs[0]
    second = target.shape[1] if target.shape else None
    channels = second if isinstance(second, int) else None
    return ActivationSite(
        name=node.name,
        kind="average_pool",
        source=source.name,
        target=target.name,
        nodes=(node.name,),
        channels=channels,
        rank=rank(target) or 0,
        places=places,
    )


def receives_spikes(node: gs.Node, spiking: Collection[str]) -> bool:
    """Whether unit spikes arrive at the node's first input, in each channel of one amplitude."""
    amplitude = _arriving(node.inputs[0], spiking)
    return amplitude is not None and all(d == 1 for d in amplitude.shape[1:])


def _arriving(tensor: gs.Tensor, spiking: Collection[str]) -> Array | None:
    """Amplitudes as they would arrive if every population had another for each channel.

    None if a tensor holds no unit spikes, or no amplitude can pass the way here.
    """
    if tensor.name in spiking:
        ndim, length = rank(tensor) or 2, tensor.shape[1] if tensor.shape is not None else None
        channels = length if isinstance(length, int) else 1
        return np.arange(1, channels + 1, dtype=np.float32).reshape(-1, *([1] * (ndim - 2)))
    maker = producer(tensor)
    if maker is None or maker.domain:
        return None
    if maker.op in PASSIVE_QUANTIZER:
        return _arriving(maker.inputs[0], spiking)
    if maker.op == "Concat":
        return joined(maker, [_arriving(t, spiking) for t in maker.inputs])
    handler = LINEAR.find(maker.op)
    if handler is None or not handler.moves(maker) or handler.reason(maker) is not None:
        return None
    amplitude = _arriving(maker.inputs[0], spiking)
    return None if amplitude is None else handler.carry(maker, amplitude)


def pool_geometry(node: gs.Node) -> tuple[list[int], list[int], list[int]]:
    """Kernel shape, strides and pads of an AveragePool in canonical form, ceil_mode included."""
    kernel, strides, pads = (list(node.attrs[k]) for k in ("kernel_shape", "strides", "pads"))
    size = sample_shape(node.inputs[0])
    if node.attrs.get("ceil_mode") and size is not None:
        extra = ceil_padding(size[1:], kernel, strides, pads)
        pads[len(kernel) :] = [p + e for p, e in zip(pads[len(kernel) :], extra, strict=True)]
    return kernel, strides, pads


def counted_places(node: gs.Node) -> Array | None:
    """How many places each window averages: [1], a map [1, ...], or None where it is unknown."""
    attrs = node.attrs
    dilated = any(d != 1 for d in attrs.get("dilations", []))
    if node.op != "AveragePool" or dilated or attrs.get("auto_pad"):
        return None
    size = sample_shape(node.inputs[0])
    own_pads = list(attrs["pads"])
    if not attrs.get("ceil_mode") and (attrs.get("count_include_pad") or not any(own_pads)):
        return np.array([np.prod(attrs["kernel_shape"])], dtype=np.float32)
    if size is None:
        return None
    kernel, strides, pads = pool_geometry(node)
    ndim = len(kernel)
    counts = np.ones((1, 1, *size[1:]), dtype=np.float32)
    inner = list(zip(own_pads[:ndim], own_pads[ndim:], strict=True))
    filler = 1.0 if attrs.get("count_include_pad") else 0.0
    counts = np.pad(counts, [(0, 0), (0, 0), *inner], constant_values=filler)
    extra = [0] * ndim + [p - o for p, o in zip(pads[ndim:], own_pads[ndim:], strict=True)]
    places: Array = window_sum(counts, kernel, strides, extra)[0]
    return places.reshape(-1)[:1] if (places == places.flat[0]).all() else places
