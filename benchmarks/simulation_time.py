"""Time of simulations: beside the source network, and beside SpikingJelly on the same network.

VGG-16 of full width with random weights (``vgg16.py``), a tenth of whose neurons fire in a step,
and ResNet-20 (``models/akamaster_cifar10_resnet20.onnx``, ``cifar10_{test,train}_lossless.npz``).
Single thread and CPU seconds, but for the row of two threads; everything that is compared runs in
turn in every repetition, and a ratio is the median of the repetitions' ratios.

SpikingJelly simulates the very weights, thresholds, potentials and inputs, in an interpreter of its
own (``--spikingjelly-python``), at its best batch; that both fire the same spikes is checked first.
Random inputs and weights: seed 0.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from common import RESNET20, head, publish, table
from operator_profile import operator_shares
from spikingjelly_bridge import Peer, write_network
from vgg16 import vgg16

from onnx2snn import ConversionConfig, convert
from onnx2snn.calibration import open_dataset
from onnx2snn.evaluation.timing import SourceTask, SpikingTask, best_source
from onnx2snn_runtime import SpikingSession
from onnx2snn_runtime.backend import BackendOptions

THREAD = BackendOptions(threads=1)
TIMESTEPS = (8, 32)
CALIBRATION_SAMPLES = 64
#: Batches among which SpikingJelly's best is searched.
BATCHES = (1, 2, 4, 8, 16)
MODES = {"m": "multi-step", "s": "step by step"}
#: Operators that take less than this share are not shown.
NEGLIGIBLE = 0.005
HAS_WEIGHT_BITS = "weight_bits" in {f.name for f in fields(ConversionConfig)}


@dataclass(frozen=True)
class Network:
    """A source network, what it is converted with, and inputs.

    Attributes:
        name: short.
        source: its file.
        images: float32 [N, 3, 32, 32], simulated in every repetition.
        options: of ``convert``, for every spiking form of it.
        beside_spikingjelly: the target for our time over SpikingJelly's.
    """

    name: str
    source: Path
    images: np.ndarray
    options: dict[str, Any]
    beside_spikingjelly: float


@dataclass(frozen=True)
class Ratio:
    """A row of the result: how many times ``under`` the measurement ``over`` may take."""

    what: str
    over: str
    under: str
    target: float


@dataclass(frozen=True)
class Measured:
    """Seconds for one sample of one network at one T, by measurement and repetition."""

    network: Network
    timesteps: int
    seconds: dict[str, list[float]]
    ratios: list[Ratio]
    notes: list[str]


def vgg(folder: Path, samples: int) -> Network:
    """VGG-16 with random weights; with maxima as thresholds a tenth of its neurons fire."""
    source = folder / "vgg16.onnx"
    onnx.save(vgg16(seed=0), source)
    rng = np.random.default_rng(0)
    data = rng.normal(size=(CALIBRATION_SAMPLES, 3, 32, 32)).astype(np.float32)
    images = rng.normal(size=(samples, 3, 32, 32)).astype(np.float32)
    return Network("VGG-16", source, images, {"calibration_data": data, "threshold": "max"}, 0.8)


def resnet(samples: int) -> Network:
    """ResNet-20 with its trained weights, thresholds at a percentile."""
    infos = SpikingSession(convert(RESNET20.model, 8).model).inputs
    test = open_dataset(RESNET20.test, infos, RESNET20.preprocessing).subset(samples)
    (feeds,) = test.batches(samples)
    options = {
        "calibration_data": RESNET20.calibration,
        "preprocessing": RESNET20.preprocessing,
        "threshold": "percentile",
    }
    return Network("ResNet-20", RESNET20.model, feeds["input"], options, 0.35)


#: A measurement: runs once, tells the seconds that one sample took.
Run = Callable[[], float]


def cpu_seconds(run: Callable[[], object], samples: int) -> Run:
    """CPU seconds of this process; of one thread they are its wall-clock time, left undisturbed."""
    return _seconds(run, samples, time.process_time)


def wall_seconds(run: Callable[[], object], samples: int) -> Run:
    """Wall-clock seconds, for what several threads share."""
    return _seconds(run, samples, time.perf_counter)


def _seconds(run: Callable[[], object], samples: int, clock: Callable[[], float]) -> Run:
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


class Forms:
    """The spiking forms of a network: files, and what simulates them."""

    def __init__(self, network: Network, timesteps: int, folder: Path) -> None:
        self.network, self.timesteps, self.folder = network, timesteps, folder

    def convert(self, name: str, **options: Any) -> Path:
        """Convert with soft reset, half initial potentials and a threshold for each layer."""
        network = self.network
        given = {"v_init": "half", "granularity": "layer", "avgpool": "linear", **network.options}
        path = self.folder / f"{network.name}-{self.timesteps}-{name}.snn.onnx"
        convert(network.source, self.timesteps, **{**given, **options}).save(path)
        return path

    def exact(self, recipe: str) -> Path:
        """The exact spiking form of the network quantized to eight bits."""
        given = {k: v for k, v in self.network.options.items() if k != "threshold"}
        path = self.folder / f"{self.network.name}-{recipe}.snn.onnx"
        convert(self.network.source, recipe=recipe, quantize=8, **given).save(path)
        return path

    def simulation(self, file: Path, backend: str = "native", threads: int = 1) -> SpikingTask:
        """The task of simulating a file."""
        feeds = {"input": self.network.images}
        options = BackendOptions(threads=threads)
        timesteps = SpikingSession(str(file)).timesteps
        return SpikingTask(str(file), feeds, timesteps, backend, options)


def measure(network: Network, timesteps: int, folder: Path, peer: Peer | None, n: int) -> Measured:
    """All measurements of one network at one T."""
    forms = Forms(network, timesteps, folder)
    samples = len(network.images)
    plain = forms.convert("if")
    native = forms.simulation(plain)
    tasks = {
        "native": native,
        "stock": forms.simulation(plain, "stock"),
        "asg": forms.simulation(forms.convert("asg", neuron="asg")),
    }
    ratios = [
        Ratio("native / (T × ANN)", "native", "ANN", 1.10 * timesteps),
        Ratio("stock / (T × ANN)", "stock", "ANN", 1.30 * timesteps),
        Ratio("ASG / one ANN", "asg", "ANN", 1.3),
    ]
    if timesteps == min(TIMESTEPS):
        tasks["radix"] = forms.simulation(forms.exact("exact-radix"))
        ratios.append(Ratio("exact-radix / one ANN", "radix", "ANN", 1.3))
    if HAS_WEIGHT_BITS:
        tasks["int8"] = forms.simulation(forms.convert("int8", weight_bits=8))
    source = source_task(network)
    runs = {name: cpu_seconds(task.load(), samples) for name, task in tasks.items()}
    runs["ANN"] = cpu_seconds(source.load(), source.samples)
    notes = [
        f"ANN at batch {source.batch}",
        f"{100 * activity(plain, network):.1f} % fire in a step",
    ]
    if network.name == "VGG-16" and timesteps == min(TIMESTEPS):
        runs["one thread (wall)"] = wall_seconds(native.load(), samples)
        runs["two threads (wall)"] = wall_seconds(
            forms.simulation(plain, threads=2).load(), samples
        )
        ratios.append(Ratio("two threads / one", "two threads (wall)", "one thread (wall)", 0.6))
        if HAS_WEIGHT_BITS:
            ratios.append(Ratio("int8 / one ANN", "int8", "ANN", 2.0))
    if peer is not None:
        theirs, told = beside(peer, network, timesteps, plain, folder)
        runs.update(theirs)
        notes += told
        target = network.beside_spikingjelly
        ratios += [Ratio(f"native / {name}", "native", name, target) for name in theirs]
        if HAS_WEIGHT_BITS and network.name == "VGG-16" and timesteps == max(TIMESTEPS):
            ratios += [Ratio(f"int8 / {name}", "int8", name, 0.12) for name in theirs]
    return Measured(network, timesteps, in_turn(runs, n), ratios, notes)


def source_task(network: Network) -> SourceTask:
    """The source network on all images, or more, at its best batch."""
    feeds = {"input": network.images}
    best = best_source(str(network.source), feeds, THREAD, clock=time.process_time)
    return best.whole_batches(feeds)


def activity(file: Path, network: Network) -> float:
    """The share of all neurons that fire in a step."""
    trains = SpikingSession(str(file)).trace(network.images[:2]).spikes.values()
    return sum(int(t.sum()) for t in trains) / sum(t.size for t in trains)


def beside(
    peer: Peer, network: Network, timesteps: int, file: Path, folder: Path
) -> tuple[dict[str, Run], list[str]]:
    """SpikingJelly's runs of the same file, each at its best batch, and how alike the two are."""
    images, exchanged = folder / "images.npz", folder / "network.npz"
    np.savez(images, images=network.images)
    write_network(onnx.load(file), exchanged)
    name = f"{network.name} {timesteps}"
    peer.call("load", name=name, network=str(exchanged), own_max_pool=False)
    samples = len(network.images)

    def once(mode: str, batch: int) -> float:
        given = {"images": str(images), "samples": samples, "timesteps": timesteps}
        seconds = peer.call("run", name=name, batch=batch, mode=mode, **given)
        return float(seconds["cpu"]) / samples

    runs, notes = {}, [agreement(peer, name, network, timesteps, file, folder)]
    for mode, words in MODES.items():
        sizes = [size for size in BATCHES if size <= samples]
        fastest = {size: min(once(mode, size) for _ in range(2)) for size in sizes}
        best = min(sizes, key=fastest.__getitem__)
        runs[f"SpikingJelly, {words}"] = lambda mode=mode, best=best: once(mode, best)
        notes.append(f"SpikingJelly, {words}, at batch {best}")
    return runs, notes


def agreement(
    peer: Peer, name: str, network: Network, timesteps: int, file: Path, folder: Path
) -> str:
    """How many neurons fire the same number of times in both simulations, and the answers."""
    target = folder / "counts.npz"
    images = {"images": str(folder / "images.npz"), "samples": 2}
    peer.call("counts", name=name, timesteps=timesteps, target=str(target), **images)
    session = SpikingSession(str(file))
    ours = session.trace(network.images[:2]).spikes
    logits = next(iter(session.run(network.images[:2]).values()))
    with np.load(target) as archive:
        names = json.loads(str(archive["names"]))
        different = [
            int((ours[population].sum(0) != archive[f"counts{i}"]).sum())
            for i, population in enumerate(names)
        ]
        neurons = sum(archive[f"counts{i}"].size for i in range(len(names)))
        worst = max(
            float(np.abs(archive[key] - logits).max())
            for key in ("answers", "answers_step_by_step")
        )
    assert set(names) == set(ours)
    return (
        f"{sum(different)} of {neurons} spike counts differ between SpikingJelly and native, "
        f"answers by at most {worst:.1g}"
    )


def ratio_rows(measured: Measured) -> Iterable[list[str]]:
    """The rows of the first table."""
    for ratio in measured.ratios:
        pairs = zip(measured.seconds[ratio.over], measured.seconds[ratio.under], strict=True)
        scale = measured.timesteps if "(T × ANN)" in ratio.what else 1
        found = [over / under / scale for over, under in pairs]
        median, target = statistics.median(found), ratio.target / scale
        yield [
            measured.network.name,
            str(measured.timesteps),
            ratio.what,
            f"{median:.2f}",
            f"{min(found):.2f}–{max(found):.2f}",
            f"{target:.2f}",
            "yes" if median <= target else "no",
        ]


def second_rows(measured: Measured) -> Iterable[list[str]]:
    """The rows of the second table."""
    for name, seconds in measured.seconds.items():
        each = [1e3 * s for s in seconds]
        yield [
            measured.network.name,
            str(measured.timesteps),
            name,
            f"{statistics.median(each):.2f}",
            f"{min(each):.2f}–{max(each):.2f}",
        ]


def profile_rows(measured: Measured, folder: Path) -> Iterable[list[str]]:
    """What every operator type takes, in units of T source networks: the sums are the ratios."""
    network = measured.network
    forms = Forms(network, measured.timesteps, folder)
    native = forms.simulation(forms.convert("if"))
    spiking, ordinary = operator_shares(native.load), operator_shares(source_task(network).load)
    seconds = {name: statistics.median(found) for name, found in measured.seconds.items()}
    ratio = seconds["native"] / (measured.timesteps * seconds["ANN"])
    for op in sorted({*spiking, *ordinary}, key=lambda op: -spiking.get(op, 0.0)):
        ours, its = ratio * spiking.get(op, 0.0), ordinary.get(op, 0.0)
        if max(ours, its) > NEGLIGIBLE:
            yield [network.name, str(measured.timesteps), op, f"{ours:.3f}", f"{its:.3f}"]


def main() -> None:
    """Measure and publish."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--spikingjelly-python", help="an interpreter that has SpikingJelly")
    parser.add_argument("--repetitions", type=int, default=7)
    arguments = parser.parse_args()
    peer = None
    if arguments.spikingjelly_python is None:
        print("SpikingJelly is left out: no --spikingjelly-python")
    else:
        peer = Peer(arguments.spikingjelly_python, threads=1)
    if not HAS_WEIGHT_BITS:
        print("int8 weights are left out: convert has no weight_bits")
    results, profiles = [], []
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for network in (vgg(folder, 8), resnet(16)):
            for timesteps in TIMESTEPS:
                results.append(measure(network, timesteps, folder, peer, arguments.repetitions))
                print(*map(" ".join, ratio_rows(results[-1])), *results[-1].notes, sep="\n")
                profiles += profile_rows(results[-1], folder)
    versions = ""
    if peer is not None:
        with peer:
            versions = " " + ", ".join(f"{k} {v}" for k, v in peer.versions.items()) + "."
    command = f"python benchmarks/simulation_time.py --repetitions {arguments.repetitions}"
    if peer is not None:
        command += " --spikingjelly-python PYTHON"
    columns = ["network", "T", "what", "median", "range", "target", "met"]
    notes = [f"- {m.network.name}, T = {m.timesteps}: {'; '.join(m.notes)}." for m in results]
    publish(
        "simulation_time",
        [
            *head("Time of a simulation", command),
            f"One thread; {arguments.repetitions} interleaved repetitions; ratios of CPU seconds, "
            f"of wall-clock seconds for two threads. Load of the machine by others when it began: "
            f"{load:.1f}.{versions}",
            "",
            *table(columns, [row for m in results for row in ratio_rows(m)]),
            *notes,
            "",
            "## Milliseconds for one sample",
            "",
            *table(
                ["network", "T", "what", "median", "range"],
                [row for m in results for row in second_rows(m)],
            ),
            "## By operator type",
            "",
            "In units of T times the source network, so that a column's sum is the ratio above, "
            "and 1. The shares are those of onnxruntime's profiler.",
            "",
            *table(["network", "T", "operator", "native", "source"], profiles),
        ],
    )


if __name__ == "__main__":
    main()
