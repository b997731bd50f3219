"""Time of simulations: beside the source network, and beside SpikingJelly on the same network.

VGG-16 of full width with random weights (seed 0, ``vgg16.py``), a tenth of whose neurons fire in a
step, and ResNet-20 (``models/akamaster_cifar10_resnet20.onnx``,
``cifar10_{test,train}_lossless.npz``). Single thread and CPU seconds, but for the row of two
threads, which is of wall-clock time: both of its runs need a machine that is left alone. Everything
that is compared runs in turn in every repetition; a ratio is the median of the repetitions' ratios.
The source network runs at its best batch, and so does SpikingJelly, in an interpreter of its own
(``--spikingjelly-python``), on the same weights, thresholds, potentials and inputs; that both fire
the same spikes is looked at first. What is computed in spike counts (ASG, exact-radix) is one pass
as the source network is, so it gets as many samples as that. "stock" is a session without compiled
kernels; "the file in onnxruntime" is no session of ours, and shown without a target.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from common import head, publish, table
from operator_profile import operator_shares
from spikingjelly_bridge import Peer
from spikingjelly_timing import OWN_POOLS, Theirs
from timed_networks import FEW_IMAGES, Forms, Network, activity, random_vgg, trained_resnet

from onnx2snn.evaluation.timing import SourceTask, best_source
from onnx2snn_runtime.backend import BackendOptions
from onnx2snn_runtime.backends.native import has_kernels

SHORT, LONG = 8, 32
#: Operators that take less than this share are not shown.
NEGLIGIBLE = 0.005

#: A measurement: runs once, tells the seconds that one sample took.
Run = Callable[[], float]


@dataclass(frozen=True)
class Ratio:
    """A row of the result: the measurement ``over`` through ``times`` measurements ``under``."""

    what: str
    over: str
    under: str
    target: float
    times: int = 1


@dataclass(frozen=True)
class Measured:
    """Seconds for one sample of one network at one T, by measurement and repetition."""

    network: Network
    timesteps: int
    seconds: dict[str, list[float]]
    ratios: list[Ratio]
    notes: list[str]

    def found(self, ratio: Ratio) -> list[float]:
        """The ratio in every repetition."""
        pairs = zip(self.seconds[ratio.over], self.seconds[ratio.under], strict=True)
        return [over / (ratio.times * under) for over, under in pairs]


def per_sample(run: Callable[[], object], samples: int, clock: Callable[[], float]) -> Run:
    """A measurement by a clock; CPU seconds of one thread are its wall-clock time, undisturbed."""

    def once() -> float:
        started = clock()
        run()
        return (clock() - started) / samples

    return once


def in_turn(runs: dict[str, Run], repetitions: int) -> dict[str, list[float]]:
    """Every measurement once in each repetition, and once before, uncounted."""
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for repetition in range(repetitions + 1):
        for name, run in runs.items():
            found = run()
            if repetition:
                seconds[name].append(found)
    return seconds


def wanted(network: Network, timesteps: int, theirs: Iterable[str]) -> list[Ratio]:
    """The ratios that have targets."""
    ratios = [
        Ratio("native / (T × ANN)", "native", "ANN", 1.10, timesteps),
        Ratio("stock / (T × ANN)", "stock", "ANN", 1.30, timesteps),
        Ratio("ASG / one ANN", "ASG", "ANN", 1.3),
    ]
    large = network.name == "VGG-16"
    if timesteps == SHORT:
        ratios.append(Ratio("exact-radix / one ANN", "exact-radix", "ANN", 1.3))
    if timesteps == SHORT and large:
        ratios.append(Ratio("int8 weights / one ANN", "int8 weights", "ANN", 2.0))
        ratios.append(Ratio("two threads / one", "two threads (wall)", "one thread (wall)", 0.6))
    for name in theirs:
        ratios.append(Ratio(f"native / {name}", "native", name, network.beside_spikingjelly))
        if timesteps == LONG and large:
            ratios.append(Ratio(f"int8 weights / {name}", "int8 weights", name, 0.12))
    return ratios


def measure(network: Network, timesteps: int, folder: Path, peer: Peer | None, n: int) -> Measured:
    """All measurements of one network at one T."""
    forms, samples = Forms(network, timesteps, folder), len(network.images)
    plain, source = forms.plain(), source_task(network)
    tasks = {
        "native": forms.simulation(plain),
        "stock": forms.simulation(plain, "stock"),
        "the file in onnxruntime": forms.bare(plain),
        "int8 weights": forms.simulation(forms.plain("int8", weight_bits=8)),
    }
    runs = {k: per_sample(t.load(), samples, time.process_time) for k, t in tasks.items()}
    counted = {"ASG": forms.plain("asg", neuron="asg")}
    if timesteps == SHORT:
        counted["exact-radix"] = forms.exact_radix()
    for name, file in counted.items():
        task = forms.simulation(file, samples=source.samples)
        runs[name] = per_sample(task.load(), source.samples, time.process_time)
    runs["ANN"] = per_sample(source.load(), source.samples, time.process_time)
    if timesteps == SHORT:
        for threads, words in ((1, "one thread (wall)"), (2, "two threads (wall)")):
            task = forms.simulation(plain, threads=threads)
            runs[words] = per_sample(task.load(), samples, time.perf_counter)
    firing = 100 * activity(plain, network.images[:FEW_IMAGES])
    notes = [f"ANN at batch {source.batch}", f"{firing:.1f} % of the neurons fire in a step"]
    theirs: dict[str, Run] = {}
    if peer is not None:
        other = Theirs(peer, network, timesteps, plain)
        theirs, batches = other.best_runs()
        notes += [*batches, other.agreement()]
    ratios = wanted(network, timesteps, [name for name in theirs if OWN_POOLS not in name])
    return Measured(network, timesteps, in_turn({**runs, **theirs}, n), ratios, notes)


def source_task(network: Network) -> SourceTask:
    """The source network on all images, or more, at its best batch."""
    feeds, one = {"input": network.images}, BackendOptions(threads=1)
    best = best_source(str(network.source), feeds, one, clock=time.process_time)
    return best.whole_batches(feeds)


def ratio_rows(measured: Measured) -> Iterable[list[str]]:
    """The rows of the first table."""
    for ratio in measured.ratios:
        found = measured.found(ratio)
        yield [
            measured.network.name,
            str(measured.timesteps),
            ratio.what,
            f"{statistics.median(found):.2f}",
            f"{min(found):.2f}–{max(found):.2f}",
            f"{ratio.target:.2f}",
            "yes" if statistics.median(found) <= ratio.target else "no",
        ]


def time_rows(measured: Measured) -> Iterable[list[str]]:
    """The rows of the second table."""
    for name, seconds in measured.seconds.items():
        each = [1e3 * s for s in seconds]
        spread = f"{min(each):.2f}–{max(each):.2f}"
        median = f"{statistics.median(each):.2f}"
        yield [measured.network.name, str(measured.timesteps), name, median, spread]


def profile_rows(measured: Measured, folder: Path) -> Iterable[list[str]]:
    """What every operator type takes, in units of T source networks: the sums are the ratios."""
    network = measured.network
    forms = Forms(network, measured.timesteps, folder)
    spiking = operator_shares(forms.simulation(forms.plain()).load)
    ordinary = operator_shares(source_task(network).load)
    ratio = statistics.median(measured.found(measured.ratios[0]))
    for op in sorted({*spiking, *ordinary}, key=lambda op: -spiking.get(op, 0.0)):
        ours, its = ratio * spiking.get(op, 0.0), ordinary.get(op, 0.0)
        if max(ours, its) > NEGLIGIBLE:
            yield [network.name, str(measured.timesteps), op, f"{ours:.3f}", f"{its:.3f}"]


def main() -> None:
    """Measure and publish."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--spikingjelly-python", help="an interpreter that has SpikingJelly")
    parser.add_argument("--repetitions", type=int, default=5)
    arguments = parser.parse_args()
    python, n = arguments.spikingjelly_python, arguments.repetitions
    if not has_kernels(BackendOptions()):
        parser.error("there are no compiled kernels in this installation")
    load, results, profiles = os.getloadavg()[0], [], []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        peer = None if python is None else stack.enter_context(Peer(python, threads=1))
        if peer is None:
            print("SpikingJelly is left out: no --spikingjelly-python")
        for network in (random_vgg(folder), trained_resnet()):
            for timesteps, share in ((SHORT, 1), (LONG, 2)):
                fewer = replace(network, images=network.images[::share])
                results.append(measure(fewer, timesteps, folder, peer, n))
                print(*map(" ".join, ratio_rows(results[-1])), sep="\n", flush=True)
                profiles += profile_rows(results[-1], folder)
    command = f"python benchmarks/simulation_time.py --repetitions {n}"
    versions = ""
    if peer is not None:
        command += " --spikingjelly-python PYTHON"
        versions = " " + ", ".join(f"{k} {v}" for k, v in peer.versions.items()) + "."
    introduction = (
        f"One thread; {n} interleaved repetitions; ratios of CPU seconds, of wall-clock seconds "
        f"for two threads. Load of the machine by others at the start: {load:.1f}"
        f"{', before which this process goes' if has_priority() else ''}.{versions}"
    )
    title = head("Time of a simulation", command)
    publish("simulation_time", [*title, *report(introduction, results, profiles)])


def has_priority() -> bool:
    """Whether the scheduler lets this process run before ordinary ones."""
    ordinary = getattr(os, "SCHED_OTHER", None)
    return ordinary is not None and os.sched_getscheduler(0) != ordinary


def report(introduction: str, results: list[Measured], profiles: list[list[str]]) -> list[str]:
    """The tables."""
    ratios = [row for m in results for row in ratio_rows(m)]
    times = [row for m in results for row in time_rows(m)]
    return [
        introduction,
        "",
        *table(["network", "T", "what", "median", "range", "target", "met"], ratios),
        *(f"- {m.network.name}, T = {m.timesteps}: {'; '.join(m.notes)}." for m in results),
        "",
        "## Milliseconds for one sample",
        "",
        *table(["network", "T", "what", "median", "range"], times),
        "## By operator type",
        "",
        "In units of T times the source network, so that a column's sum is the ratio above, "
        "and 1. The shares are those of onnxruntime's profiler.",
        "",
        *table(["network", "T", "operator", "native", "source"], profiles),
    ]


if __name__ == "__main__":
    main()
