"""Windows unrolled in time: one chain of onnxruntime's own fast operators for each step.

A rewrite of a loaded model, never of a file. ``currents.py`` finds what drives a population,
``populations.py`` which populations and pools can be unrolled, ``rows.py`` keeps tensors in time
whole or step by step, ``rewrite.py`` puts the parts together,
``executables.py`` loads them for the length of a window.
"""
