"""The source network beside the spiking one."""

from __future__ import annotations

from collections.abc import Collection

import onnx

from onnx2snn.errors import ModelFileError


def fixed_batch(ann: onnx.ModelProto, inputs: Collection[str]) -> int | None:
    """The number of samples that the source network takes at once; None where any will do.

    Raises:
        ModelFileError: it does not take the inputs of these names.
    """
    constants = {t.name for t in ann.graph.initializer}
    own = [i for i in ann.graph.input if i.name not in constants]
    if {i.name for i in own} != set(inputs):
        raise ModelFileError(
            f"takes {', '.join(i.name for i in own)}, the spiking network takes "
            f"{', '.join(inputs)}",
            remedy="give the network from which the spiking one was made",
        )
    first = own[0].type.tensor_type.shape.dim[:1]
    return first[0].dim_value if first and first[0].dim_value > 0 else None
