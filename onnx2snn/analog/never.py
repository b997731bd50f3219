"""Operators that are refused wherever they stand, even on demand.

Another framework's operators, control flow, recurrence, and what draws random numbers: an analog
part of a spiking file computes them no better than a population.
"""

from __future__ import annotations

import onnx_graphsurgeon as gs

from onnx2snn.passes.remove_identity import drops_at_random

RANDOM = frozenset(
    {
        "Bernoulli",
        "Multinomial",
        "RandomNormal",
        "RandomNormalLike",
        "RandomUniform",
        "RandomUniformLike",
    }
)
RECURRENT = frozenset({"GRU", "LSTM", "RNN"})
FOR_INFERENCE = "export the network for inference"


def never(node: gs.Node) -> tuple[str, str] | None:
    """Why a node is refused, and what the user can do; None if it may be kept somewhere."""
    if node.domain:
        return (
            f"operators of the domain {node.domain} are not supported yet",
            "write the network in float or QDQ form",
        )
    if any(isinstance(value, gs.Graph) for value in node.attrs.values()):
        # A body may read any tensor of the network, in time or not.
        return "control flow is not supported", "export the network without it"
    if node.op in RANDOM:
        return "it draws random numbers", FOR_INFERENCE
    if node.op in RECURRENT:
        return "recurrent layers are not supported", "use a network without recurrence"
    if _is_training(node):
        return "it is in training mode", FOR_INFERENCE
    return None


def _is_training(node: gs.Node) -> bool:
    if node.op == "BatchNormalization":
        return bool(node.attrs.get("training_mode", 0))
    return node.op == "Dropout" and drops_at_random(node)
