"""SpikingSession: run a spiking ONNX file, at its own or another T, and look inside."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper

from onnx2snn_runtime import instrument
from onnx2snn_runtime.backend import BACKENDS, BackendOptions, Executable
from onnx2snn_runtime.errors import DataError, ModelFileError, TimestepsError
from onnx2snn_runtime.modelfile import parse_model, read_model, refuse_external_data
from onnx2snn_runtime.opspec import DOMAIN, DOMAIN_VERSION, OPS

TIMESTEPS = "timesteps"
DEFAULT_BACKEND = "stock"
#: Bytes of the largest tensor in one run, by default.
TENSOR_BUDGET = 64 * 2**20
#: Samples in one run where the file declares no shapes.
UNKNOWN_BATCH = 16

Array: TypeAlias = npt.NDArray[Any]
Inputs: TypeAlias = Array | Mapping[str, Array]
#: Called with (samples done, samples in all).
Progress: TypeAlias = Callable[[int, int], None]


@dataclass(frozen=True)
class TensorInfo:
    """A graph input or output: name, element type, and a length or symbol for every axis."""

    name: str
    dtype: np.dtype[Any]
    shape: tuple[int | str | None, ...]


@dataclass(frozen=True)
class Observation:
    """What a run shows over time.

    Attributes:
        outputs: per graph output, [T, N, ...]: the answer after every step.
        rates: per population, [T]: the share of its neurons that fire in a step, mean over N.
    """

    outputs: dict[str, Array]
    rates: dict[str, Array]


@dataclass(frozen=True)
class Trace:
    """What chosen populations did.

    Attributes:
        spikes: per population, uint8 [T, N, ...].
        v_final: per population, float32 [N, ...]: membrane potential after the last step.
    """

    spikes: dict[str, Array]
    v_final: dict[str, Array]


class SpikingSession:
    """A spiking network that is ready to run.

    Args:
        model: path, serialized bytes, or ModelProto of a spiking ONNX file.
        backend: "auto", "stock" (onnxruntime with the file's function bodies) or "reference"
            (NumPy definitions of the ops: slow, the oracle).
        providers: onnxruntime execution providers, in order of preference.
        threads: threads of one operator; 0 leaves the choice to the backend.

    Raises:
        ModelFileError: not a spiking ONNX file.
        BackendError: the backend is not available or cannot execute the model.
        RegistryError: there is no such backend.
    """

    def __init__(
        self,
        model: str | os.PathLike[str] | bytes | onnx.ModelProto,
        *,
        backend: str = "auto",
        providers: Sequence[str] = ("CPUExecutionProvider",),
        threads: int = 0,
    ) -> None:
        self._file = os.fspath(model) if isinstance(model, (str, os.PathLike)) else None
        if isinstance(model, onnx.ModelProto):
            self._model = model
        elif isinstance(model, bytes):
            self._model = parse_model(model)
        else:
            self._model = read_model(model)
        if self._file is None:
            refuse_external_data(self._model)
        self._check_op_set()
        self._backend = BACKENDS.get(DEFAULT_BACKEND if backend == "auto" else backend)
        self._options = BackendOptions(tuple(providers), threads)
        self._executables: dict[tuple[str, ...], Executable] = {}
        self._executable("plain")

    @property
    def inputs(self) -> tuple[TensorInfo, ...]:
        """The graph's inputs, without ``timesteps``."""
        return tuple(tensor_info(i) for i in self._model.graph.input if i.name != TIMESTEPS)

    @property
    def outputs(self) -> tuple[TensorInfo, ...]:
        """The graph's outputs."""
        return tuple(tensor_info(o) for o in self._model.graph.output)

    @property
    def populations(self) -> tuple[str, ...]:
        """Names of the neuron populations, in order of execution."""
        return tuple(map(instrument.population_name, instrument.neuron_nodes(self._model)))

    @property
    def timesteps(self) -> int:
        """The T for which the file was made."""
        return int(numpy_helper.to_array(self._timesteps_tensor()))

    @property
    def timesteps_fixed(self) -> bool:
        """Whether constants of the file were made for its T, so that no other T makes sense."""
        return TIMESTEPS not in {i.name for i in self._model.graph.input}

    @property
    def is_anytime(self) -> bool:
        """Whether one run tells the answers at every smaller T."""
        return instrument.is_anytime(self._model)

    def run(
        self,
        inputs: Inputs,
        timesteps: int | None = None,
        *,
        batch_size: int | None = None,
        progress: Progress | None = None,
    ) -> dict[str, Array]:
        """The network's outputs after T steps.

        Args:
            inputs: [N, ...] for the only input, or a mapping from input names.
            timesteps: T; by default the file's.
            batch_size: samples simulated at once; by default what the file fixes, or so many that
                no tensor takes much more than 64 MiB.
            progress: called with (samples done, samples in all).

        Raises:
            DataError: the inputs do not fit.
            TimestepsError: T is not positive, or the file is made for another T.
            BackendError: the backend failed.
        """
        names = [o.name for o in self.outputs]
        parts = list(self._batches("plain", names, inputs, timesteps, batch_size, progress))
        return {n: np.concatenate(p) for n, p in zip(names, zip(*parts, strict=True), strict=True)}

    def observe(
        self,
        inputs: Inputs,
        timesteps: int | None = None,
        *,
        batch_size: int | None = None,
        progress: Progress | None = None,
    ) -> Observation:
        """The answers after every step of one run, and how active each population was.

        Arguments and errors as :meth:`run`; also BackendError where an analog part waits for
        the whole window.
        """
        T = self._checked_timesteps(timesteps)
        outs = [o.name for o in self.outputs]
        pops = self.populations
        names = outs + [p + instrument.RATE_SUFFIX for p in pops]
        answers: list[list[Array]] = [[] for _ in outs]
        fired = np.zeros((len(pops), T))
        samples = 0
        for values in self._batches("observe", names, inputs, T, batch_size, progress):
            for kept, value in zip(answers, values, strict=False):
                kept.append(value.reshape(T, -1, *value.shape[1:]))
            for p, rate in enumerate(values[len(outs) :]):
                fired[p] += rate.reshape(T, -1).sum(axis=1, dtype=np.float64)
            samples += answers[0][-1].shape[1]
        return Observation(
            {n: np.concatenate(parts, axis=1) for n, parts in zip(outs, answers, strict=True)},
            {p: row / samples for p, row in zip(pops, fired, strict=True)},
        )

    def trace(
        self,
        inputs: Inputs,
        timesteps: int | None = None,
        *,
        populations: Sequence[str] | None = None,
        batch_size: int | None = None,
    ) -> Trace:
        """The spike trains and final potentials of the named populations (default: all).

        Arguments and errors as :meth:`run`; also DataError for an unknown population.
        """
        T = self._checked_timesteps(timesteps)
        by_name = dict(zip(self.populations, instrument.neuron_nodes(self._model), strict=True))
        chosen = tuple(by_name if populations is None else dict.fromkeys(populations))
        for name in chosen:
            if name not in by_name:
                raise DataError(
                    f"there is no population '{name}'",
                    file=self._file,
                    remedy=f"known: {', '.join(by_name)}",
                )
        tensors = [t for name in chosen for t in (by_name[name].output[0], by_name[name].output[1])]
        spikes: dict[str, list[Array]] = {name: [] for name in chosen}
        finals: dict[str, list[Array]] = {name: [] for name in chosen}
        for values in self._batches("trace", tensors, inputs, T, batch_size, None):
            for i, name in enumerate(chosen):
                train = values[2 * i]
                spikes[name].append(train.reshape(T, -1, *train.shape[1:]).astype(np.uint8))
                finals[name].append(values[2 * i + 1])
        return Trace(
            {n: np.concatenate(parts, axis=1) for n, parts in spikes.items()},
            {n: np.concatenate(parts) for n, parts in finals.items()},
        )

    def _batches(
        self,
        variant: str,
        names: Sequence[str],
        inputs: Inputs,
        timesteps: int | None,
        batch_size: int | None,
        progress: Progress | None,
    ) -> Iterator[list[Array]]:
        T = self._checked_timesteps(timesteps)
        if batch_size is not None and batch_size < 1:
            raise DataError(f"the batch size must be at least 1, not {batch_size}", file=self._file)
        feeds = self._checked_inputs(inputs)
        samples = len(next(iter(feeds.values())))
        size = self._fixed_batch() or batch_size or self._batch_in_budget(T)
        executable = self._executable(variant, names)
        for start in range(0, samples, size):
            feed = {name: value[start : start + size] for name, value in feeds.items()}
            if not self.timesteps_fixed:
                feed[TIMESTEPS] = np.array(T, dtype=np.int64)
            yield executable.run(names, feed)
            if progress:
                progress(min(start + size, samples), samples)

    def _executable(self, variant: str, names: Sequence[str] = ()) -> Executable:
        key = (variant, *names) if variant == "trace" else (variant,)
        if key not in self._executables:
            model = self._model
            if variant == "observe":
                model = instrument.with_rates(instrument.with_cumulative_readout(model))
            elif variant == "trace":
                model = instrument.with_outputs(model, names)
            self._executables[key] = self._backend(model, self._options)
        return self._executables[key]

    def _check_op_set(self) -> None:
        versions = {o.domain: o.version for o in self._model.opset_import}
        if DOMAIN not in versions:
            raise ModelFileError(
                "is not a spiking ONNX file",
                file=self._file,
                remedy="make one with 'onnx2snn convert'",
            )
        unknown = {
            n.op_type
            for n in self._model.graph.node
            if n.domain == DOMAIN and OPS.find(n.op_type) is None
        }
        if unknown or versions[DOMAIN] > DOMAIN_VERSION:
            what = f"op {', '.join(sorted(unknown))}" if unknown else f"version {versions[DOMAIN]}"
            raise ModelFileError(
                f"uses {what} of the spiking op set, which this runtime does not know",
                file=self._file,
                remedy="install a newer onnx2snn",
            )
        self._timesteps_tensor()

    def _timesteps_tensor(self) -> onnx.TensorProto:
        tensor: onnx.TensorProto
        for tensor in self._model.graph.initializer:
            if tensor.name == TIMESTEPS:
                try:
                    value = numpy_helper.to_array(tensor)
                except ValueError:  # less data than its shape says
                    value = np.zeros(())
                if value.dtype != np.int64 or value.shape or value < 1:
                    raise ModelFileError(
                        f"initializer '{TIMESTEPS}' is no positive int64 scalar", file=self._file
                    )
                return tensor
        raise ModelFileError(f"has no initializer '{TIMESTEPS}'", file=self._file)

    def _checked_timesteps(self, timesteps: int | None) -> int:
        if timesteps is None:
            return self.timesteps
        if not isinstance(timesteps, (int, np.integer)) or timesteps < 1:
            raise TimestepsError(
                f"T must be a whole number of at least 1, not {timesteps}", file=self._file
            )
        if self.timesteps_fixed and timesteps != self.timesteps:
            raise TimestepsError(
                f"was made for T = {self.timesteps} and cannot run at T = {timesteps}",
                file=self._file,
                remedy=f"convert the source again with -T {timesteps}, or with a threshold method "
                "that does not depend on T",
            )
        return int(timesteps)

    def _fixed_batch(self) -> int | None:
        first = self.inputs[0].shape[:1]
        return first[0] if first and isinstance(first[0], int) else None

    def _batch_in_budget(self, timesteps: int) -> int:
        """How many samples fit, going by the largest tensor whose shape the file declares."""
        largest = max(
            (_sample_bytes(tensor_info(v)) for v in self._model.graph.value_info), default=0
        )
        return max(1, TENSOR_BUDGET // max(1, largest * timesteps)) if largest else UNKNOWN_BATCH

    def _checked_inputs(self, inputs: Inputs) -> dict[str, Array]:
        infos = {i.name: i for i in self.inputs}
        if not isinstance(inputs, Mapping):
            if len(infos) != 1:
                raise DataError(f"needs a mapping with {', '.join(infos)}", file=self._file)
            inputs = {next(iter(infos)): inputs}
        if set(inputs) != set(infos):
            raise DataError(
                f"inputs are {', '.join(sorted(inputs)) or 'missing'}",
                file=self._file,
                remedy=f"give {', '.join(infos)}",
            )
        feeds = {name: check_input(infos[name], inputs[name], self._file) for name in infos}
        lengths = {len(v) for v in feeds.values()}
        if lengths == {0}:
            raise DataError("the input holds no samples", file=self._file)
        if len(lengths) != 1:
            raise DataError("inputs differ in their number of samples", file=self._file)
        fixed = self._fixed_batch()
        if fixed and lengths.pop() % fixed:
            raise DataError(
                f"the number of samples is no multiple of the fixed batch of {fixed}",
                file=self._file,
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


def _sample_bytes(info: TensorInfo) -> int:
    """Bytes of one row, as far as its lengths are known."""
    lengths = [d for d in info.shape[1:] if isinstance(d, int)]
    return prod(lengths) * info.dtype.itemsize


def tensor_info(value: onnx.ValueInfoProto) -> TensorInfo:
    """What a model declares of a graph input or output."""
    tensor = value.type.tensor_type
    shape = tuple(
        d.dim_value if d.HasField("dim_value") else (d.dim_param or None) for d in tensor.shape.dim
    )
    return TensorInfo(value.name, helper.tensor_dtype_to_np_dtype(tensor.elem_type), shape)
