"""SpikingSession: run a spiking ONNX file, at its own or another T, and look inside."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from onnx2snn_runtime import carry, instrument, settling
from onnx2snn_runtime.backend import BACKENDS, BackendOptions, Executable
from onnx2snn_runtime.backends.native import has_kernels
from onnx2snn_runtime.counts import Counts
from onnx2snn_runtime.errors import BackendError, DataError, TimestepsError
from onnx2snn_runtime.gather import gather_observation, gather_trace, last_values
from onnx2snn_runtime.inputs import Inputs, TensorInfo, check_inputs, fixed_batch, tensor_info
from onnx2snn_runtime.memory import GIB, Slices, choose_slices, footprint
from onnx2snn_runtime.results import Observation, Totals, Trace
from onnx2snn_runtime.spiking_file import Source, file_timesteps, is_fixed, open_spiking
from onnx2snn_runtime.time_axis import TIMESTEPS, numbers_samples
from onnx2snn_runtime.variants import Variants

DEFAULT_BACKEND = "native"
#: The backend that does what the definitions say, step by step, and nothing else.
ORACLE = "reference"

Array: TypeAlias = npt.NDArray[Any]
#: Called with (samples done, samples in all).
Progress: TypeAlias = Callable[[int, int], None]


@dataclass(frozen=True)
class _Task:
    """What is to be simulated: samples by input name, T, and how much at once."""

    feeds: dict[str, Array]
    timesteps: int
    slices: Slices
    progress: Progress | None

    def batches(self) -> Iterator[tuple[int, dict[str, Array]]]:
        """For every batch: its number of samples, and its samples by input name."""
        total, size = len(next(iter(self.feeds.values()))), self.slices.samples
        for start in range(0, total, size):
            stop = min(start + size, total)
            yield stop - start, {name: value[start:stop] for name, value in self.feeds.items()}
            if self.progress:
                self.progress(stop, total)


class SpikingSession:
    """A spiking network that is ready to run.

    Args:
        model: path, serialized bytes, or ModelProto of a spiking ONNX file.
        backend: "auto" (as "native"), "native" (onnxruntime with compiled kernels, and with the
            file's function bodies where there are none), "stock" (onnxruntime's own operators) or
            "reference" (NumPy definitions of the ops: slow, the oracle).
        providers: onnxruntime execution providers, in order of preference.
        threads: threads of one operator; 0 leaves the choice to the backend.
        memory: bytes that a simulation may take on top of the loaded model. So many samples and
            steps are simulated at once; at least one step of one sample, and the whole window of
            one sample where an analog part waits for it. An estimate: onnxruntime does not tell.
        counts: compute :meth:`run` and :meth:`totals` in spike counts, one pass for the whole
            window, where all populations of the file allow it; the backend "reference" never does.

    Raises:
        ModelFileError: not a spiking ONNX file.
        BackendError: the backend is not available or cannot execute the model.
        RegistryError: there is no such backend.
    """

    def __init__(
        self,
        model: Source,
        *,
        backend: str = "auto",
        providers: Sequence[str] = ("CPUExecutionProvider",),
        threads: int = 0,
        memory: int = GIB,
        counts: bool = True,
    ) -> None:
        self._model, self._file = open_spiking(model)
        graph = self._model.graph
        # Asked for in every run, and a protobuf message is slow to search.
        self._inputs = tuple(tensor_info(i) for i in graph.input if i.name != TIMESTEPS)
        self._outputs = tuple(tensor_info(o) for o in graph.output)
        self._timesteps = file_timesteps(self._model)
        name = DEFAULT_BACKEND if backend == "auto" else backend
        load, options = BACKENDS.get(name), BackendOptions(tuple(providers), threads)
        self._threads = threads or os.cpu_count() or 1
        self._memory = memory
        self._need = footprint(self._model)
        self._obstacle = carry.obstacle(self._model)
        self._undivided = numbers_samples(self._model)
        self._states = [] if self._obstacle else carry.states(self._model)
        self._variants = Variants(self._model, load, options, self._states)
        self._counts = None
        if counts and name != ORACLE:
            kernels = name == DEFAULT_BACKEND and has_kernels(options)
            self._counts = Counts.of(self._model, load, options, kernels=kernels)
        if self._counts is None:
            self._variants.plain()

    @property
    def inputs(self) -> tuple[TensorInfo, ...]:
        """The graph's inputs, without ``timesteps``."""
        return self._inputs

    @property
    def outputs(self) -> tuple[TensorInfo, ...]:
        """The graph's outputs."""
        return self._outputs

    @property
    def populations(self) -> tuple[str, ...]:
        """Names of the neuron populations, in order of execution."""
        return tuple(map(instrument.population_name, instrument.neuron_nodes(self._model)))

    @property
    def timesteps(self) -> int:
        """The T for which the file was made."""
        return self._timesteps

    @property
    def timesteps_fixed(self) -> bool:
        """Whether constants of the file were made for its T, so that no other T makes sense."""
        return is_fixed(self._model)

    @property
    def is_anytime(self) -> bool:
        """Whether one run tells the answers at every smaller T."""
        return instrument.is_anytime(self._model)

    @property
    def is_counted(self) -> bool:
        """Whether a run computes spike counts, at about the cost of one inference for any T."""
        return self._counts is not None

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
                the session's memory and the processor's caches suffice.
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
        elif self._counts is not None:
            task = self._task(None, inputs, timesteps, batch_size, window, progress)
            counted = self._counts.plain(task.timesteps)
            parts = [counted.run(names, feeds) for _, feeds in task.batches()]
        else:
            plain = self._variants.plain()
            task = self._task(plain, inputs, timesteps, batch_size, window, progress)
            parts = [last_values(w) for _, w in self._windows(plain, names, task)]
        return {n: np.concatenate(p) for n, p in zip(names, zip(*parts, strict=True), strict=True)}

    def totals(
        self,
        inputs: Inputs,
        timesteps: int | None = None,
        *,
        batch_size: int | None = None,
        progress: Progress | None = None,
    ) -> Totals:
        """The outputs after T steps, and how active each population was over the window.

        Arguments and errors as :meth:`run`.
        """
        if self._counts is None:
            seen = self.observe(
                inputs, timesteps, every_step=False, batch_size=batch_size, progress=progress
            )
            outputs = {name: values[-1] for name, values in seen.outputs.items()}
            return Totals(outputs, {name: float(rate.mean()) for name, rate in seen.rates.items()})
        task = self._task(None, inputs, timesteps, batch_size, None, progress)
        names, pops = [o.name for o in self.outputs], self.populations
        asked = [*names, *(p + instrument.RATE_SUFFIX for p in pops)]
        counted = self._counts.with_rates(task.timesteps)
        parts = [counted.run(asked, feeds) for _, feeds in task.batches()]
        found = [np.concatenate(values) for values in zip(*parts, strict=True)]
        rates = [float(v.mean(dtype=np.float64)) / task.timesteps for v in found[len(names) :]]
        return Totals(dict(zip(names, found, strict=False)), dict(zip(pops, rates, strict=True)))

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
        executable = self._variants.observed() if every_step else self._variants.with_rates()
        task = self._task(executable, inputs, timesteps, batch_size, window, progress)
        outs, pops = [o.name for o in self.outputs], self.populations
        names = outs + [p + instrument.RATE_SUFFIX for p in pops]
        batches = self._windows(executable, names, task)
        return gather_observation(batches, outs, pops, task.timesteps, every_step=every_step)

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
        chosen = tuple(by_name if populations is None else dict.fromkeys(populations))
        for name in chosen:
            if name not in by_name:
                raise DataError(
                    f"there is no population '{name}'",
                    file=self._file,
                    remedy=f"known: {', '.join(by_name)}",
                )
        tensors = [t for name in chosen for t in by_name[name].output[:2]]
        executable = self._variants.traced(tensors)
        task = self._task(executable, inputs, timesteps, batch_size, window, None)
        batches = self._windows(executable, tensors, task)
        return gather_trace(batches, chosen, self._file)

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
        executable = self._variants.settling()
        task = self._task(executable, inputs, timesteps, batch_size, window, progress)
        return [
            settling.answer_at_rest(windows, len(names), self._states)
            for _, windows in self._windows(executable, [*names, *watched], task)
        ]

    def _task(
        self,
        executable: Executable | None,
        inputs: Inputs,
        timesteps: int | None,
        batch_size: int | None,
        window: int | None,
        progress: Progress | None,
    ) -> _Task:
        """What is to be simulated with an executable; None: in one pass, in spike counts."""
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
        feeds = check_inputs(self.inputs, inputs, self._file)
        samples = len(next(iter(feeds.values())))
        slices = choose_slices(
            self._need,
            self._memory,
            samples,
            1 if executable is None else T,
            batch=fixed_batch(self.inputs) or batch_size or (samples if self._undivided else None),
            window=window,
            can_cut=self._obstacle is None,
            threads=self._threads,
            most_steps=None if executable is None else executable.most_steps,
        )
        return _Task(feeds, T, slices, progress)

    def _windows(
        self, executable: Executable, names: Sequence[str], task: _Task
    ) -> Iterator[tuple[int, Iterator[carry.Window]]]:
        """For every batch: its number of samples, and its windows one after the other."""
        for samples, feeds in task.batches():
            lengths = carry.window_lengths(task.timesteps, task.slices.steps)
            yield samples, carry.run_windows(executable, names, feeds, self._states, lengths)

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
