"""Backward passes as ONNX graphs: one rule per operator."""
