"""The process that runs SpikingJelly for the benchmarks; see ``spikingjelly_bridge.py``."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import numpy as np
import torch
from spikingjelly.activation_based import ann2snn, functional
from spikingjelly_network import SpikingNetwork, ordinary_network, read

NETWORKS: dict[str, SpikingNetwork] = {}


def images_of(path: str) -> torch.Tensor:
    """The array "images" of an .npz."""
    with np.load(path, allow_pickle=False) as archive:
        return torch.from_numpy(archive["images"])


def load(name: str, network: str, own_max_pool: bool) -> None:
    """Make a spiking network under a name."""
    NETWORKS[name] = SpikingNetwork(*read(network), own_max_pool)


def run(name: str, images: str, samples: int, batch: int, timesteps: int, mode: str) -> float:
    """CPU seconds of simulating so many samples, ``batch`` at once."""
    given, network = images_of(images)[:samples], NETWORKS[name]
    started = time.process_time()
    for part in given.split(batch):
        network.run(part, timesteps, mode)
    return time.process_time() - started


def counts(name: str, images: str, samples: int, timesteps: int, target: str) -> None:
    """Write spikes and answers to an .npz, arrays numbered in the order of populations."""
    given, network = images_of(images)[:samples], NETWORKS[name]
    found = network.counts(given, timesteps)
    step_by_step = network.run(given, timesteps, "s").numpy()
    np.savez(
        target,
        names=np.array(json.dumps(list(found))),
        answers=network.run(given, timesteps, "m").numpy(),
        answers_step_by_step=step_by_step,
        **{f"counts{i}": values for i, values in enumerate(found.values())},
    )


def ann_answers(network: str, images: str, target: str) -> None:
    """Write what the network without spikes answers."""
    answers = [ordinary_network(network)(part) for part in images_of(images).split(64)]
    np.savez(target, answers=torch.cat(answers).numpy())


def convert(
    network: str, calibration: str, images: str, timesteps: list[int], mode: Any, options: Any
) -> dict[str, list[int]]:
    """SpikingJelly's own conversion: the class of every image after each T."""
    recipe = ann2snn.RateCodingRecipe(dataloader=[images_of(calibration)], mode=mode, **options)
    spiking = ann2snn.Converter(recipe).convert(ordinary_network(network)).eval()
    functional.set_step_mode(spiking, "s")
    classes: dict[str, list[int]] = {str(t): [] for t in timesteps}
    for part in images_of(images).split(50):
        functional.reset_net(spiking)
        total = torch.zeros(())
        for step in range(1, max(timesteps) + 1):
            total = total + spiking(part)
            if step in timesteps:
                classes[str(step)] += total.argmax(1).tolist()
    return classes


CALLS: dict[str, Callable[..., Any]] = {
    f.__name__: f for f in (load, run, counts, ann_answers, convert)
}


def main() -> None:
    """Answer calls until there are no more."""
    answers, sys.stdout = sys.stdout, sys.stderr  # progress bars and logs shall not mix with them
    torch.set_num_threads(int(sys.argv[1]))
    versions = {name: version(name) for name in ("spikingjelly", "torch")}
    with torch.inference_mode():
        print(json.dumps(versions), file=answers, flush=True)
        for line in sys.stdin:
            call = json.loads(line)
            answer = CALLS[call.pop("call")](**call)
            print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
