"""What the steps of emission share."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import onnx_graphsurgeon as gs

from onnx2snn.graphs import unique_name
from onnx2snn.plan import ConversionPlan, Diagnostic
from onnx2snn.sites import Region
from onnx2snn_runtime.time_axis import TIMESTEPS

#: How files name axis 0 of what lives in time.
ROWS = "T*N"


@dataclass
class Emission:
    """A graph on its way from canonical to spiking.

    Attributes:
        graph: being changed.
        plan: what to do.
        regions: by node name; new nodes are added.
        timesteps: the scalar T, read by every spiking op.
        amplitudes: the Mul nodes that carry the amplitudes of populations.
        docs: by node name, for people.
        diagnostics: what the user should know.
    """

    graph: gs.Graph
    plan: ConversionPlan
    regions: dict[str, Region]
    timesteps: gs.Variable = field(
        default_factory=lambda: gs.Variable(TIMESTEPS, dtype=np.int64, shape=[])
    )
    amplitudes: list[gs.Node] = field(default_factory=list)
    docs: dict[str, str] = field(default_factory=dict)
    diagnostics: list[Diagnostic] = field(default_factory=list)

    def add(
        self,
        op: str,
        name: str,
        inputs: list[gs.Tensor],
        outputs: list[gs.Tensor],
        region: Region,
        *,
        domain: str = "",
        attrs: dict[str, object] | None = None,
    ) -> gs.Node:
        """Put a node into the graph; a taken name gets a number."""
        taken = any(n.name == name for n in self.graph.nodes)
        node = gs.Node(
            op,
            unique_name(self.graph, name) if taken else name,
            attrs or {},
            inputs,
            outputs,
            domain or None,
        )
        self.graph.nodes.append(node)
        self.regions[node.name] = region
        return node

    def variable(self, base: str, like: gs.Tensor, *, in_time: bool) -> gs.Variable:
        """A new float tensor, shaped as another but for axis 0."""
        shape = None
        if like.shape is not None:
            rows = ROWS if in_time else self.batch
            shape = [rows, *like.shape[1:]]
        return gs.Variable(unique_name(self.graph, base), dtype=np.float32, shape=shape)

    @property
    def batch(self) -> object:
        """Axis 0 of the graph's first input."""
        return self.graph.inputs[0].shape[0]
