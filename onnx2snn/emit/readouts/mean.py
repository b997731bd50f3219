"""mean: the mean current of the last layer, over the whole window."""

from onnx2snn.emit.readout import READOUTS, Readout

READOUTS.register("mean")(Readout("mean", "the mean current of the last layer"))
