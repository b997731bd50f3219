"""An exact spiking network that tells the integers of its populations."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from onnx2snn.errors import ModelFileError
from onnx2snn_runtime import DOMAIN, OPS, SpikingSession, TensorInfo
from onnx2snn_runtime.memory import GIB
from onnx2snn_runtime.time_axis import TIMESTEPS

Array: TypeAlias = npt.NDArray[Any]

NEURON, READOUT = "StaircaseFire", "SpikeDecode"
METADATA_PREFIX = "org.onnx2snn."
TRAIN_SUFFIX = ".of_train"
#: Steps of the first attempt, and how many times more the next one takes.
FIRST_STEPS, GROWTH = 64, 4


@dataclass(frozen=True)
class Spoken:
    """What the populations said.

    Attributes:
        trains: by population, int64 [N, ...]: the signed count, or the code, of its spike train.
        tracers: by population, int64 [N, ...]: the tracer after the window.
        settled: by population: the number of steps after which nobody in it fires.
        steps: how many were simulated.
        outputs: the network's own.
    """

    trains: dict[str, Array]
    tracers: dict[str, Array]
    settled: dict[str, int]
    steps: int
    outputs: dict[str, Array]


class ExactSession:
    """An exact spiking network, ready to run.

    Args:
        model: a file made by an exact recipe.
        backend: as of :class:`SpikingSession`, and so are the others.
        providers: execution providers.
        threads: of one operator.
        memory: bytes that a simulation may take.

    Raises:
        ModelFileError: it is no spiking file, or none of its populations is exact.
        BackendError: the backend is not available or cannot execute the model.
    """

    def __init__(
        self,
        model: onnx.ModelProto,
        *,
        backend: str = "auto",
        providers: Sequence[str] = ("CPUExecutionProvider",),
        threads: int = 0,
        memory: int = GIB,
    ) -> None:
        nodes = [n for n in model.graph.node if n.domain == DOMAIN and n.op_type == NEURON]
        if not nodes:
            raise ModelFileError(
                f"holds no exact neurons ({NEURON})",
                remedy="convert with --recipe exact, exact-asg or exact-radix",
            )
        self._outputs = [o.name for o in model.graph.output]
        self._tracers = {n.name or n.output[0]: str(n.output[2]) for n in nodes}
        self._metadata = {p.key: p.value for p in model.metadata_props}
        self._emission = _emission(nodes[0])
        self._session = SpikingSession(
            _with_readouts(model, nodes, self._emission),
            backend=backend,
            providers=providers,
            threads=threads,
            memory=memory,
        )

    @property
    def inputs(self) -> tuple[TensorInfo, ...]:
        """The network's inputs."""
        return self._session.inputs

    @property
    def populations(self) -> tuple[str, ...]:
        """Names of the exact populations, in order of execution."""
        return tuple(self._tracers)

    @property
    def emission(self) -> str:
        """How the populations speak: "unary", "averaged" or "radix"."""
        return self._emission

    @property
    def timesteps(self) -> int:
        """The file's T."""
        return self._session.timesteps

    @property
    def arithmetic(self) -> str:
        """Whose integers the file says it speaks: "rational" or "ort"."""
        config = json.loads(self._metadata.get(f"{METADATA_PREFIX}config", "{}"))
        return str(config.get("arithmetic", "rational"))

    @property
    def source_digest(self) -> str | None:
        """The digest of the network from which the file was made, if it tells."""
        return self._metadata.get(f"{METADATA_PREFIX}source_digest")

    def run(self, feeds: Mapping[str, Array], timesteps: int | None = None) -> Spoken:
        """Simulate T steps, or fewer where nothing moves any more before T.

        Args:
            feeds: [N, ...] by input name.
            timesteps: T; by default the file's.

        Raises:
            DataError: the feeds do not fit.
            TimestepsError: the file is made for another T.
        """
        last = timesteps or self.timesteps
        for steps in self._attempts(last):
            spoken = self._run(feeds, steps)
            if max(spoken.settled.values()) < steps:
                break
        return spoken

    def _attempts(self, last: int) -> Iterator[int]:
        """Numbers of steps to try.

        Unary neurons that are silent for one step are at rest for ever: their input is one impulse
        at step 0, and an accumulator changes by spikes alone. So what is said then is said at T.
        """
        steps = FIRST_STEPS
        while self.emission == "unary" and not self._session.timesteps_fixed and steps < last:
            yield steps
            steps *= GROWTH
        yield last

    def _run(self, feeds: Mapping[str, Array], steps: int) -> Spoken:
        seen = self._session.observe(feeds, steps, every_step=False)
        found = {name: values[-1] for name, values in seen.outputs.items()}
        return Spoken(
            trains={n: _whole(found[n + TRAIN_SUFFIX]) for n in self._tracers},
            tracers={n: found[tracer] for n, tracer in self._tracers.items()},
            settled={n: _last_spike(seen.rates[n]) for n in self._tracers},
            steps=steps,
            outputs={name: found[name] for name in self._outputs},
        )


def _emission(node: onnx.NodeProto) -> str:
    for attribute in node.attribute:
        if attribute.name == "emission":
            return str(attribute.s.decode())
    return str(OPS.get(NEURON).defaults()["emission"])


def _with_readouts(
    model: onnx.ModelProto, nodes: list[onnx.NodeProto], emission: str
) -> onnx.ModelProto:
    """The model with two more outputs for each population: its train, read out, and its tracer."""
    variant = onnx.ModelProto()
    variant.CopyFrom(model)
    graph, spec = variant.graph, OPS.get(READOUT)
    graph.initializer.extend(
        [
            numpy_helper.from_array(np.zeros(1, np.float32), f"acc_init{TRAIN_SUFFIX}"),
            numpy_helper.from_array(np.zeros((), np.int64), f"t_init{TRAIN_SUFFIX}"),
        ]
    )
    present = {o.name for o in graph.output}
    for node in nodes:
        name = (node.name or node.output[0]) + TRAIN_SUFFIX
        known = {"I": node.output[0], "T": TIMESTEPS}
        graph.node.append(
            helper.make_node(
                READOUT,
                [known.get(p.name, p.name + TRAIN_SUFFIX) for p in spec.inputs],
                [name, *(f"{name}.{p.name}" for p in spec.outputs[1:])],
                name=name,
                domain=DOMAIN,
                mode="radix" if emission == "radix" else "sum",
                cumulative=0,
            )
        )
        graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, None))
        if node.output[2] not in present:
            graph.output.append(
                helper.make_tensor_value_info(node.output[2], TensorProto.INT64, None)
            )
    if READOUT not in {f.name for f in variant.functions}:
        version = next(o.version for o in variant.opset_import if o.domain in {"", "ai.onnx"})
        variant.functions.append(spec.function(version))
    return variant


def _whole(train: Array) -> Array:
    integers: Array = np.rint(train).astype(np.int64)
    return integers


def _last_spike(rate: Array) -> int:
    firing = np.nonzero(rate)[0]
    return int(firing[-1]) + 1 if firing.size else 0
