"""Small networks and what is known of their inputs."""

import numpy as np
import pytest

from onnx2snn_runtime import TensorInfo


@pytest.fixture
def info():
    """A maker of model inputs: float32 [N, 3, 8, 8] unless told otherwise."""

    def make(shape=("N", 3, 8, 8), name="x", dtype=np.float32):
        return TensorInfo(name, np.dtype(dtype), tuple(shape))

    return make
