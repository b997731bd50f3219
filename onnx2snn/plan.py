"""The central types: what was found in a model and what will become of it.

Frozen dataclasses of plain values and NumPy arrays. A :class:`ConversionPlan` is JSON both ways,
so that a user can stop after planning, look, change a number, and go on.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from onnx2snn.errors import PlanError
from onnx2snn.json_form import from_plain, to_plain

SCHEMA = "onnx2snn.plan"
SCHEMA_VERSION = 1

Array: TypeAlias = npt.NDArray[np.float32]
#: Called with (what is done, steps done, steps in all).
Progress: TypeAlias = Callable[[str, int, int], None]


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
        input_range: smallest and largest input value, for synthetic calibration and for encodings
            with spikes.
        samples: number of calibration samples, at most.
        seed: for whatever is drawn at random.
        recipe: the named combination of stages that the other fields started from.
        arithmetic: of exact recipes, whose integers are meant: "rational" (exact scales) or "ort"
            (onnxruntime's float32 requantization).
        quantize: of exact recipes: bits to which a float network is quantized first; 0 for not.
        neuron: neuron model of activations: "if", "signed-if", "asg" or "lif".
        bias: a bias method.
        weights: a weight method.
        tuning: a tuning method: all layers together, after they were calibrated one by one.
        augment: of image inputs, for weights and tuning: "none" or "flip-crop" (mirrored copies,
            small shifts).
        encoding: how the input enters time: "direct", "rate", "isi", "poisson" or "ice".
        weight_bits: bits of the weights of the spiking network; 0 for float32.
        readout: how answers leave time: "mean", "count" or "delayed".
        readout_delay: steps that a delayed readout leaves out.
        output_range: smallest and largest output that counted spikes stand for.
        leak: of "lif" neurons: the share of the potential that is lost in every step.
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
    recipe: str = "auto"
    arithmetic: str = "rational"
    quantize: int = 0
    neuron: str = "if"
    bias: str = "none"
    weights: str = "none"
    tuning: str = "none"
    augment: str = "none"
    encoding: str = "direct"
    weight_bits: int = 0
    readout: str = "mean"
    readout_delay: int = 0
    output_range: tuple[float, float] | None = None
    leak: float = 0.0


@dataclass(frozen=True)
class ActivationSite:
    """A place in the canonical graph where a population of neurons will stand.

    Attributes:
        name: unique; the name of the first node it replaces.
        kind: "relu", "clip", "quantizer", "average_pool", "max_pool", or "readout" where spikes
            are counted as the network's answer.
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
        places: number of places averaged by an average pool, one or a map; None elsewhere.
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

    @property
    def is_pool(self) -> bool:
        """Whether it passes on the spikes of others, at their amplitude."""
        return self.kind in {"average_pool", "max_pool"}

    @property
    def counts_answers(self) -> bool:
        """Whether its spikes are the network's answer: they need one threshold to compare."""
        return self.kind == "readout"


@dataclass(frozen=True)
class NeuronPlan:
    """What a site becomes.

    Attributes:
        site: name of the site.
        neuron: neuron model.
        threshold: in units of the input current; broadcastable against one sample; None where
            there is none (max pools).
        v_init: initial membrane potential, the same units and shapes; of a max pool the initial
            counts.
        amplitude: what one spike is worth to the layers that follow; None where it keeps the
            amplitude of the spikes it receives (pools).
        reset: "subtract" or "zero".
        provenance: which method set what, from which data.
        leak: of leaky neurons: what is lost in each step (linear) or the share that is kept
            (factor); None elsewhere.
        leak_mode: "linear" or "factor".
        bias: added to the current of every step, same units and shapes; None for nothing.
    """

    site: str
    neuron: str
    threshold: Array | None
    v_init: Array
    amplitude: Array | None
    reset: str = "subtract"
    provenance: Mapping[str, str] = field(default_factory=dict)
    leak: Array | None = None
    leak_mode: str = "linear"
    bias: Array | None = None


@dataclass(frozen=True)
class LayerCorrection:
    """Weights and bias in place of those that the network came with.

    Attributes:
        layer: name of the canonical node.
        weight: of the shape that it had.
        bias: [outputs], or None where the layer keeps its own.
    """

    layer: str
    weight: Array
    bias: Array | None = None


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
        corrections: layers whose weights calibration changed.
    """

    source_digest: str
    config: ConversionConfig
    sites: tuple[ActivationSite, ...]
    neurons: tuple[NeuronPlan, ...]
    timesteps_fixed: bool = False
    diagnostics: tuple[Diagnostic, ...] = ()
    schema_version: int = SCHEMA_VERSION
    corrections: tuple[LayerCorrection, ...] = ()

    def to_json(self) -> str:
        """The plan as JSON, readable and editable."""
        return json.dumps({"schema": SCHEMA, **to_plain(self)}, indent=1, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> ConversionPlan:
        """A plan from its JSON form.

        Raises:
            PlanError: not a plan, an unknown schema version, or fields missing or of a wrong kind.
        """
        try:
            data = json.loads(text)
        except (ValueError, RecursionError) as error:
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
            return from_plain(cls, data)
        except ValueError as error:
            raise PlanError(
                f"does not have the fields of a plan ({error})",
                remedy="correct it, or save it again with --save-plan",
            ) from error
