"""Put max pools behind the activation that follows them.

::

    Relu(MaxPool(x))  =  MaxPool(Relu(x))          Clip likewise: both are monotone

A max pool can work on spikes, not on the currents of single steps. In front of the first activation
it stays where it is: there it is computed once, and on fewer values behind it.
"""

from __future__ import annotations

import onnx_graphsurgeon as gs

from onnx2snn.canonical import CanonicalGraph
from onnx2snn.graphs import only_consumer, producer, unique_name

MONOTONE = frozenset({"Relu", "Clip"})


def pool_after_activation(canonical: CanonicalGraph) -> None:
    """Swap wherever the pool has no other reader."""
    graph = canonical.graph
    for pool in reversed(list(graph.nodes)):  # of several in a row, the last one first
        if pool.op != "MaxPool" or len(pool.outputs) != 1:
            continue
        activation = only_consumer(graph, pool.outputs[0])
        if (
            activation is not None
            and activation.op in MONOTONE
            and activation.inputs[0] is pool.outputs[0]
            and _behind_activation(pool)
        ):
            _swap(graph, pool, activation)
    graph.toposort()


def _behind_activation(node: gs.Node) -> bool:
    stack, seen = list(node.inputs), set()
    while stack:
        maker = producer(stack.pop())
        if maker is None or id(maker) in seen:
            continue
        if maker.op in MONOTONE:
            return True
        seen.add(id(maker))
        stack.extend(maker.inputs)
    return False


def _swap(graph: gs.Graph, pool: gs.Node, activation: gs.Node) -> None:
    source, result = pool.inputs[0], activation.outputs[0]
    active = gs.Variable(unique_name(graph, f"{activation.name}_full"), result.dtype, source.shape)
    activation.inputs[0], activation.outputs = source, [active]
    pool.inputs[0], pool.outputs = active, [result]
