"""The central types: what was found in a model and what will become of it.

Frozen dataclasses of plain values and NumPy arrays. A :class:`ConversionPlan` is JSON both ways,
so that a user can stop after planning, look, change a number, and go on.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from onnx2snn.errors import PlanError

SCHEMA = "onnx2snn.plan"
SCHEMA_VERSION = 1

Array: TypeAlias = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Diagnostic:
    """Something the user should know about a node.

    Attributes:
        code: stable upper-case identifier.
        severity: "info", "warning" (accuracy may suffer; strict mode refuses) or "error".
        node: node concerned, "name (OpType)", or "" for the whole model.
        what: what was done or not done.
        why: the reason.
        remedy: what the user can do.
    """

    code: str
    severity: str
    node: str
    what: str
    why: str = ""
    remedy: str = ""

    def __str__(self) -> str:
        text = f"{self.node}: {self.what}" if self.node else self.what
        for extra in (self.why, self.remedy):
            if extra:
                text += f"; {extra}"
        return text


@dataclass(frozen=True)
class ConversionConfig:
    """What the user asked for.

    Attributes:
        timesteps: T, the length of the simulation window.
        threshold: a threshold method, or "auto".
        granularity: "channel" or "layer": one threshold for each.
        percentile: for the threshold method of that name, in percent.
        v_init: an initial-potential method.
        reset: "subtract" (soft) or "zero" (hard).
        avgpool: "spiking" (a population of its own) or "linear" (kept as synapses).
        keep_analog: nodes that stay as they are, on values averaged over the window.
        input_range: smallest and largest input value, for synthetic calibration.
        samples: number of calibration samples, at most.
        seed: for whatever is drawn at random.
    """

    timesteps: int = 8
    threshold: str = "auto"
    granularity: str = "channel"
    percentile: float = 99.9
    v_init: str = "half"
    reset: str = "subtract"
    avgpool: str = "spiking"
    keep_analog: tuple[str, ...] = ()
    input_range: tuple[float, float] | None = None
    samples: int = 256
    seed: int = 0


@dataclass(frozen=True)
class ActivationSite:
    """A place in the canonical graph where a population of neurons will stand.

    Attributes:
        name: unique; the name of the first node it replaces.
        kind: "relu", "clip", "quantizer" or "average_pool".
        source: tensor with the pre-activation.
        target: tensor with the activation.
        nodes: names of the canonical nodes it replaces.
        channels: length of the channel axis (axis 1), or None where that is unknown.
        rank: number of axes, batch included.
        lower: smallest activation.
        upper: largest activation; infinite if unbounded.
        levels: number of activation values of a quantizer, or None.
        scale: step of the quantizer, or None.
        zero_point: of the quantizer, or None.
        mean: per-channel mean of the pre-activation from batch norm, or None.
        std: per-channel standard deviation, likewise.
        places: number of places averaged by an average pool, one or a map; empty if it depends
            on the input's size, which is known at run time only.
    """

    name: str
    kind: str
    source: str
    target: str
    nodes: tuple[str, ...]
    channels: int | None
    rank: int
    lower: float = 0.0
    upper: float = float("inf")
    levels: int | None = None
    scale: float | None = None
    zero_point: int | None = None
    mean: Array | None = None
    std: Array | None = None
    places: Array | None = None


@dataclass(frozen=True)
class NeuronPlan:
    """What a site becomes.

    Attributes:
        site: name of the site.
        neuron: neuron model.
        threshold: in units of the input current; broadcastable against one sample.
        v_init: initial membrane potential, the same units and shapes.
        amplitude: what one spike is worth to the layers that follow; None where it keeps the
            amplitude of the spikes it receives (average pools).
        reset: "subtract" or "zero".
        provenance: which method set what, from which data.
    """

    site: str
    neuron: str
    threshold: Array
    v_init: Array
    amplitude: Array | None
    reset: str = "subtract"
    provenance: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ConversionPlan:
    """Everything that emission needs beside the canonical graph.

    Attributes:
        source_digest: SHA-256 of the source model.
        config: what was asked for.
        sites: what was found.
        neurons: one for each site, in the same order.
        timesteps_fixed: whether a constant depends on T.
        diagnostics: what the user should know.
        schema_version: of the JSON form.
    """

    source_digest: str
    config: ConversionConfig
    sites: tuple[ActivationSite, ...]
    neurons: tuple[NeuronPlan, ...]
    timesteps_fixed: bool = False
    diagnostics: tuple[Diagnostic, ...] = ()
    schema_version: int = SCHEMA_VERSION

    def to_json(self) -> str:
        """The plan as JSON, readable and editable."""
        return json.dumps({"schema": SCHEMA, **_plain(asdict(self))}, indent=1, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> ConversionPlan:
        """A plan from its JSON form.

        Raises:
            PlanError: not a plan, an unknown schema version, or fields missing or of a wrong kind.
        """
        try:
            data = json.loads(text)
        except json.JSONDecodeError as error:
            raise PlanError(f"is not JSON ({error})", remedy="save it with --save-plan") from error
        if not isinstance(data, dict) or data.pop("schema", None) != SCHEMA:
            raise PlanError("is not a conversion plan", remedy="save one with --save-plan")
        version = data.get("schema_version")
        if version != SCHEMA_VERSION:
            raise PlanError(
                f"has schema version {version}, this onnx2snn reads {SCHEMA_VERSION}",
                remedy="make the plan again with this version",
            )
        try:
            return cls(
                **{
                    **data,
                    "config": _build(ConversionConfig, data["config"]),
                    "sites": tuple(_build(ActivationSite, s) for s in data["sites"]),
                    "neurons": tuple(_build(NeuronPlan, n) for n in data["neurons"]),
                    "diagnostics": tuple(_build(Diagnostic, d) for d in data["diagnostics"]),
                }
            )
        except (KeyError, TypeError, ValueError) as error:
            raise PlanError(f"does not have the fields of a plan ({error})") from error


_ARRAYS = frozenset({"mean", "std", "places", "threshold", "v_init", "amplitude"})


def _plain(value: Any) -> Any:
    """Arrays become nested lists, infinity becomes a string: plain JSON."""
    if isinstance(value, Mapping):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, float) and not np.isfinite(value):
        return str(value)
    return value


def _build(kind: type[Any], data: Mapping[str, Any]) -> Any:
    """An instance of a plan dataclass from its JSON form."""
    values: dict[str, Any] = {}
    for f in fields(kind):
        if f.name not in data:
            continue
        value = data[f.name]
        if kind is not ConversionConfig and f.name in _ARRAYS and value is not None:
            value = np.asarray(value, dtype=np.float32)
        elif isinstance(value, list):
            value = tuple(value)
        elif f.name in {"lower", "upper"}:
            value = float(value)
        values[f.name] = value
    unknown = set(data) - set(values)
    if unknown:
        raise ValueError(f"unknown {', '.join(sorted(unknown))}")
    return kind(**values)
