"""What the time of a simulation is spent on, by op type, as onnxruntime's profiler says.

Needs ``models/akamaster_cifar10_resnet20.onnx`` and the CIFAR-10 files. Nodes inside of others (the
steps of a Scan) count for themselves, and only the rest for the node around them. Profiling makes
short nodes look longer than they are: the shares show where to look, not what would be gained.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from common import RESNET20, Network, head, publish, table
from operator_profile import profiled_sessions

from onnx2snn import convert
from onnx2snn.calibration import open_dataset
from onnx2snn.frontend import read_source
from onnx2snn_runtime import SpikingSession
from onnx2snn_runtime.backend import BackendOptions
from onnx2snn_runtime.backends.stock import StockExecutable

RUNS = 5
LARGEST = 9
THREADS = 1


def microseconds(profile: Path) -> Counter[str]:
    """Time of all nodes by op type, without that of nodes inside of them."""
    events = [e for e in json.loads(profile.read_text()) if is_node(e)]
    events.sort(key=lambda e: (e["tid"], e["ts"], -e["dur"]))
    spent: Counter[str] = Counter()
    around: list[tuple[int, int, str]] = []  # thread, end, op
    for event in events:
        op, end = event["args"]["op_name"], event["ts"] + event["dur"]
        while around and (around[-1][0] != event["tid"] or around[-1][1] < end):
            around.pop()
        spent[op] += event["dur"]
        if around:
            spent[around[-1][2]] -= event["dur"]
        around.append((event["tid"], end, op))
    return spent


def is_node(event: dict[str, object]) -> bool:
    """Whether an event is the run of a node."""
    return event.get("cat") == "Node" and str(event["name"]).endswith("_kernel_time")


def report(title: str, profiles: Iterable[Path], runs: int) -> list[str]:
    """The op types that take the most time, for one sample."""
    spent: Counter[str] = Counter()
    for profile in profiles:
        spent.update(microseconds(profile))
    total = sum(spent.values())
    rows = [
        [op, f"{t / runs:.0f}", f"{100 * t / total:.0f}"] for op, t in spent.most_common(LARGEST)
    ]
    rows.append(["all", f"{total / runs:.0f}", "100"])
    return [f"## {title}", "", *table(["op", "µs a sample", "%"], rows)]


def profile(network: Network, neuron: str, backend: str, timesteps: int, samples: int) -> list[str]:
    """The report of one way to simulate a network."""
    result = convert(
        network.model,
        timesteps,
        neuron=neuron,
        threshold="percentile",
        avgpool="linear",
        calibration_data=network.calibration,
        preprocessing=network.preprocessing,
    )
    with tempfile.TemporaryDirectory() as folder:
        with profiled_sessions(Path(folder)) as made:
            session = SpikingSession(result.model, backend=backend, threads=THREADS)
            test = open_dataset(network.test, session.inputs, network.preprocessing)
            feeds = next(iter(test.subset(samples).batches(samples)))
            for _ in range(RUNS):
                session.run(feeds, timesteps)
        files = [Path(one.end_profiling()) for one in made]
        return report(f"{neuron}, {backend}", files, RUNS * samples)


def profile_source(network: Network, samples: int) -> list[str]:
    """The report of the network itself."""
    model = read_source(network.model)[0]
    infos = SpikingSession(convert(network.model, 1).model).inputs
    test = open_dataset(network.test, infos, network.preprocessing)
    feeds = next(iter(test.subset(samples).batches(samples)))
    with tempfile.TemporaryDirectory() as folder:
        with profiled_sessions(Path(folder)) as made:
            executable = StockExecutable(model, BackendOptions(threads=THREADS))
            for _ in range(RUNS):
                executable.run([model.graph.output[0].name], feeds)
        files = [Path(one.end_profiling()) for one in made]
        return report("the source network", files, RUNS * samples)


def main() -> None:
    """Profile ResNet-20 with plain and with averaging neurons."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--timesteps", type=int, default=8)
    parser.add_argument("--samples", type=int, default=8)
    arguments = parser.parse_args()
    T, n = arguments.timesteps, arguments.samples
    lines = head(
        "What simulations spend their time on",
        f"python benchmarks/profile_simulation.py --timesteps {T} --samples {n}",
    )
    lines += [f"{RESNET20.name}; T = {T}, {n} images, one thread.", ""]
    lines += profile_source(RESNET20, n)
    for neuron in ("if", "asg"):
        for backend in ("native", "stock"):
            lines += profile(RESNET20, neuron, backend, T, n)
    publish("profile_simulation", lines)


if __name__ == "__main__":
    main()
