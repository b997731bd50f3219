"""delayed: the mean current of the last layer without the first steps.

Spikes of deep layers begin late; the steps before only dilute the mean. Signed neurons take such
errors back themselves, over the whole window, and lose by it.
"""

from onnx2snn.emit.readout import READOUTS, Readout

READOUTS.register("delayed")(
    Readout("delayed", "the mean current of the last layer, first steps left out", delays=True)
)
