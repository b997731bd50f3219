"""shift: a current of θ/(2T) at every step, θ/2 over the window (Deng and Gu 2021).

It turns rounding down into rounding to nearest, for a potential that starts at zero. The
same amount in the initial potential (``half``) arrives sooner and does better in short windows.
"""

from onnx2snn.methods.base import BIASES, BiasMethod

BIASES.register("shift")(
    BiasMethod("shift", "half a threshold, spread over the window (Deng and Gu 2021)", shift=0.5)
)
