"""zero: the membrane potential starts at rest; the rate code rounds down."""

from onnx2snn.methods.base import POTENTIALS, PotentialMethod

POTENTIALS.register("zero")(PotentialMethod("zero", "at rest: the rate code rounds down", 0.0))
