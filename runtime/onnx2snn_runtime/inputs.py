"""What a model takes: the types and shapes of its inputs, and samples checked against them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper

from onnx2snn_runtime.errors import DataError, ModelFileError

Array: TypeAlias = npt.NDArray[Any]
Inputs: TypeAlias = Array | Mapping[str, Array]


@dataclass(frozen=True)
class TensorInfo:
    """A graph input or output: name, element type, and a length or symbol for every axis."""

    name: str
    dtype: np.dtype[Any]
    shape: tuple[int | str | None, ...]


def fixed_batch(infos: Sequence[TensorInfo]) -> int | None:
    """The number of samples that a model always takes at once, or None."""
    first = infos[0].shape[:1]
    return first[0] if first and isinstance(first[0], int) else None


def check_inputs(
    infos: Sequence[TensorInfo], inputs: Inputs, file: str | None = None
) -> dict[str, Array]:
    """The samples by input name, as arrays that fit; see :func:`check_input`.

    Args:
        infos: the model's inputs.
        inputs: [N, ...] for the only input, or a mapping from input names.
        file: the model's file, for messages.

    Raises:
        DataError: an input is missing, unknown or does not fit, or there are no samples.
    """
    by_name = {i.name: i for i in infos}
    if not isinstance(inputs, Mapping):
        if len(by_name) != 1:
            raise DataError(f"needs a mapping with {', '.join(by_name)}", file=file)
        inputs = {next(iter(by_name)): inputs}
    if set(inputs) != set(by_name):
        raise DataError(
            f"inputs are {', '.join(sorted(inputs)) or 'missing'}",
            file=file,
            remedy=f"give {', '.join(by_name)}",
        )
    feeds = {name: check_input(info, inputs[name], file) for name, info in by_name.items()}
    lengths = {len(v) for v in feeds.values()}
    if lengths == {0}:
        raise DataError("the input holds no samples", file=file)
    if len(lengths) != 1:
        raise DataError("inputs differ in their number of samples", file=file)
    fixed = fixed_batch(infos)
    if fixed and lengths.pop() % fixed:
        raise DataError(
            f"the number of samples is no multiple of the fixed batch of {fixed}", file=file
        )
    return feeds


def check_input(info: TensorInfo, value: Array, file: str | None = None) -> Array:
    """The value as an array that fits a model input: numbers, right shape, finite.

    Raises:
        DataError: it does not fit.
    """
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise DataError(f"input '{info.name}' is no array: {error}", file=file) from error
    if array.dtype.kind not in "buif":
        raise DataError(f"input '{info.name}' holds {array.dtype}, not numbers", file=file)
    fits = array.ndim == len(info.shape) and all(
        not isinstance(want, int) or want == have
        for want, have in zip(info.shape[1:], array.shape[1:], strict=True)
    )
    if not fits:
        want = ", ".join("?" if d is None else str(d) for d in info.shape)
        raise DataError(
            f"input '{info.name}' has shape {list(array.shape)}, the model wants [{want}]",
            file=file,
        )
    with np.errstate(over="ignore", invalid="ignore"):  # what they warn of is refused below
        cast = array.astype(info.dtype, copy=False)
    if not (np.isfinite(array).all() and np.isfinite(cast).all()):
        raise DataError(f"input '{info.name}' holds NaN or infinity", file=file)
    if info.dtype.kind in "biu" and not np.array_equal(cast, array):
        raise DataError(f"input '{info.name}' holds values that {info.dtype} cannot", file=file)
    return cast


def tensor_info(value: onnx.ValueInfoProto) -> TensorInfo:
    """What a model declares of a graph input or output.

    Raises:
        ModelFileError: it is no tensor, or of an unknown type.
    """
    tensor = value.type.tensor_type
    shape = tuple(
        d.dim_value if d.HasField("dim_value") else (d.dim_param or None) for d in tensor.shape.dim
    )
    try:
        dtype = helper.tensor_dtype_to_np_dtype(tensor.elem_type)
    except KeyError as error:
        raise ModelFileError(
            f"'{value.name}' is of no known type", remedy="export the network again"
        ) from error
    return TensorInfo(value.name, dtype, shape)
