"""Windows unrolled in time: one chain of onnxruntime's own fast operators for each step.

A rewrite of a loaded model, never of a file. ``currents.py`` finds what drives a population,
``populations.py`` which populations and pools can be unrolled, ``rows.py`` keeps tensors in time
whole or step by step, ``rewrite.py`` puts the parts together.
"""

from onnx2snn_runtime.unrolled.rewrite import with_unrolled_steps

__all__ = ["with_unrolled_steps"]
