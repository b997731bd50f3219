"""What the tests of all rooms share; the folder ``helpers`` makes it."""

from collections.abc import Callable

import numpy as np
import pytest

from onnx2snn_runtime import SpikingSession
from onnx2snn_runtime.opspec import OPS
from op_bench import Bench, op_model, same_bits
from op_case import make_case
from op_makers import MAKERS
from small_networks import (
    BACKENDS,
    IMAGE,
    climb,
    make_network,
    make_staircases,
    make_two_inputs,
    make_waiting,
    simulate,
)


@pytest.fixture(scope="session")
def makers():
    """Op names to functions that make a hypothesis strategy of cases."""
    return MAKERS


@pytest.fixture(scope="session")
def case():
    """The function that makes one case by hand."""
    return make_case


@pytest.fixture(scope="session", params=list(OPS), ids=lambda spec: spec.name)
def spec(request):
    """Every registered op in turn."""
    return request.param


@pytest.fixture(scope="session")
def bench():
    return Bench()


def one_line(error):
    """The message of a caught error, which must be a single line."""
    text = str(error.value)
    assert text
    assert "\n" not in text
    return text


@pytest.fixture(scope="session", name="one_line")
def one_line_fixture():
    return one_line


@pytest.fixture(scope="session", name="same_bits")
def same_bits_fixture():
    return same_bits


@pytest.fixture(scope="session")
def make_op_model() -> Callable:
    return op_model


@pytest.fixture(scope="session")
def network():
    return make_network


@pytest.fixture(params=BACKENDS)
def backend(request):
    """Those that need no compiler, in turn."""
    return request.param


@pytest.fixture
def session(network):
    """Of the small network, on the usual backend."""
    return SpikingSession(network())


@pytest.fixture(scope="session")
def two_inputs():
    return make_two_inputs


@pytest.fixture(scope="session")
def waiting():
    return make_waiting


@pytest.fixture(scope="session")
def staircases():
    return make_staircases


@pytest.fixture(scope="session", name="climb")
def climb_fixture():
    return climb


@pytest.fixture(scope="session", name="simulate")
def simulate_fixture():
    return simulate


@pytest.fixture(scope="session")
def images():
    """Five images of small whole numbers."""
    return np.random.default_rng(9).integers(0, 4, (5, *IMAGE)).astype(np.float32)
