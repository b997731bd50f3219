"""Pools of spikes."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx

from onnx2snn_runtime.counts.draft import EXACT_FLOAT, Draft, attributes
from onnx2snn_runtime.counts.rule import RULES
from onnx2snn_runtime.opspec import OPS
from onnx2snn_runtime.time_axis import attributes_of

SHAPE = ("kernel_shape", "strides", "pads")


@RULES.register("SpikeMaxPool")
def maximum(draft: Draft, node: onnx.NodeProto) -> None:
    """The largest code in each window."""
    values, count_init, _ = node.input
    given = attributes_of(node, OPS.get("SpikeMaxPool"))
    if (given["code"] == "radix") != draft.radix or np.any(draft.known(count_init, node)):
        raise draft.refusal(node, "its codes are not those of this window alone")
    shape: dict[str, Any] = {name: given[name] for name in SHAPE}
    draft.add("MaxPool", [values], node.output[0], **shape)
    if values in draft.sizes:
        draft.sizes[node.output[0]] = draft.sizes[values]
    if values in draft.binary:
        draft.binary.add(node.output[0])
    if draft.is_natural(values):
        draft.natural.add(node.output[0])


@RULES.register("SpikeAveragePool")
def average(draft: Draft, node: onnx.NodeProto) -> None:
    """The count of spikes in each window through the threshold.

    Of 0 and 1 no more than theta come in at a step, so that a neuron that begins below theta is
    below it after every step: nothing is left over, whatever the order.
    """
    values, theta_name, v_name, _ = node.input
    theta, v_init = draft.known(theta_name, node), draft.known(v_name, node)
    given, output = attributes(node), node.output[0]
    places = int(np.prod(given["kernel_shape"]))
    if draft.radix or values not in draft.binary:
        raise draft.refusal(node, "it pools other than single spikes")
    if np.any(theta < places) or np.any(v_init < 0) or not np.all(v_init < theta):
        raise draft.refusal(node, "its potential may leave the range from 0 to the threshold")
    if draft.timesteps * places + float(theta.max()) >= EXACT_FLOAT:
        raise draft.refusal(node, "its sums may not fit float32")
    shape: dict[str, Any] = {name: given[name] for name in SHAPE}
    mean = draft.add("AveragePool", [values], f"{output}.mean", count_include_pad=1, **shape)
    factor = draft.constant(places, f"{output}.places")
    near = draft.add("Mul", [mean, factor], f"{output}.near")
    spikes = draft.add("Round", [near], f"{output}.sum")
    charged = draft.add("Add", [spikes, v_name], f"{output}.charged")
    ratio = draft.add("Div", [charged, theta_name], f"{output}.ratio")
    draft.add("Floor", [ratio], output)
    draft.sizes[output] = draft.timesteps
    draft.binary.add(output)
