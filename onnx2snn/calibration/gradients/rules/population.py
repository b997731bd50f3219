"""Populations of spiking neurons, straight through.

With the mean current y (bias included), u = T·y/θ + v_init/θ, n = clip(floor(u), 0, T), a = θ·n/T
and the floor as the identity::

    ∂a/∂y = 1 where n is not clipped          ∂a/∂θ = n/T − (y/θ where n is not clipped)

n is what the neuron would answer to an even current. What it does answer differs by the unevenness
of its inputs, which no threshold mends: with the answers in place of n, thresholds go astray.
"""

from __future__ import annotations

import onnx

from onnx2snn.calibration.gradients.backward import GRADIENTS, Backward, attributes


@GRADIENTS.register("Population")
def population(backward: Backward, node: onnx.NodeProto, gradient: str) -> None:
    """To the current, the bias and the threshold; nothing where a channel is dead."""
    current, theta, shift, share, alive, drive = node.input
    shape = backward.shapes[current]
    if not backward.constants[alive].all():
        gradient = backward.emit("Mul", [gradient, alive])
    steps = backward.constant(attributes(node)["timesteps"])
    scaled = backward.emit("Mul", [drive, backward.emit("Div", [steps, theta])])
    levels = backward.emit("Floor", [backward.emit("Add", [scaled, share])])
    count = backward.emit("Clip", [levels, backward.constant(0.0), steps])
    inside = backward.emit("Equal", [levels, count])
    passed = backward.emit("Where", [inside, gradient, backward.constant(0.0)])
    backward.add(current, passed)
    backward.add(shift, backward.summed_to(passed, shape, backward.shapes[shift]))
    wanted = backward.shapes[theta]
    more = backward.summed_to(backward.emit("Mul", [gradient, count]), shape, wanted)
    less = backward.summed_to(backward.emit("Mul", [passed, drive]), shape, wanted)
    shares = backward.emit("Div", [more, steps]), backward.emit("Div", [less, theta])
    backward.add(theta, backward.emit("Sub", shares))
