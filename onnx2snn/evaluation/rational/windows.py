"""The places of a kernel on an image: what convolutions and pools share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any, TypeAlias

import numpy as np

from onnx2snn.errors import UnsupportedModelError
from onnx2snn.evaluation.rational.exact import Array
from onnx2snn.evaluation.rational.operator import Call

#: Picks from the last axes of an array.
Index: TypeAlias = tuple[Any, ...]


@dataclass(frozen=True)
class Geometry:
    """A kernel's way over an image, one number for each spatial axis.

    Attributes:
        size: of the image.
        kernel: lengths.
        strides: steps.
        dilations: distances between the kernel's elements.
        begins: pads in front.
        ends: pads behind, without what ceil_mode adds.
        ceil: whether a last window may reach over the padding's end.
    """

    size: tuple[int, ...]
    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    begins: tuple[int, ...]
    ends: tuple[int, ...]
    ceil: bool

    @property
    def out(self) -> tuple[int, ...]:
        """The result's size."""
        return tuple(self._places(axis) for axis in range(len(self.size)))

    def taps(self) -> Iterator[tuple[Index, Index]]:
        """Each element of the kernel, and the places of the padded image that it sees."""
        for offsets in product(*map(range, self.kernel)):
            parts = zip(offsets, self.dilations, self.strides, self.out, strict=True)
            seen = (slice(o * d, o * d + (n - 1) * s + 1, s) for o, d, s, n in parts)
            yield (..., *offsets), (..., *seen)

    def padded(self, image: Array, value: float = 0.0) -> Array:
        """[..., spatial] with the padding, as long as the last window reaches."""
        spatial = len(self.size)
        widths = [(0, 0)] * (image.ndim - spatial)
        for axis in range(spatial):
            reach = (self.kernel[axis] - 1) * self.dilations[axis] + 1
            last = (self.out[axis] - 1) * self.strides[axis] + reach
            behind = last - self.size[axis] - self.begins[axis]
            widths.append((self.begins[axis], max(behind, 0)))
        return np.pad(image, widths, constant_values=value)

    def _places(self, axis: int) -> int:
        reach = (self.kernel[axis] - 1) * self.dilations[axis] + 1
        length = self.size[axis] + self.begins[axis] + self.ends[axis] - reach
        places = length // self.strides[axis] + 1
        if self.ceil and length % self.strides[axis]:
            # A window that would begin in the padding behind the image does not count.
            places += (places * self.strides[axis]) < self.size[axis] + self.begins[axis]
        return places


def geometry(call: Call, image: tuple[int, ...], kernel: tuple[int, ...]) -> Geometry:
    """From a node's attributes.

    Args:
        call: a convolution or a pool.
        image: the spatial shape of its input.
        kernel: the spatial shape of its kernel.

    Raises:
        UnsupportedModelError: the padding is left to the runtime.
    """
    rank = len(kernel)
    if call.attribute("auto_pad", "NOTSET") not in {"NOTSET", "VALID"}:
        raise UnsupportedModelError("pads by auto_pad, and its input's size is not known")
    pads = list(call.attribute("pads", [0] * (2 * rank)))
    return Geometry(
        image,
        kernel,
        tuple(call.attribute("strides", [1] * rank)),
        tuple(call.attribute("dilations", [1] * rank)),
        tuple(pads[:rank]),
        tuple(pads[rank:]),
        bool(call.attribute("ceil_mode", 0)),
    )
