"""half: the membrane potential starts at half the threshold (Bu 2022).

The rate code then rounds to the nearest level instead of down; the same as a bias shift of θ/(2T)
(Deng and Gu 2021), but T does not enter.
"""

from onnx2snn.methods.base import POTENTIALS, PotentialMethod

POTENTIALS.register("half")(
    PotentialMethod("half", "half the threshold: the rate code rounds to nearest (Bu 2022)", 0.5)
)
