"""Samples for a model: from an archive or from memory, preprocessed, in batches."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from math import isfinite
from typing import TypeAlias

import numpy as np

from onnx2snn.calibration.archive import Array, MemoryRows, Rows, open_archive
from onnx2snn.errors import ConfigError, DataError, naming
from onnx2snn_runtime.inputs import TensorInfo, check_input

LABEL_KEYS = ("labels", "label", "y", "targets")
IMAGE_KEYS = ("images", "x", "data", "input", "inputs")
LAYOUTS = ("auto", "NHWC", "NCHW")
CHUNK_ROWS = 256

DataSource: TypeAlias = str | os.PathLike[str] | Array | Mapping[str, Array]


@dataclass(frozen=True)
class Preprocessing:
    """How raw samples become what the model wants: (x·scale − mean) / std, channels first.

    Attributes:
        layout: "NHWC" is transposed to NCHW, "NCHW" is taken as it is; "auto" transposes if only
            that fits the model.
        scale: factor, 1/255 for images of bytes.
        mean: one value, or one for each channel, in the scaled unit.
        std: likewise.
    """

    layout: str = "auto"
    scale: float = 1.0
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        """Check the numbers.

        Raises:
            ConfigError: an unknown layout, a scale of zero, a std that is not positive, infinity.
        """
        if self.layout not in LAYOUTS:
            raise ConfigError(f"layout must be one of {', '.join(LAYOUTS)}, not {self.layout}")
        if not all(map(isfinite, (self.scale, *self.mean, *self.std))):
            raise ConfigError("scale, mean and std must be finite")
        if self.scale == 0:
            raise ConfigError("scale must not be zero")
        if min(self.std, default=1.0) <= 0:
            raise ConfigError("std must be positive")

    def apply(self, values: Array, info: TensorInfo) -> Array:
        """A batch for one model input.

        Raises:
            DataError: it holds no numbers, or mean or std do not fit the channels.
        """
        if values.dtype.kind not in "buif":
            raise DataError(
                f"input '{info.name}' holds {values.dtype}, not numbers",
                remedy="save it as an array of numbers",
            )
        if self.layout == "NHWC" or (self.layout == "auto" and _fits_transposed(values, info)):
            values = np.moveaxis(values, -1, 1)
        if info.dtype.kind != "f":
            if self.scale != 1.0 or self.mean or self.std:
                raise DataError(
                    f"input '{info.name}' takes {info.dtype}: no scale, mean or std applies",
                    remedy="leave them out",
                )
            return values
        with np.errstate(all="ignore"):  # what is not finite then is refused as input
            values = values.astype(np.float32)
            if self.scale != 1.0:
                values = values * np.float32(self.scale)
            if self.mean:
                values = values - self._per_channel(self.mean, values, "mean")
            if self.std:
                values = values / self._per_channel(self.std, values, "std")
        return values

    def _per_channel(self, numbers: tuple[float, ...], values: Array, name: str) -> Array:
        channels = values.shape[1] if values.ndim > 1 else 1
        if len(numbers) not in {1, channels}:
            raise DataError(
                f"{len(numbers)} values for {name}, but {channels} channels",
                remedy="give one value, or one for each channel",
            )
        return np.asarray(numbers, np.float32).reshape(-1, *([1] * (values.ndim - 2)))


@dataclass(frozen=True)
class Dataset:
    """Samples for every model input, and labels if there are any.

    Attributes:
        inputs: rows for each model input.
        infos: what the model wants, by input name.
        labels: class indices [N], or None.
        preprocessing: applied to every batch.
        name: for messages and provenance.
        indices: which rows are used, in ascending order; None for all.
        synthetic: whether the samples are made up.
    """

    inputs: Mapping[str, Rows]
    infos: Mapping[str, TensorInfo]
    labels: Rows | None = None
    preprocessing: Preprocessing = field(default_factory=Preprocessing)
    name: str = "data"
    indices: Array | None = None
    synthetic: bool = False

    def __len__(self) -> int:
        """Number of samples."""
        if self.indices is not None:
            return len(self.indices)
        return next(iter(self.inputs.values())).shape[0]

    def subset(self, samples: int | None, seed: int = 0) -> Dataset:
        """At most ``samples`` of the samples, drawn at random and kept in their order."""
        total = len(self)
        if samples is None or samples >= total:
            return self
        # Its memory grows with the samples, not with the whole.
        chosen = np.random.default_rng(seed).choice(total, samples, replace=False)
        picked = np.sort(chosen if self.indices is None else self.indices[chosen])
        return replace(self, indices=picked)

    def apart(self, samples: int, seed: int = 0) -> tuple[Dataset, Dataset]:
        """Two data sets without a common sample: the rest, and ``samples`` drawn at random.

        Of too few to be set apart, both are the whole.
        """
        if not 0 < samples < len(self):
            return self, self
        order = np.random.default_rng(seed).permutation(len(self))
        picked = np.arange(len(self)) if self.indices is None else self.indices
        chosen = (np.sort(picked[part]) for part in (order[samples:], order[:samples]))
        rest, drawn = (replace(self, indices=indices) for indices in chosen)
        return rest, drawn

    def label_batches(self, size: int) -> Iterator[Array]:
        """The labels, batch by batch, as int64; nothing without labels.

        Raises:
            DataError: they are no class indices.
        """
        if self.labels is None:
            return
        for part in self._rows(self.labels, size):
            whole = part.dtype.kind in "bui" or (
                part.dtype.kind == "f" and np.array_equal(part, np.rint(part))
            )
            if part.size != len(part) or not whole:
                raise DataError(
                    f"labels are {part.dtype} of shape {list(self.labels.shape)}, no class indices",
                    file=self.name,
                    remedy="save one whole number for each sample",
                )
            yield part.astype(np.int64).reshape(-1)

    def batches(self, size: int) -> Iterator[dict[str, Array]]:
        """Model inputs, batch by batch; the last batch may be shorter.

        Raises:
            DataError: a batch does not fit the model.
        """
        streams = {name: self._rows(rows, size) for name, rows in self.inputs.items()}
        for values in zip(*streams.values(), strict=True):
            with naming(self.name, DataError, remedy="check the data and their preprocessing"):
                feeds = {
                    name: check_input(
                        self.infos[name], self.preprocessing.apply(value, self.infos[name])
                    )
                    for name, value in zip(streams, values, strict=True)
                }
            yield feeds

    def _rows(self, rows: Rows, size: int) -> Iterator[Array]:
        """The chosen rows in batches."""
        if self.indices is None:
            yield from rows.chunks(size)
            return
        start, kept = 0, []
        for chunk in rows.chunks(CHUNK_ROWS):
            inside = self.indices[(self.indices >= start) & (self.indices < start + len(chunk))]
            kept.append(chunk[inside - start])
            start += len(chunk)
            while sum(map(len, kept)) >= size:
                joined = np.concatenate(kept)
                yield joined[:size]
                kept = [joined[size:]]
        rest = np.concatenate(kept) if kept else np.empty((0,))
        if len(rest):
            yield rest


def open_dataset(
    source: DataSource,
    infos: tuple[TensorInfo, ...],
    preprocessing: Preprocessing | None = None,
) -> Dataset:
    """A data set for a model's inputs.

    Args:
        source: path of an .npz archive, an array for the only input, or arrays by name. Arrays
            are found by the inputs' names; for a single input also as "images", "x", "data", or
            the only array of the right rank. Labels are "labels", "label", "y" or "targets".
        infos: the model's inputs.
        preprocessing: applied to every batch.

    Raises:
        DataError: nothing fits, no samples, differing numbers of samples, objects, damage.
    """
    name = "data"
    arrays: Mapping[str, Rows]
    if isinstance(source, (str, os.PathLike)):
        name = os.fspath(source)
        arrays = open_archive(source)
    elif isinstance(source, Mapping):
        arrays = {k: MemoryRows(np.asarray(v)) for k, v in source.items()}
    else:
        if len(infos) != 1:
            raise DataError(f"needs arrays named {', '.join(i.name for i in infos)}")
        arrays = {infos[0].name: MemoryRows(np.asarray(source))}
    inputs = _match(arrays, infos, name)
    labels = next((arrays[k] for k in LABEL_KEYS if k in arrays), None)
    _check_lengths({**inputs, **({"labels": labels} if labels is not None else {})}, name)
    return Dataset(
        inputs, {i.name: i for i in infos}, labels, preprocessing or Preprocessing(), name
    )


def parse_numbers(text: str) -> tuple[float, ...]:
    """Numbers from "0.485,0.456,0.406"; fractions such as "1/255" are understood.

    Raises:
        ConfigError: something else.
    """
    numbers = []
    for part in text.replace(",", " ").split():
        top, _, bottom = part.partition("/")
        try:
            numbers.append(float(top) / (float(bottom) if bottom else 1.0))
        except (ValueError, ZeroDivisionError) as error:
            raise ConfigError(f"'{part}' is not a number") from error
    if not all(map(isfinite, numbers)):
        raise ConfigError(f"'{text}' is not finite")
    return tuple(numbers)


def _match(arrays: Mapping[str, Rows], infos: tuple[TensorInfo, ...], name: str) -> dict[str, Rows]:
    wanted = [i.name for i in infos]
    if all(w in arrays for w in wanted):
        return {w: arrays[w] for w in wanted}
    if len(infos) == 1:
        others = [k for k in arrays if k not in LABEL_KEYS]
        known = [k for k in IMAGE_KEYS if k in others]
        fitting = [k for k in others if len(arrays[k].shape) == len(infos[0].shape)]
        for candidates in (known[:1], fitting):
            if len(candidates) == 1:
                return {wanted[0]: arrays[candidates[0]]}
    raise DataError(
        f"has arrays {', '.join(arrays)}, none of which is clearly the model's input",
        file=name,
        remedy=f"name them {', '.join(wanted)}",
    )


def _check_lengths(arrays: Mapping[str, Rows], name: str) -> None:
    for key, rows in arrays.items():
        if not rows.shape or 0 in rows.shape:
            raise DataError(
                f"array '{key}' holds no samples",
                file=name,
                remedy="no axis may be empty, the first counts the samples",
            )
        if rows.dtype.hasobject:
            raise DataError(
                f"array '{key}' holds Python objects",
                file=name,
                remedy="make it an array of numbers",
            )
    lengths = {key: rows.shape[0] for key, rows in arrays.items()}
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{k}: {n}" for k, n in lengths.items())
        raise DataError(
            f"arrays differ in their number of samples ({told})",
            file=name,
            remedy="give every array one row for each sample",
        )


def _fits_transposed(values: Array, info: TensorInfo) -> bool:
    """Whether the batch fits the model with its last axis moved to place 1, and only so."""
    if values.ndim != len(info.shape) or values.ndim < 3:
        return False

    def fits(shape: tuple[int, ...]) -> bool:
        pairs = zip(info.shape[1:], shape[1:], strict=True)
        return all(not isinstance(want, int) or want == have for want, have in pairs)

    moved = (values.shape[0], values.shape[-1], *values.shape[1:-1])
    return fits(moved) and not fits(values.shape)
