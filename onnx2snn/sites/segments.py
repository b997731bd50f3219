"""Cut the canonical network into segments, each of which ends at a population or an analog value.

::

    image ─▶ Conv ─┤ analog value ├─▶ [Relu] ─▶ Conv ─▶ Add ─▶ [Relu] ─▶ Pool ─▶ Gemm ─┤ output
                                        │                ▲
                                        └────────────────┘

One segment ends before each ``[site]`` (pools are part of their segment), one at each ``┤``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

import onnx
from onnx import TensorProto, helper

from onnx2snn.canonical import CanonicalGraph
from onnx2snn.plan import ActivationSite
from onnx2snn.segment import Layer, Segment
from onnx2snn.sites.activation import PASSIVE_QUANTIZER
from onnx2snn.sites.regions import Region, classify

#: Behind the last layer these do not move the class, and errors are judged before them.
TAIL = PASSIVE_QUANTIZER | {
    "ArgMax", "Flatten", "Identity", "LogSoftmax", "Reshape", "Sigmoid", "Softmax", "TopK",
}  # fmt: skip
WEIGHTED = frozenset({"Conv", "Gemm", "MatMul"})


def find_segments(
    canonical: CanonicalGraph,
    sites: Collection[ActivationSite],
    keep_analog: Collection[str],
    coded: Collection[str] = (),
) -> tuple[Segment, ...]:
    """All segments in an order in which they can be run.

    Args:
        canonical: the network.
        sites: where populations stand.
        keep_analog: nodes that stay as they are.
        coded: nodes in front of the first populations that receive spikes of an encoder.
    """
    cutter = _Cutter(canonical, sites, frozenset(keep_analog), coded)
    return tuple(cutter.segment(*stop) for stop in cutter.stops())


class _Cutter:
    """The network as a ModelProto, with what is needed to cut it."""

    def __init__(
        self,
        canonical: CanonicalGraph,
        sites: Collection[ActivationSite],
        keep_analog: frozenset[str],
        coded: Collection[str],
    ) -> None:
        regions = classify(canonical.graph, tuple(sites), keep_analog)
        regions.update({name: Region.TIME for name in coded if name in regions})
        self.model = canonical.to_model()
        graph = self.model.graph
        self.constants = {t.name: t for t in graph.initializer}
        self.inputs = {i.name: i for i in graph.input if i.name not in self.constants}
        self.results = [o.name for o in graph.output]
        self.types = {v.name: v for v in (*graph.value_info, *graph.output, *graph.input)}
        self.position = {n.name: i for i, n in enumerate(graph.node)}
        self.producer = {out: n for n in graph.node for out in n.output}
        self.readers: dict[str, list[onnx.NodeProto]] = {}
        for node in graph.node:
            for name in node.input:
                self.readers.setdefault(name, []).append(node)
        self.regions = regions
        self.sites = {s.target: s for s in sites}
        self.analog = self._analog_values()
        self.cuts = {*self.sites, *self.analog, *self.inputs}

    def _analog_values(self) -> list[str]:
        """Values that enter time, and the network's outputs."""
        values = []
        for node in self.model.graph.node:
            for name in node.output:
                enters = self.regions[node.name] is Region.ANALOG and any(
                    self.regions[r.name] is not Region.ANALOG for r in self.readers.get(name, [])
                )
                if name not in self.sites and (enters or name in self.results):
                    values.append(name)
        return values

    def stops(self) -> list[tuple[str, ActivationSite | None]]:
        """Ends of segments: tensor and site, in topological order."""
        found: list[tuple[int, str, ActivationSite | None]] = []
        for site in self.sites.values():
            found.append((self.position[site.nodes[-1]], site.target, site))
        for name in self.analog:
            found.append((self.position[self.producer[name].name], name, None))
        return [(name, site) for _, name, site in sorted(found, key=lambda f: f[0])]

    def segment(self, target: str, site: ActivationSite | None) -> Segment:
        """The segment that ends at a target or an analog value."""
        pool = site is not None and site.is_pool
        output = target if site is None or pool else site.source
        error = self._judged(output) if site is None else output
        layers = () if pool or output in self.cuts - {target} else self._layers(error, target)
        wanted = [output, error, *(layer.source for layer in layers)]
        inputs = self._reads(wanted, target)
        return Segment(
            name=target if site is None else site.name,
            site=site,
            inputs=tuple(inputs),
            output=output,
            target=target,
            error=error,
            model=self._cut(wanted, target, passive=False),
            reference=self._cut([output, error, target], target, passive=True),
            layers=layers,
            is_result=target in self.results,
        )

    def _judged(self, output: str) -> str:
        """The tensor behind the last layer, before functions that only show it differently."""
        name = output
        while name not in self.cuts - {output}:
            node = self.producer.get(name)
            if node is None or node.op_type not in TAIL:
                return name
            name = node.input[0]
        return output

    def _layers(self, error: str, target: str) -> tuple[Layer, ...]:
        """The layers whose outputs sum up to a tensor, read by nobody else."""
        stack, found = [error], []
        while stack:
            name = stack.pop()
            node = self.producer.get(name)
            if node is None or (name in self.cuts and name != target):
                continue
            if name != error and len(self.readers.get(name, [])) > 1:
                continue
            if node.op_type == "Add":
                stack.extend(node.input)
            elif node.op_type == "Identity" or self._is_passive(node):
                stack.append(node.input[0])
            else:
                layer = self._layer(node)
                if layer is not None:
                    found.append(layer)
        return tuple(sorted(found, key=lambda layer: self.position[layer.node]))

    def _layer(self, node: onnx.NodeProto) -> Layer | None:
        if node.op_type not in WEIGHTED or node.domain or node.input[1] not in self.constants:
            return None
        dims = self.constants[node.input[1]].dims
        bias = node.input[2] if len(node.input) > 2 and node.input[2] else None
        if bias is not None and bias not in self.constants:
            return None
        attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        if node.op_type != "Conv":
            plain = len(dims) == 2 and not attributes
            return (
                Layer(node.name, node.op_type, node.input[0], node.input[1], bias)
                if plain
                else None
            )
        spatial = len(dims) - 2
        if attributes.get("auto_pad", b"NOTSET") not in {b"NOTSET", "NOTSET"}:
            return None
        return Layer(
            node.name,
            "Conv",
            node.input[0],
            node.input[1],
            bias,
            strides=tuple(attributes.get("strides", [1] * spatial)),
            pads=tuple(attributes.get("pads", [0] * 2 * spatial)),
            dilations=tuple(attributes.get("dilations", [1] * spatial)),
            group=int(attributes.get("group", 1)),
        )

    def _is_passive(self, node: onnx.NodeProto) -> bool:
        """A quantizer in time that emission leaves out."""
        return node.op_type in PASSIVE_QUANTIZER and self.regions[node.name] is Region.TIME

    def _nodes(self, wanted: Iterable[str], target: str) -> tuple[list[onnx.NodeProto], list[str]]:
        """The nodes that compute tensors from the cuts, and the cuts that they read."""
        stack = list(wanted)
        nodes: dict[str, onnx.NodeProto] = {}
        reads: set[str] = set()
        while stack:
            name = stack.pop()
            if name in self.cuts and name != target:
                reads.add(name)
            elif name in self.producer:
                node = self.producer[name]
                if node.name not in nodes:
                    nodes[node.name] = node
                    stack.extend(n for n in node.input if n)
        return sorted(nodes.values(), key=lambda n: self.position[n.name]), sorted(reads)

    def _reads(self, wanted: Iterable[str], target: str) -> list[str]:
        return self._nodes([*wanted, target], target)[1]

    def _cut(self, wanted: Iterable[str], target: str, *, passive: bool) -> bytes:
        """A model of its own, with or without the quantizers that emission leaves out."""
        names = list(dict.fromkeys(wanted))
        nodes, reads = self._nodes(names, target)
        model = onnx.ModelProto()
        model.ir_version = self.model.ir_version
        model.opset_import.extend(self.model.opset_import)
        model.graph.name = "segment"
        for node in nodes:
            kept = model.graph.node.add()
            kept.CopyFrom(node)
            if not passive and self._is_passive(node):
                del kept.attribute[:], kept.input[1:]
                kept.op_type = "Identity"
        used = {name for node in model.graph.node for name in node.input}
        model.graph.initializer.extend(t for n, t in self.constants.items() if n in used)
        model.graph.input.extend(self._info(name) for name in reads)
        model.graph.output.extend(self._info(name) for name in names if name not in reads)
        return bytes(model.SerializeToString())

    def _info(self, name: str) -> onnx.ValueInfoProto:
        """Element type and shape, but for axis 0: rows are not samples."""
        info = onnx.ValueInfoProto()
        known = self.types.get(name)
        if known is None or not known.type.tensor_type.elem_type:
            return helper.make_tensor_value_info(name, TensorProto.FLOAT, None)
        info.CopyFrom(known)
        if info.type.tensor_type.shape.dim:
            info.type.tensor_type.shape.dim[0].dim_param = "rows"
        return info
