"""The node of a pool that receives spikes and gives spikes."""

from __future__ import annotations

from collections.abc import Mapping

import onnx_graphsurgeon as gs

from onnx2snn.emit.state import Emission
from onnx2snn.graphs import Array, new_constant, remove
from onnx2snn.plan import ActivationSite
from onnx2snn.sites import Region
from onnx2snn.sites.average_pool import pool_geometry
from onnx2snn_runtime.opspec import DOMAIN


def insert_pool(
    emission: Emission,
    site: ActivationSite,
    pool: gs.Node,
    op: str,
    *,
    constants: Mapping[str, Array],
    final: gs.Variable,
    **attrs: str,
) -> gs.Node:
    """Replace a pool node by a spiking one; any amplitude passes it.

    Args:
        emission: the graph, changed.
        site: where.
        pool: the ordinary pool.
        op: the spiking op.
        constants: what stands between the spikes and T in the op's inputs, by name.
        final: the state after the window.
        attrs: attributes beside the geometry.
    """
    kernel, strides, pads = pool_geometry(pool)
    source, target = pool.inputs[0], pool.outputs[0]
    remove(emission.graph, pool)
    inputs = [
        new_constant(emission.graph, f"{site.name}.{name}", value)
        for name, value in constants.items()
    ]
    return emission.add(
        op,
        site.name,
        [source, *inputs, emission.timesteps],
        [target, final],
        Region.SITE,
        domain=DOMAIN,
        attrs={"kernel_shape": kernel, "strides": strides, "pads": pads, **attrs},
    )
