"""The steps of a conversion, each on its own; :mod:`onnx2snn.api` takes them in order."""
