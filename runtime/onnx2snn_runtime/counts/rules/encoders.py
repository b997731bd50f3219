"""Encoders whose trains have a sum that is known at once."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto

from onnx2snn_runtime.counts.draft import Draft
from onnx2snn_runtime.counts.rule import RULES
from onnx2snn_runtime.counts.train import add_train
from onnx2snn_runtime.opspec import OPS
from onnx2snn_runtime.time_axis import attributes_of


@RULES.register("DirectEncode")
def direct(draft: Draft, node: onnx.NodeProto) -> None:
    """T times the value."""
    output = node.output[0]
    weight = draft.constant(draft.weight, f"{output}.weight")
    draft.add("Mul", [node.input[0], weight], output)


@RULES.register("CodeEncode")
def code(draft: Draft, node: onnx.NodeProto) -> None:
    """The code itself, or as much of it as can be said in T steps."""
    codes, t_init, _ = node.input
    emission = str(attributes_of(node, OPS.get("CodeEncode"))["emission"])
    if (emission == "radix") != draft.radix:
        raise draft.refusal(node, "other populations speak otherwise")
    if np.any(draft.known(t_init, node)):
        raise draft.refusal(node, "it does not begin at step 0")
    output, T = node.output[0], draft.timesteps
    if emission in {"once", "radix"}:
        draft.add("Cast", [codes], output, to=TensorProto.FLOAT)
    else:
        whole = draft.add("Cast", [codes], f"{output}.code", to=TensorProto.FLOAT)
        ends = [draft.constant(end, f"{output}.{end}") for end in (-T, T)]
        draft.add("Clip", [whole, *ends], output)
    if emission != "once":
        draft.sizes[output] = draft.weight


@RULES.register("RateEncode")
def rate(draft: Draft, node: onnx.NodeProto) -> None:
    """The count k of the definition, by the same operations."""
    if draft.radix:
        raise draft.refusal(node, "other populations speak otherwise")
    output = node.output[0]
    values, low, high, _ = node.input
    extent = draft.known(high, node) - draft.known(low, node)
    width = draft.constant(extent, f"{output}.extent")
    steps = draft.constant(draft.timesteps, f"{output}.steps")
    least = draft.add("Max", [values, low], f"{output}.least")
    inside = draft.add("Min", [least, high], f"{output}.inside")
    above = draft.add("Sub", [inside, low], f"{output}.above")
    share = draft.add("Div", [above, width], f"{output}.share")
    scaled = draft.add("Mul", [share, steps], f"{output}.scaled")
    nearest = attributes_of(node, OPS.get("RateEncode"))["quantize"] == "nearest"
    draft.add("Round" if nearest else "Floor", [scaled], output)
    draft.sizes[output] = draft.timesteps
    draft.binary.add(output)


@RULES.register("PoissonEncode", "ChannelExpand")
def spikes(draft: Draft, node: onnx.NodeProto) -> None:
    """The train of single spikes, added up."""
    signed_spikes(draft, node)
    draft.binary.add(node.output[0])


@RULES.register("IsiEncode")
def signed_spikes(draft: Draft, node: onnx.NodeProto) -> None:
    """The train of spikes of either sign, added up."""
    add_train(draft, node)
    draft.sizes[node.output[0]] = draft.weight
