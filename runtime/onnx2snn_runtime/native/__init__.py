"""Compiled kernels of the spiking ops, for onnxruntime on CPUs.

``ops/`` has one C++ file per op, ``loops.inc`` the loops over values. ``packed/`` has the ops that
the runtime puts in the place of layers of integers, ``packed.inc`` their loops, ``dot.h`` the
products of bytes. ``compile.py`` makes the library of them when the package is built,
``library.py`` finds it at run time.
"""
