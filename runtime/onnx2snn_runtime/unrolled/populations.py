"""Populations and pools that can be unrolled, and what a step of them is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import onnx

from onnx2snn_runtime.opspec import DOMAIN
from onnx2snn_runtime.packed.chains import find_neurons
from onnx2snn_runtime.packed.graph import Array, Graph, attributes
from onnx2snn_runtime.unrolled.currents import RANK, Layer, Term, find_terms
from onnx2snn_runtime.unrolled.rows import BLOCK, Lengths, Rows

#: HardSigmoid with this slope and offset 1 is 0 below 0 and 1 from 0 on, for float32 no closer to 0
#: than its inverse.
STEEP = 2.0**127
#: The difference of a potential and a threshold of at least this is 0, or further from 0 than that.
LEAST_THRESHOLD = 2.0**-100


@dataclass(frozen=True)
class Population:
    """Plain neurons with soft reset, one threshold for each channel.

    Attributes:
        node: the spiking node.
        terms: of its current.
        theta: [C].
        lengths: of its spikes.
    """

    node: onnx.NodeProto
    terms: list[Term]
    theta: Array
    lengths: Lengths

    def unroll(self, rows: Rows) -> None:
        """Append all steps.

        v ← v + I; s = 1 where v − theta ≥ 0, else 0; v ← v − theta·s. The difference of two floats
        has the sign that it would have without rounding.
        """
        (name, final), theta, lengths = self.node.output, self.theta, self.lengths
        ones = np.ones_like(theta)
        v = rows.expanded(self.node.input[2], f"{name}.v", lengths)
        v = rows.per_channel(v, ones, f"{name}.v.before", lengths)
        # Currents of all steps first: where several orders of execution are possible, onnxruntime
        # then takes layer after layer, and not step after step, so that potentials stay in caches.
        currents, spikes = zip(*(term.append(rows) for term in self.terms), strict=True), []
        for t, terms in enumerate(currents):
            for i, term in enumerate(terms):
                v = rows.add("Add", [term, v], f"{name}.{t}.charged.{i}", lengths)
            above = rows.per_channel(v, ones, f"{name}.{t}.above", lengths, offsets=-theta)
            given = {"alpha": STEEP, "beta": 1.0}
            spikes.append(rows.add("HardSigmoid", [above], f"{name}.{t}", lengths, **given))
            v = rows.per_channel(spikes[-1], -theta, f"{name}.{t}.v", lengths, v)
        rows.made(name, spikes)
        rows.name_as(v, final)


@dataclass(frozen=True)
class Pool:
    """The max pool of spike counts.

    Attributes:
        node: the spiking node.
        lengths: of what comes in.
        pooled: of what goes out.
    """

    node: onnx.NodeProto
    lengths: Lengths
    pooled: Lengths

    def unroll(self, rows: Rows) -> None:
        """Append all steps: the largest count, less the largest before."""
        (name, final), ones = self.node.output, np.ones(self.lengths[0])
        given = {k: v for k, v in attributes(self.node).items() if k != "code"}
        count = rows.expanded(self.node.input[1], f"{name}.count", self.lengths)
        count = rows.per_channel(count, ones, f"{name}.count.before", self.lengths)
        before = rows.add("MaxPool", [count], f"{name}.before", self.pooled, **given)
        pooled = []
        for t, spikes in enumerate(rows.parts(self.node.input[0])):
            count = rows.per_channel(spikes, ones, f"{name}.{t}.count", self.lengths, count)
            largest = rows.add("MaxPool", [count], f"{name}.{t}.largest", self.pooled, **given)
            pooled.append(rows.per_channel(before, -ones, f"{name}.{t}", self.pooled, largest))
            before = largest
        rows.made(name, pooled)
        rows.name_as(count, final)


def find_population(
    graph: Graph, node: onnx.NodeProto, shapes: Mapping[str, Lengths], in_time: set[str]
) -> Population | None:
    """A node as neurons that can be unrolled, and gain by it: layers drive them, or the input."""
    if node.domain != DOMAIN or node.op_type != "IntegrateFire" or node.input[0] not in shapes:
        return None
    current, lengths = node.input[0], shapes[node.input[0]]
    neurons = find_neurons(graph, node, RANK, lengths[0])
    if lengths[0] % BLOCK or neurons is None or neurons.kind != "subtract":
        return None
    theta = neurons.constants["theta"]
    if not np.all((theta >= LEAST_THRESHOLD) & np.isfinite(theta)):
        return None
    terms = find_terms(graph, current, shapes, in_time)
    maker = graph.maker.get(current)
    encoded = maker is not None and maker.domain == DOMAIN and maker.op_type == "DirectEncode"
    if not encoded and not any(isinstance(term, Layer) for term in terms):
        return None
    return Population(node, terms, theta, lengths)


def find_pool(
    graph: Graph, node: onnx.NodeProto, shapes: Mapping[str, Lengths], unrolled: set[str]
) -> Pool | None:
    """A node as a pool that can be unrolled, if its spikes are unrolled too."""
    if node.domain != DOMAIN or node.op_type != "SpikeMaxPool" or node.input[0] not in unrolled:
        return None
    lengths, pooled = shapes.get(node.input[0]), shapes.get(node.output[0])
    counts = attributes(node).get("code", b"count") == b"count"
    if lengths is None or pooled is None or lengths[0] % BLOCK or not counts:
        return None
    return Pool(node, lengths, pooled)
