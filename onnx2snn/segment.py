"""A piece of the network between populations, as a neutral thing: bytes of ONNX and names.

Graph rooms cut segments, calibration runs them; neither needs to know the other's types.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from onnx2snn.plan import ActivationSite

Array = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Layer:
    """A layer whose output is summed into a segment's current, and may be corrected.

    Attributes:
        node: name of its canonical node.
        op: "Conv", "Gemm" or "MatMul".
        source: tensor that it reads, an output of the segment's model.
        weight: name of its weights in the segment's model.
        bias: name of its bias there, or None.
        strides: of a convolution, one for each spatial axis.
        pads: of a convolution, all begins, then all ends.
        dilations: of a convolution.
        group: of a convolution.
    """

    node: str
    op: str
    source: str
    weight: str
    bias: str | None
    strides: tuple[int, ...] = ()
    pads: tuple[int, ...] = ()
    dilations: tuple[int, ...] = ()
    group: int = 1


@dataclass(frozen=True)
class Segment:
    """What lies between populations, or between them and an analog value.

    Attributes:
        name: of the site, or of the tensor.
        site: the population at the end; None where the end is an analog value: it is computed
            once for a sample, from means over the window.
        inputs: tensors that it reads: targets of sites, analog values, inputs of the network.
        output: what it computes: the site's current (of pools: their target), or the value.
        target: the activation behind it, which the reference computes too; ``output`` where
            there is no site.
        error: tensor by which corrections are judged: ``output``, or the last layer's output
            where functions such as Softmax stand behind it.
        model: serialized ONNX for rows [T·N, ...]; outputs ``output`` and ``error``, and what its
            layers read.
        reference: serialized ONNX of the source's own function, quantizers included; outputs
            ``output``, ``target`` and ``error``.
        layers: what may be corrected: their outputs sum up to ``error``.
        is_result: whether the end is an output of the network.
    """

    name: str
    site: ActivationSite | None
    inputs: tuple[str, ...]
    output: str
    target: str
    error: str
    model: bytes
    reference: bytes
    layers: tuple[Layer, ...]
    is_result: bool
