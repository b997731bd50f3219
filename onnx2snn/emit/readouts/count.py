"""count: the spikes of neurons behind the last layer, as hardware that only counts reads them.

All outputs have one threshold, so that counts compare: n spikes stand for low + (high − low)·n/T.
"""

from onnx2snn.emit.readout import READOUTS, Readout

READOUTS.register("count")(
    Readout(
        "count", "the spikes of neurons behind the last layer", "Diehl et al. 2015", counts=True
    )
)
