"""Networks handed to SpikingJelly, which runs in an interpreter of its own.

torch is no dependency of onnx2snn. Graphs go over as .npz (a description in JSON, and arrays),
calls as lines of JSON on standard input, answers as lines on standard output.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

PEER = Path(__file__).with_name("spikingjelly_peer.py")
#: No progress bars, no log of what goes well.
QUIET = {"TQDM_DISABLE": "1", "LOGURU_LEVEL": "WARNING"}


def write_network(model: onnx.ModelProto, path: Path) -> None:
    """A model as .npz: nodes with names, inputs, outputs and attributes; tensors by number."""
    tensors = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    nodes = [
        {
            "op": node.op_type,
            "name": node.name,
            "inputs": list(node.input),
            "outputs": list(node.output),
            "attributes": {a.name: _plain(helper.get_attribute_value(a)) for a in node.attribute},
        }
        for node in model.graph.node
    ]
    description = {
        "nodes": nodes,
        "tensors": list(tensors),
        "inputs": [i.name for i in model.graph.input if i.name not in tensors],
        "outputs": [o.name for o in model.graph.output],
    }
    arrays = {f"tensor{i}": values for i, values in enumerate(tensors.values())}
    np.savez(path, description=np.array(json.dumps(description)), **arrays)


def _plain(value: Any) -> Any:
    """An attribute as JSON knows it."""
    if isinstance(value, bytes):
        return value.decode()
    return [_plain(v) for v in value] if isinstance(value, list) else value


class Peer:
    """The other process: one call, one answer."""

    def __init__(self, python: str, threads: int) -> None:
        environment = {**os.environ, **QUIET, "OMP_NUM_THREADS": str(threads), "PYTHONPATH": ""}
        self._process = subprocess.Popen(
            [python, str(PEER), str(threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        self.versions: dict[str, str] = self._answer()

    def call(self, name: str, /, **arguments: Any) -> Any:
        """The answer to a call; see ``spikingjelly_peer.py``."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"call": name, **arguments}) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"SpikingJelly's process ended with {self._process.wait()}")
        return json.loads(line)

    def __enter__(self) -> Peer:
        return self

    def __exit__(self, *raised: Any) -> None:
        self._process.__exit__(*raised)  # closes the pipes, which ends it, and waits
