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
from onnx2snn.passes.explicit_padding import ceil_padding
from onnx2snn.plan import ActivationSite, Diagnostic
from onnx2snn_runtime.windows import window_sum

#: They move unit spikes, and any amplitude can pass them.
MOVES_SPIKES = frozenset(
    {"Identity", "Pad", "Slice", "Transpose", "QuantizeLinear", "DequantizeLinear"}
)


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
    channels = target.shape[1] if isinstance(target.shape[1], int) else None
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
    """Whether unit spikes arrive at the node's first input."""
    tensor = node.inputs[0]
    while tensor.name not in spiking:
        maker = producer(tensor)
        if maker is None or not moves_spikes(maker):
            return False
        tensor = maker.inputs[0]
    return True


def moves_spikes(node: gs.Node) -> bool:
    """Whether a node only moves spikes about; a Pad with ones, say, does more."""
    if node.domain or node.op not in MOVES_SPIKES:
        return False
    handler = LINEAR.find(node.op)
    return handler is None or handler.carry(node, np.ones(1, dtype=np.float32)) is not None


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
