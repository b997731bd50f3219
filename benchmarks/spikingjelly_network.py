"""Networks in SpikingJelly's layers, from what ``spikingjelly_bridge.py`` wrote.

Runs in SpikingJelly's own interpreter: imports numpy, torch and spikingjelly, nothing of onnx2snn.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from spikingjelly.activation_based import base, functional, layer, neuron
from torch import nn

Tensors = dict[str, np.ndarray]
Constants = list[np.ndarray]
Attributes = dict[str, Any]
Node = dict[str, Any]
ENCODE, DECODE, FIRE = "DirectEncode", "SpikeDecode", "IntegrateFire"


class Add(nn.Module):
    """The sum of two currents."""

    def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        """Elementwise."""
        return a + b


class Scale(nn.Module):
    """A product with a constant."""

    def __init__(self, factor: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("factor", factor)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Elementwise."""
        return x * self.factor


class Slice(nn.Module):
    """A slice along axes counted from the end, with time in front or without."""

    def __init__(self, index: tuple[Any, ...]) -> None:
        super().__init__()
        self.index = index

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """What the index picks."""
        return x[self.index]


class Pad(nn.Module):
    """Zeros around the last axes."""

    def __init__(self, pads: list[int]) -> None:
        super().__init__()
        self.pads = pads

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The padded tensor."""
        return nn.functional.pad(x, self.pads)


class CountMaxPool(base.MemoryModule):
    """Max pooling of running counts, its differences sent on: what SpikeMaxPool is defined to do.

    SpikingJelly has no such layer; its own MaxPool2d takes the largest spike of each step.
    """

    def __init__(self, kernel: list[int], stride: list[int]) -> None:
        super().__init__()
        self.kernel, self.stride = kernel, stride
        self.register_memory("count", 0.0)
        self.register_memory("pooled", 0.0)

    def pool(self, x: torch.Tensor) -> torch.Tensor:
        """Ordinary max pooling of [N, C, H, W]."""
        return nn.functional.max_pool2d(x, self.kernel, self.stride)

    def single_step_forward(self, x: torch.Tensor) -> torch.Tensor:
        """One step, [N, C, H, W]."""
        self.count = self.count + x
        before, self.pooled = self.pooled, self.pool(self.count)
        return self.pooled - before

    def multi_step_forward(self, x_seq: torch.Tensor) -> torch.Tensor:
        """All steps, [T, N, C, H, W]."""
        pooled = functional.seq_to_ann_forward(x_seq.cumsum(0), self.pool)
        return torch.diff(pooled, dim=0, prepend=torch.zeros_like(pooled[:1]))


class Network(nn.Module):
    """Nodes executed in their order; tensors are dropped after their last use."""

    def __init__(self, nodes: Sequence[tuple[Node, nn.Module]], inputs: list[str], output: str):
        super().__init__()
        self.layers = nn.ModuleList(module for _, module in nodes)
        self.inputs, self.output = inputs, output
        self.names = [node["name"] for node, _ in nodes]
        produced = set(inputs) | {node["outputs"][0] for node, _ in nodes}
        self.wires = [
            ([i for i in node["inputs"] if i in produced], node["outputs"][0]) for node, _ in nodes
        ]
        last = {name: i for i, (sources, _) in enumerate(self.wires) for name in sources}
        self.dead = [
            [n for n, at in last.items() if at == i and n != output] for i in range(len(nodes))
        ]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The output tensor."""
        known = {self.inputs[0]: x}
        for module, (sources, target), dead in zip(self.layers, self.wires, self.dead, strict=True):
            known[target] = module(*(known[s] for s in sources))
            for name in dead:
                del known[name]
        return known[self.output]


class SpikingNetwork:
    """A spiking file cut in three: what is computed once, in time, and after the readout."""

    def __init__(self, description: dict[str, Any], tensors: Tensors, own_max_pool: bool) -> None:
        before, within, after = [], [], []
        timed: set[str] = set()
        for node in description["nodes"]:
            if node["op"] == ENCODE:
                self.entry = node["inputs"][0]
                timed.add(node["outputs"][0])
                within_input = node["outputs"][0]
            elif node["op"] == DECODE:
                exit_, readout = node["inputs"][0], node["outputs"][0]
            else:
                in_time = bool(timed & set(node["inputs"]))
                module = make_layer(node, tensors, own_max_pool=own_max_pool)
                if in_time:
                    timed.add(node["outputs"][0])
                    within.append((node, module))
                elif within:
                    after.append((node, module))
                else:
                    before.append((node, module))
        (source,), (answer,) = description["inputs"], description["outputs"]
        self.before = Network(before, [source], self.entry).eval()
        self.within = Network(within, [within_input], exit_).eval()
        self.after = Network(after, [readout], answer).eval()

    def run(self, images: torch.Tensor, timesteps: int, mode: str) -> torch.Tensor:
        """Answers after T steps; mode "m" folds all steps into one call, "s" takes one by one."""
        functional.reset_net(self.within)
        functional.set_step_mode(self.within, mode)
        current = self.before(images)
        if mode == "m":
            mean = self.within(current.expand(timesteps, *current.shape)).mean(0)
        else:
            total = self.within(current)
            for _ in range(timesteps - 1):
                total = total + self.within(current)
            mean = total / timesteps
        return self.after(mean)

    def counts(self, images: torch.Tensor, timesteps: int) -> dict[str, np.ndarray]:
        """Spikes of every neuron in T steps, by population."""
        found: dict[str, np.ndarray] = {}
        hooks = [
            module.register_forward_hook(
                lambda _, __, spikes, name=name: found.__setitem__(name, spikes.sum(0).numpy())
            )
            for name, module in zip(self.within.names, self.within.layers, strict=True)
            if isinstance(module, neuron.BaseNode)
        ]
        self.run(images, timesteps, "m")
        for hook in hooks:
            hook.remove()
        return found


def make_layer(
    node: Node, tensors: Tensors, *, own_max_pool: bool = False, traceable: bool = False
) -> nn.Module:
    """The layer of a node.

    ``traceable`` makes torch's layers, for SpikingJelly's converter to replace by its own, and
    avoids what it cannot follow.
    """
    attributes, op = node["attributes"], node["op"]
    constants = [tensors[i] for i in node["inputs"] if i in tensors]
    if op == "Pad" and traceable:
        return _padding_convolution(constants[0])
    kit = nn if traceable else layer
    if op in {"SpikeMaxPool", "MaxPool"}:
        kernel, stride = attributes["kernel_shape"], attributes["strides"]
        if any(attributes.get("pads", [])):
            raise ValueError(f"{node['name']}: padded pools are not made here")
        plain = op == "MaxPool" or own_max_pool
        return kit.MaxPool2d(kernel, stride) if plain else CountMaxPool(kernel, stride)
    return MAKERS[op](kit, constants, attributes)


def _convolution(kit: ModuleType, constants: Constants, attributes: Attributes) -> nn.Module:
    weights = constants[0]
    pads = attributes.get("pads", [0, 0, 0, 0])
    if pads[:2] != pads[2:]:
        raise ValueError("asymmetric padding")
    group = attributes.get("group", 1)
    made = kit.Conv2d(
        weights.shape[1] * group,
        weights.shape[0],
        weights.shape[2:],
        stride=attributes.get("strides", [1, 1]),
        padding=pads[:2],
        groups=group,
        bias=len(constants) > 1,
    )
    made.weight.data = torch.from_numpy(weights)
    if len(constants) > 1:
        made.bias.data = torch.from_numpy(constants[1])
    return made


def _padding_convolution(pads: np.ndarray) -> nn.Module:
    """Zero channels before and behind, by a 1 × 1 convolution with a unit matrix.

    For shortcuts that double their channels, as those of ResNet-20 do: the number of channels is
    that of the zeros.
    """
    before, behind = int(pads[1]), int(pads[len(pads) // 2 + 1])
    inner = before + behind
    made = nn.Conv2d(inner, before + inner + behind, 1, bias=False)
    made.weight.data.zero_()
    for channel in range(inner):
        made.weight.data[before + channel, channel] = 1
    return made


def _matrix(kit: ModuleType, constants: Constants, attributes: Attributes) -> nn.Module:
    weights = constants[0] if attributes.get("transB", 0) else constants[0].T
    made = kit.Linear(weights.shape[1], weights.shape[0])
    made.weight.data = torch.from_numpy(np.ascontiguousarray(weights))
    made.bias.data = torch.from_numpy(constants[1])
    return made


def _neurons(_: ModuleType, constants: Constants, attributes: Attributes) -> nn.Module:
    theta, start = (float(values.reshape(-1)[0]) for values in constants[:2])
    if (
        constants[0].size != 1
        or start != np.float32(theta) / 2
        or attributes["reset"] != "subtract"
    ):
        raise ValueError("SpikingJelly's neurons take one threshold, and half of it to start with")
    return neuron.HalfThresholdIFNode(v_threshold=theta)


def _slice(_: ModuleType, constants: Constants, __: Attributes) -> nn.Module:
    starts, ends, axes, steps = (values.tolist() for values in constants)
    index = [slice(None)] * 4
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        index[axis] = slice(start, None if end > 2**31 else end, step)
    return Slice((..., *index[1:]))


def _pad(_: ModuleType, constants: Constants, __: Attributes) -> nn.Module:
    pads = constants[0].tolist()
    rank = len(pads) // 2
    return Pad([pads[axis + end] for axis in range(rank - 1, -1, -1) for end in (0, rank)])


def _average_pool(kit: ModuleType, _: Constants, attributes: Attributes) -> nn.Module:
    made: nn.Module = kit.AvgPool2d(attributes["kernel_shape"], attributes["strides"])
    return made


MAKERS: dict[str, Callable[[ModuleType, Constants, Attributes], nn.Module]] = {
    "Conv": _convolution,
    "Gemm": _matrix,
    FIRE: _neurons,
    "Slice": _slice,
    "Pad": _pad,
    "AveragePool": _average_pool,
    "Relu": lambda kit, constants, attributes: nn.ReLU(),
    "Add": lambda kit, constants, attributes: Add(),
    "Mul": lambda kit, constants, attributes: Scale(torch.from_numpy(constants[0])),
    "Flatten": lambda kit, constants, attributes: kit.Flatten(1),
}


def read(path: str | Path) -> tuple[dict[str, Any], Tensors]:
    """Description and tensors, as the bridge wrote them."""
    with np.load(path, allow_pickle=False) as archive:
        description = json.loads(str(archive["description"]))
        names = description["tensors"]
        return description, {name: archive[f"tensor{i}"] for i, name in enumerate(names)}


def ordinary_network(path: str | Path) -> Network:
    """A network without spikes, in modules that SpikingJelly's converter can trace."""
    description, tensors = read(path)
    nodes = [(node, make_layer(node, tensors, traceable=True)) for node in description["nodes"]]
    (answer,) = description["outputs"]
    return Network(nodes, description["inputs"], answer).eval()
