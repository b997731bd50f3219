"""From a model that simulates steps to one that counts."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from onnx2snn_runtime.counts.draft import Draft, NotCountableError, names_read
from onnx2snn_runtime.counts.kernels import COUNT_DOMAIN
from onnx2snn_runtime.counts.rates import add_rates
from onnx2snn_runtime.counts.rule import RULES
from onnx2snn_runtime.counts.train import add_train
from onnx2snn_runtime.opspec import DOMAIN, functions_for
from onnx2snn_runtime.packed.graph import without_unread
from onnx2snn_runtime.time_axis import READOUT, TIMESTEPS, attributes_of, spiking_nodes

#: Attributes that say how a spike train is read.
CODES = ("emission", "mode", "code")


def rewrite(
    model: onnx.ModelProto, timesteps: int, *, rates: bool, kernels: bool = False
) -> onnx.ModelProto:
    """The model's counting form for windows of T steps.

    Args:
        model: a spiking model.
        timesteps: T.
        rates: give also the spikes per neuron of every population.
        kernels: write ops that only the compiled kernels know, where they save time.

    Returns:
        A model with the same inputs, but ``timesteps``, and the same outputs.

    Raises:
        NotCountableError: a node or a use of a state stands in the way.
    """
    _check_model(model)
    draft = Draft(model, timesteps, radix=_is_radix(model), kernels=kernels)
    for node in model.graph.node:
        _rewrite_node(draft, node)
    for output in model.graph.output:
        if output.name in draft.timed:
            raise NotCountableError(f"output '{output.name}' has a row for every step")
    rate_names = add_rates(draft, model) if rates else []
    return _assemble(draft, model, rate_names)


def _rewrite_node(draft: Draft, node: onnx.NodeProto) -> None:
    spiking = node.domain == DOMAIN
    if not spiking and draft.timed.isdisjoint(names_read(node)):
        draft.keep(node)
        return
    rule = RULES.find(node.op_type)
    if rule is not None:
        rule(draft, node)
    elif spiking and node.input[0] not in draft.timed:
        add_train(draft, node)
    else:
        raise draft.refusal(node, "what it does over a window is no function of sums")
    if node.op_type != READOUT:
        draft.timed.add(node.output[0])


def _check_model(model: onnx.ModelProto) -> None:
    spiking = spiking_nodes(model)
    if not any(spec.is_population for _, spec in spiking):
        raise NotCountableError("there is no population")
    states = {name for node, _ in spiking for name in node.output[1:]}
    used = {name for node in model.graph.node for name in names_read(node)}
    used.update(output.name for output in model.graph.output)
    for name in sorted(states & used):
        raise NotCountableError(f"the state '{name}' is asked for")


def _is_radix(model: onnx.ModelProto) -> bool:
    return any(
        attributes_of(node, spec).get(name) == "radix"
        for node, spec in spiking_nodes(model)
        for name in CODES
    )


def _assemble(draft: Draft, model: onnx.ModelProto, rate_names: list[str]) -> onnx.ModelProto:
    nodes, added, ops = draft.graph_parts()
    nodes = without_unread(nodes, {*(o.name for o in model.graph.output), *rate_names})
    used = {name for node in nodes for name in names_read(node)}
    counted = onnx.ModelProto()
    counted.CopyFrom(model)
    graph = counted.graph
    kept = [t for t in graph.initializer if t.name != TIMESTEPS]
    inputs = [i for i in graph.input if i.name != TIMESTEPS]
    steps = numpy_helper.from_array(np.array(draft.timesteps, dtype=np.int64), TIMESTEPS)
    for field in (graph.node, graph.initializer, graph.input, graph.value_info):
        del field[:]
    graph.node.extend(nodes)
    graph.initializer.extend(t for t in [*kept, *added, steps] if t.name in used)
    graph.input.extend(inputs)
    graph.output.extend(
        helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in rate_names
    )
    opset = next(o.version for o in model.opset_import if o.domain == "")
    if any(node.domain == COUNT_DOMAIN for node in nodes):
        counted.opset_import.append(helper.make_opsetid(COUNT_DOMAIN, 1))
    others = [f for f in counted.functions if f.domain != DOMAIN]
    del counted.functions[:]
    counted.functions.extend([*others, *functions_for(sorted(ops), opset)])
    return counted
