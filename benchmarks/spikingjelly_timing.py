"""SpikingJelly's simulation of a spiking file: that it is the same network, and its time."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
from spikingjelly_bridge import Peer, write_network
from timed_networks import FEW_IMAGES, Network

from onnx2snn_runtime import SpikingSession

#: Batches among which the best is searched.
BATCHES = (1, 2, 4, 8, 16)
MODES = {"m": "multi-step", "s": "step by step"}
#: Max pools of each step's spikes: another, cheaper network, but what its users run.
OWN_POOLS = "its own max pools"
COUNTS = "pools of counts"


class Theirs:
    """A spiking file in SpikingJelly's process."""

    def __init__(self, peer: Peer, network: Network, timesteps: int, file: Path) -> None:
        self.peer, self.network, self.timesteps, self.file = peer, network, timesteps, file
        self.images = file.parent / "images.npz"
        model, exchanged = onnx.load(file), file.parent / "network.npz"
        np.savez(self.images, images=network.images)
        write_network(model, exchanged)
        for name in (COUNTS, OWN_POOLS):
            own = name == OWN_POOLS
            peer.call("load", name=name, network=str(exchanged), own_max_pool=own)
        self.has_pools = any(n.op_type == "SpikeMaxPool" for n in model.graph.node)

    def best_runs(self) -> tuple[dict[str, Callable[[], float]], list[str]]:
        """Measurements of both modes at their best batch, and which batches these are."""
        runs, notes = {}, []
        for mode, words in MODES.items():
            sizes = [size for size in BATCHES if size <= len(self.network.images)]
            trials = {size: self._run(COUNTS, mode, size) for size in sizes}
            fastest = {size: min(once() for _ in range(2)) for size, once in trials.items()}
            best = min(sizes, key=fastest.__getitem__)
            runs[f"SpikingJelly, {words}"] = trials[best]
            notes.append(f"SpikingJelly, {words}, at batch {best}")
            if mode == "m" and self.has_pools:
                runs[f"SpikingJelly, {words}, {OWN_POOLS}"] = self._run(OWN_POOLS, mode, best)
        return runs, notes

    def _run(self, name: str, mode: str, batch: int) -> Callable[[], float]:
        samples = len(self.network.images)
        given = {"images": str(self.images), "samples": samples, "timesteps": self.timesteps}

        def once() -> float:
            cpu = self.peer.call("run", name=name, batch=batch, mode=mode, **given)
            return float(cpu) / samples

        return once

    def agreement(self) -> str:
        """How many neurons fire equally often in both simulations, and how far answers differ.

        One spike more or less near a threshold changes the timing of many behind it; so the first
        population that differs is told as well.
        """
        target, few = self.file.parent / "counts.npz", self.network.images[:FEW_IMAGES]
        given = {"images": str(self.images), "samples": FEW_IMAGES, "timesteps": self.timesteps}
        self.peer.call("counts", name=COUNTS, target=str(target), **given)
        session = SpikingSession(str(self.file))
        ours = session.trace(few).spikes
        (answers,) = session.run(few).values()
        with np.load(target) as archive:
            names = json.loads(str(archive["names"]))
            theirs = {name: archive[f"counts{i}"] for i, name in enumerate(names)}
            told = [archive[key] for key in ("answers", "answers_step_by_step")]
        assert theirs.keys() == ours.keys()
        different = {n: int((ours[n].sum(0) != spikes).sum()) for n, spikes in theirs.items()}
        first = next((f", first {k} in {n}" for n, k in different.items() if k), "")
        worst = max(float(np.abs(a - answers).max()) for a in told)
        return (
            f"{sum(different.values())} of {sum(c.size for c in theirs.values())} spike counts "
            f"differ between SpikingJelly and native{first}; answers by at most {worst:.1g}"
        )
