"""Compiled kernels of the spiking ops, for onnxruntime on CPUs.

``ops/`` has one C++ file per op, ``loops.inc`` the loops over values, ``compile.py`` makes the
library of them when the package is built, ``library.py`` finds it at run time.
"""
