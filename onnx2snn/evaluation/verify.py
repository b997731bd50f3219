"""Is an exact spiking network equal to its quantized source, integer by integer?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import onnx

from onnx2snn.calibration import Dataset
from onnx2snn.canonical import CanonicalGraph
from onnx2snn.errors import BackendError, ConfigError, ModelFileError, naming
from onnx2snn.evaluation.accuracy import predicted
from onnx2snn.evaluation.exact_session import ExactSession, Spoken
from onnx2snn.evaluation.kernels import kernels_saturate
from onnx2snn.evaluation.oracles import ORACLES, Oracle
from onnx2snn.evaluation.rational import RationalNetwork, Rounded
from onnx2snn.evaluation.rational.rounding import distance_to_tie
from onnx2snn.frontend import canonicalise
from onnx2snn.plan import Progress

Array: TypeAlias = npt.NDArray[Any]

#: Samples compared at once.
BATCH = 32
#: Outputs are float32 behind the last integers; a quantizer there may flip at a near-tie. More
#: than this share of the largest output is no rounding.
OUTPUT_TOLERANCE = 0.02
REMEDY = "give the very network from which the spiking one was made"


@dataclass(frozen=True)
class PopulationCheck:
    """One population and its quantizer.

    Attributes:
        name: of both.
        neurons: of one sample.
        compared: integers in all.
        mismatches: integers that differ from the quantizer's.
        largest: the largest difference.
        miscounted: neurons whose spike train amounts to something else than their tracer.
        settled: the number of steps after which none of its neurons fires.
        kernel: the onnxruntime operator that gave the integers; empty in rational arithmetic.
    """

    name: str
    neurons: int
    compared: int
    mismatches: int
    largest: int
    miscounted: int
    settled: int
    kernel: str = ""


@dataclass(frozen=True)
class Difference:
    """The first integer that differs.

    Attributes:
        population: its name.
        index: sample first, counted over the whole data set.
        spiking: the population's integer, without zero point.
        source: the quantizer's.
        steps: the exact value that was quantized, in steps of the scale; None where it is a
            float32 value.
        distance: from there to the nearest boundary between two integers, in steps.
    """

    population: str
    index: tuple[int, ...]
    spiking: int
    source: int
    steps: float | None
    distance: float | None


@dataclass(frozen=True)
class Verification:
    """What was compared and found.

    Attributes:
        against: "rational" or "ort": whose integers.
        samples: number of samples.
        timesteps: T.
        simulated: most steps that were simulated; less than T where everything was at rest.
        emission: how the populations speak.
        populations: in topological order.
        first: the first difference, or None.
        settled: the number of steps after which no neuron of any population fires.
        output_difference: the largest, as a share of the largest output.
        same_class: share of samples with the same largest output; None where there are no classes.
        without_population: quantizers of the source that are no population: those of the input,
            behind the readout, or next to an analog part.
        saturating: whether this CPU's kernels cut sums of products to int16, so that "ort" is
            not what other CPUs give; False in rational arithmetic.
    """

    against: str
    samples: int
    timesteps: int
    simulated: int
    emission: str
    populations: tuple[PopulationCheck, ...]
    first: Difference | None
    settled: int
    output_difference: float
    same_class: float | None
    without_population: tuple[str, ...]
    saturating: bool

    @property
    def mismatches(self) -> int:
        """Integers that differ, in all."""
        return sum(p.mismatches for p in self.populations)

    @property
    def miscounted(self) -> int:
        """Spike trains that amount to something else than their neuron's tracer, in all."""
        return sum(p.miscounted for p in self.populations)

    @property
    def equal(self) -> bool:
        """Whether every integer is the same, and the outputs are but for rounding."""
        wrong = self.mismatches + self.miscounted
        return wrong == 0 and self.output_difference <= OUTPUT_TOLERANCE


@dataclass
class _Tally:
    neurons: int = 0
    compared: int = 0
    mismatches: int = 0
    largest: int = 0
    miscounted: int = 0
    settled: int = 0


@dataclass
class _Report:
    tallies: dict[str, _Tally]
    samples: int = 0
    simulated: int = 0
    first: Difference | None = None
    output_difference: float = 0.0
    same_class: list[Array] = field(default_factory=list)


def verify(
    session: ExactSession,
    source: onnx.ModelProto,
    dataset: Dataset,
    *,
    source_name: str | None = None,
    against: str | None = None,
    timesteps: int | None = None,
    progress: Progress | None = None,
) -> Verification:
    """Compare every population with its quantizer, on every sample.

    Args:
        session: the spiking network.
        source: the network from which it was made.
        dataset: samples.
        source_name: the source's file, for messages.
        against: "rational" or "ort"; by default what the spiking file was made for.
        timesteps: T; by default the file's.
        progress: called with (what is done, samples done, samples in all).

    Raises:
        ConfigError: an unknown arithmetic.
        ModelFileError: the spiking network was made from another source.
        DataError: the samples do not fit.
        TimestepsError: the file is made for another T.
    """
    against = against or session.arithmetic
    if against not in ORACLES:
        raise ConfigError(f"arithmetic must be one of {', '.join(ORACLES)}, not {against}")
    canonical = canonicalise(source, source_name, keep_integers=True)
    exact = RationalNetwork(canonical.to_model())
    _check_source(session, canonical, exact)
    with naming(source_name, ModelFileError, BackendError):
        oracle = ORACLES[against](source, exact, session.populations)
        report = _Report({name: _Tally() for name in session.populations})
        for feeds in dataset.batches(BATCH):
            spoken = session.run(feeds, timesteps)
            _compare(spoken, oracle, exact, feeds, report)
            if progress:
                progress("verify", report.samples, len(dataset))
    return Verification(
        against=against,
        samples=report.samples,
        timesteps=timesteps or session.timesteps,
        simulated=report.simulated,
        emission=session.emission,
        populations=tuple(
            PopulationCheck(name, **vars(tally), kernel=oracle.kernels.get(name, ""))
            for name, tally in report.tallies.items()
        ),
        first=report.first,
        settled=max(t.settled for t in report.tallies.values()),
        output_difference=report.output_difference,
        same_class=float(np.concatenate(report.same_class).mean()) if report.same_class else None,
        without_population=tuple(q for q in exact.quantizers if q not in report.tallies),
        saturating=against == "ort" and kernels_saturate(),
    )


def _check_source(session: ExactSession, canonical: CanonicalGraph, exact: RationalNetwork) -> None:
    if session.source_digest not in {None, canonical.source.digest}:
        raise ModelFileError(
            "is not the network from which the spiking one was made",
            file=canonical.source.file,
            remedy=REMEDY,
        )
    for name in session.populations:
        if name not in exact.quantizers:
            raise ModelFileError(
                f"holds no quantizer '{name}', of which the spiking network has a population",
                file=canonical.source.file,
                remedy=REMEDY,
            )


def _compare(
    spoken: Spoken,
    oracle: Oracle,
    exact: RationalNetwork,
    feeds: Mapping[str, Array],
    report: _Report,
) -> None:
    """Compare one batch."""
    first: list[Difference] = []

    def listen(name: str, levels: Array) -> None:
        if name not in report.tallies:
            return
        tracer = spoken.tracers[name]
        _count(name, levels, spoken, report.tallies[name])
        if not first and (tracer != levels).any():
            at = tuple(int(i) for i in np.argwhere(tracer != levels)[0])
            first.append(Difference(name, at, int(tracer[at]), int(levels[at]), None, None))

    outputs = oracle.run(feeds, listen)
    _compare_outputs(spoken.outputs, outputs, report)
    if report.first is None and first:
        found = _explained(first[0], feeds, exact, oracle)
        report.first = replace(found, index=(report.samples + found.index[0], *found.index[1:]))
    report.simulated = max(report.simulated, spoken.steps)
    report.samples += len(next(iter(feeds.values())))


def _count(name: str, levels: Array, spoken: Spoken, tally: _Tally) -> None:
    tracer = spoken.tracers[name]
    if tracer.shape != levels.shape:
        raise ModelFileError(
            f"quantizer '{name}' gives {list(levels.shape)}, its population {list(tracer.shape)}",
            remedy=REMEDY,
        )
    apart = np.abs(tracer - levels)
    tally.neurons = levels[0].size
    tally.compared += levels.size
    tally.mismatches += int(np.count_nonzero(apart))
    tally.largest = max(tally.largest, int(apart.max()))
    tally.miscounted += int(np.count_nonzero(spoken.trains[name] != tracer))
    tally.settled = max(tally.settled, spoken.settled[name])


def _explained(
    found: Difference, feeds: Mapping[str, Array], exact: RationalNetwork, oracle: Oracle
) -> Difference:
    """With the exact value that was quantized, computed from the source's own integers."""
    sample = found.index[0]
    one = {key: value[sample : sample + 1] for key, value in feeds.items()}
    given: dict[str, Array] = {}
    oracle.run(one, lambda name, levels: given.update({name: exact.integers_of(name, levels)}))
    steps: list[Fraction] = []

    def observe(rounded: Rounded) -> None:
        if rounded.name == found.population and rounded.steps is not None:
            steps.append(rounded.steps.at((0, *found.index[1:])))

    exact.run(one, observe, given)
    if not steps:
        return found
    return replace(found, steps=float(steps[0]), distance=float(distance_to_tie(steps[0])))


def _compare_outputs(
    got: Mapping[str, Array], wanted: Mapping[str, Array], report: _Report
) -> None:
    for place, (name, values) in enumerate(wanted.items()):
        ours = got[name].astype(np.float64)
        size = max(float(np.abs(values).max(initial=0.0)), float(np.finfo(np.float32).tiny))
        apart = float(np.abs(ours - values).max(initial=0.0)) / size
        report.output_difference = max(report.output_difference, apart)
        if place == 0 and values.ndim > 1:
            report.same_class.append(predicted(got[name]) == predicted(values))
