"""SpikingSession: run a spiking ONNX file, at its own or another T, and look inside."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper

from onnx2snn_runtime import carry, instrument, settling
from onnx2snn_runtime.backend import BACKENDS, BackendOptions, Executable
from onnx2snn_runtime.errors import BackendError, DataError, ModelFileError, TimestepsError
from onnx2snn_runtime.memory import GIB, Slices, choose_slices, footprint
from onnx2snn_runtime.modelfile import parse_model, read_model, refuse_external_data
from onnx2snn_runtime.opspec import DOMAIN, DOMAIN_VERSION, OPS
from onnx2snn_runtime.time_axis import TIMESTEPS, spiking_nodes

DEFAULT_BACKEND = "native"

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
        outputs: per graph output, [T, N, ...]: the answer after every step; or [1, N, ...], the
            last one, if only that was asked for.
        rates: per population, [T]: the share of its neurons that fire in a step, mean over N.
        settled: int64 [N]: the number of steps after which no population of a sample fires any
            more; T where one still fires in the last step.
    """

    outputs: dict[str, Array]
    rates: dict[str, Array]
    settled: Array


@dataclass(frozen=True)
class Trace:
    """What chosen populations did.

    Attributes:
        spikes: per population, int8 [T, N, ...]: 0 or 1, of signed neurons also −1.
        v_final: per population, [N, ...]: membrane potential (or accumulator) after the last
            step, in the op's type.
    """

    spikes: dict[str, Array]
    v_final: dict[str, Array]


@dataclass(frozen=True)
class _Task:
    """What is to be simulated: samples by input name, T, and how much at once."""

    feeds: dict[str, Array]
    timesteps: int
    slices: Slices
    progress: Progress | None


class SpikingSession:
    """A spiking network that is ready to run.

    Args:
        model: path, serialized bytes, or ModelProto of a spiking ONNX file.
        backend: "auto" (as "native"), "native" (onnxruntime with compiled kernels, and with the
            file's function bodies where there are none), "stock" (function bodies alone) or
            "reference" (NumPy definitions of the ops: slow, the oracle).
        providers: onnxruntime execution providers, in order of preference.
        threads: threads of one operator; 0 leaves the choice to the backend.
        memory: bytes that a simulation may take on top of the loaded model. So many samples and
            steps are simulated at once; at least one step of one sample, and the whole window of
            one sample where an analog part waits for it. An estimate: onnxruntime does not tell.

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
        memory: int = GIB,
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
        self._memory = memory
        self._need = footprint(self._model)
        self._obstacle = carry.obstacle(self._model)
        self._states = [] if self._obstacle else carry.states(self._model)
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
        until_settled: bool = False,
        batch_size: int | None = None,
        window: int | None = None,
        progress: Progress | None = None,
    ) -> dict[str, Array]:
        """The network's outputs after T steps.

        Args:
            inputs: [N, ...] for the only input, or a mapping from input names.
            timesteps: T; by default the file's.
            until_settled: stop a batch as soon as it is at rest: no further step, up to T, could
                change its answers.
            batch_size: samples simulated at once; by default what the file fixes, or so many that
                the session's memory suffices.
            window: steps simulated at once, likewise; the answers do not depend on it.
            progress: called with (samples done, samples in all).

        Raises:
            DataError: the inputs do not fit, or a size is not positive.
            TimestepsError: T is not positive, or the file is made for another T.
            BackendError: the backend failed, the window cannot be cut, or ``until_settled`` is
                asked of a network whose input or readout goes on.
        """
        names = [o.name for o in self.outputs]
        if until_settled:
            parts = self._run_until_settled(names, inputs, timesteps, batch_size, window, progress)
        else:
            task = self._task(inputs, timesteps, batch_size, window, progress)
            parts = [_last(windows) for _, windows in self._batches("plain", names, task)]
        return {n: np.concatenate(p) for n, p in zip(names, zip(*parts, strict=True), strict=True)}

    def observe(
        self,
        inputs: Inputs,
        timesteps: int | None = None,
        *,
        every_step: bool = True,
        batch_size: int | None = None,
        window: int | None = None,
        progress: Progress | None = None,
    ) -> Observation:
        """The answers after every step of one run, and how active each population was.

        ``every_step=False`` gives the last answer only, which every network has. Other arguments
        and errors as :meth:`run`; also BackendError where a part waits for the whole window, so
        that there is no answer after every step.
        """
        task = self._task(inputs, timesteps, batch_size, window, progress)
        outs, pops, T = [o.name for o in self.outputs], self.populations, task.timesteps
        names = outs + [p + instrument.RATE_SUFFIX for p in pops]
        answers: list[list[Array]] = [[] for _ in outs]
        fired, settled = np.zeros((len(pops), T)), []
        for samples, windows in self._batches("observe" if every_step else "rates", names, task):
            columns = list(zip(*(values for values, _ in windows), strict=True))
            for kept, parts in zip(answers, columns, strict=False):
                shown = parts if every_step else parts[-1:]
                kept.append(np.concatenate([v.reshape(-1, samples, *v.shape[1:]) for v in shown]))
            rows = [np.concatenate(parts) for parts in columns[len(outs) :]]
            activity = np.array(rows).reshape(len(pops), T, samples)
            fired += activity.sum(axis=2, dtype=np.float64)
            settled.append(settling.last_active_step(activity))
        steps = np.concatenate(settled)
        return Observation(
            {n: np.concatenate(parts, axis=1) for n, parts in zip(outs, answers, strict=True)},
            {p: row / len(steps) for p, row in zip(pops, fired, strict=True)},
            steps,
        )

    def trace(
        self,
        inputs: Inputs,
        timesteps: int | None = None,
        *,
        populations: Sequence[str] | None = None,
        batch_size: int | None = None,
        window: int | None = None,
    ) -> Trace:
        """The spike trains and final potentials of the named populations (default: all).

        Arguments and errors as :meth:`run`; also DataError for an unknown population, and
        ModelFileError for spikes that are NaN or infinite. The trains of all samples are held in
        memory.
        """
        by_name = dict(zip(self.populations, instrument.neuron_nodes(self._model), strict=True))
        task = self._task(inputs, timesteps, batch_size, window, None)
        chosen = tuple(by_name if populations is None else dict.fromkeys(populations))
        for name in chosen:
            if name not in by_name:
                raise DataError(
                    f"there is no population '{name}'",
                    file=self._file,
                    remedy=f"known: {', '.join(by_name)}",
                )
        tensors = [t for name in chosen for t in by_name[name].output[:2]]
        spikes: dict[str, list[Array]] = {name: [] for name in chosen}
        finals: dict[str, list[Array]] = {name: [] for name in chosen}
        for samples, windows in self._batches("trace", tensors, task):
            trains: dict[str, list[Array]] = {name: [] for name in chosen}
            for values, _ in windows:
                for i, name in enumerate(chosen):
                    rows = self._sound(values[2 * i], name)
                    train = rows.reshape(-1, samples, *rows.shape[1:]).astype(np.int8)
                    trains[name].append(train)
            for i, name in enumerate(chosen):
                spikes[name].append(np.concatenate(trains[name]))
                finals[name].append(values[2 * i + 1])
        return Trace(
            {n: np.concatenate(parts, axis=1) for n, parts in spikes.items()},
            {n: np.concatenate(parts) for n, parts in finals.items()},
        )

    def _sound(self, spikes: Array, name: str) -> Array:
        """Spikes, if they are numbers.

        Raises:
            ModelFileError: they are not; a weight or a potential was NaN, or grew beyond float32.
        """
        if not np.isfinite(spikes).all():
            raise ModelFileError(
                "spikes are NaN or infinite",
                file=self._file,
                node=f"'{name}'",
                remedy="convert again",
            )
        return spikes

    def _run_until_settled(
        self,
        names: Sequence[str],
        inputs: Inputs,
        timesteps: int | None,
        batch_size: int | None,
        window: int | None,
        progress: Progress | None,
    ) -> list[list[Array]]:
        settling.check_can_settle(self._model)
        watched = [
            instrument.population_name(node) + instrument.RATE_SUFFIX
            for node in instrument.speaking_nodes(self._model)
        ]
        window = settling.WINDOW if window is None else window
        task = self._task(inputs, timesteps, batch_size, window, progress)
        return [
            settling.answer_at_rest(windows, len(names), self._states)
            for _, windows in self._batches("settle", [*names, *watched], task)
        ]

    def _task(
        self,
        inputs: Inputs,
        timesteps: int | None,
        batch_size: int | None,
        window: int | None,
        progress: Progress | None,
    ) -> _Task:
        T = self._checked_timesteps(timesteps)
        for size, what in ((batch_size, "batch size"), (window, "window")):
            if size is not None and size < 1:
                raise DataError(f"the {what} must be at least 1, not {size}", file=self._file)
        if window is not None and window < T and self._obstacle:
            raise BackendError(
                f"the simulation cannot be cut in time: {self._obstacle}",
                file=self._file,
                remedy="leave the window out",
            )
        feeds = self._checked_inputs(inputs)
        slices = choose_slices(
            self._need,
            self._memory,
            len(next(iter(feeds.values()))),
            T,
            batch=self._fixed_batch() or batch_size,
            window=window,
            can_cut=self._obstacle is None,
        )
        return _Task(feeds, T, slices, progress)

    def _batches(
        self, variant: str, names: Sequence[str], task: _Task
    ) -> Iterator[tuple[int, Iterator[carry.Window]]]:
        """For every batch: its number of samples, and its windows one after the other."""
        executable = self._executable(variant, names)
        total, size = len(next(iter(task.feeds.values()))), task.slices.samples
        for start in range(0, total, size):
            feeds = {name: value[start : start + size] for name, value in task.feeds.items()}
            stop = min(start + size, total)
            lengths = carry.window_lengths(task.timesteps, task.slices.steps)
            yield stop - start, carry.run_windows(executable, names, feeds, self._states, lengths)
            if task.progress:
                task.progress(stop, total)

    def _executable(self, variant: str, names: Sequence[str] = ()) -> Executable:
        key = (variant, *names) if variant == "trace" else (variant,)
        if key not in self._executables:
            model = self._model
            if variant == "observe":
                model = instrument.with_rates(instrument.with_cumulative_readout(model))
            elif variant == "rates":
                model = instrument.with_rates(model)
            elif variant == "settle":
                model = instrument.with_rates(model, instrument.speaking_nodes(model))
            elif variant == "trace":
                model = instrument.with_outputs(model, names)
            free = carry.with_carried_states if self._states else carry.with_free_time
            model = free(model)
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
        for node, spec in spiking_nodes(self._model):
            if (len(node.input), len(node.output)) != (len(spec.inputs), len(spec.outputs)):
                raise ModelFileError(
                    f"{node.op_type} has {len(node.input)} inputs and {len(node.output)} outputs, "
                    f"not {len(spec.inputs)} and {len(spec.outputs)}",
                    file=self._file,
                    node=f"'{node.name}'",
                    remedy="convert again",
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


def _last(windows: Iterator[carry.Window]) -> list[Array]:
    """The outputs of the last window."""
    for values, _ in windows:
        last = values
    return last


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
