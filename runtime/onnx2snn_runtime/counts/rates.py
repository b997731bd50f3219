"""How often populations fire in a window, from what their spikes amount to."""

from __future__ import annotations

import numpy as np
import onnx

from onnx2snn_runtime.counts.draft import Draft
from onnx2snn_runtime.instrument import RATE_SUFFIX, neuron_nodes, population_name


def add_rates(draft: Draft, model: onnx.ModelProto) -> list[str]:
    """Append for every population its mean number of spikes per neuron, [N].

    Returns:
        The names of these tensors, which are those of the populations and a suffix.
    """
    image = draft.constant(np.array([0, 1, -1]), "rate.image_shape", np.int64)
    row = draft.constant(np.array([-1]), "rate.row_shape", np.int64)
    names = []
    for node in neuron_nodes(model):
        rate = population_name(node) + RATE_SUFFIX
        spikes = draft.add("Abs", [node.output[0]], f"{rate}.size")
        if draft.radix:
            spikes = _digits(draft, spikes)
        shaped = draft.add("Reshape", [spikes, image], f"{rate}.image")
        mean = draft.add("GlobalAveragePool", [shaped], f"{rate}.mean")
        names.append(draft.add("Reshape", [mean, row], rate))
    return names


def _digits(draft: Draft, code: str) -> str:
    """How many digits of a binary code are 1: the code less all its halves, rounded down."""
    rest = code
    for shift in range(1, draft.timesteps):
        half = draft.constant(0.5**shift, f"{code}.{shift}.half")
        part = draft.add("Mul", [code, half], f"{code}.{shift}.part")
        whole = draft.add("Floor", [part], f"{code}.{shift}.whole")
        rest = draft.add("Sub", [rest, whole], f"{code}.{shift}.rest")
    return rest
