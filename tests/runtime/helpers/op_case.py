"""One call of a spiking op."""

from dataclasses import dataclass

import numpy as np
from onnx import TensorProto

from onnx2snn_runtime.opspec import OPS, OpSpec


@dataclass(frozen=True, eq=False)
class Case:
    """One call of an op: inputs in the spec's order (the last is T), all attributes given."""

    spec: OpSpec
    inputs: tuple[np.ndarray, ...]
    attributes: dict

    def __repr__(self):
        given = [*(f"{k}={v!r}" for k, v in self.feeds.items()), *map(str, self.attributes.items())]
        return f"{self.spec.name}({', '.join(given)})"

    def _repr_pretty_(self, printer, cycle):  # for hypothesis
        printer.text(repr(self))

    def __post_init__(self):
        for array in self.inputs:
            array.flags.writeable = False

    @property
    def steps(self):
        return int(self.inputs[-1])

    @property
    def feeds(self):
        return {p.name: a for p, a in zip(self.spec.inputs, self.inputs, strict=True)}

    def window(self):
        return self.spec.window(*self.inputs, **self.attributes)


NUMPY_TYPES = {"float": np.float32, "int64": np.int64}
ONNX_TYPES = {np.dtype(np.float32): TensorProto.FLOAT, np.dtype(np.int64): TensorProto.INT64}


def make_case(name, *arrays, T, **attributes):
    """A case with arrays of the op's types; where it takes several, int64 stays int64."""
    spec = OPS.get(name)

    def typed(array, kinds):
        kept = np.asarray(array).dtype == np.int64 and "int64" in kinds
        return np.array(array, dtype=np.int64 if kept else NUMPY_TYPES[kinds[0]])

    pairs = zip((*arrays, T), spec.inputs, strict=True)
    return Case(spec, tuple(typed(a, p.kind.split("|")) for a, p in pairs), attributes)
