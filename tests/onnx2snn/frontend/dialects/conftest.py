"""Quantized tensors for the dialects' test networks."""

import numpy as np
import pytest


class Integers:
    """Writes quantized tensors into a network; scales are powers of two, so sums are exact."""

    def __init__(self, net):
        self.net = net

    def parameters(self, scale, zero, dtype):
        net = self.net
        return [net.const(scale), net.const(np.asarray(zero).astype(dtype), dtype=None)]

    def tensor(self, x, scale, zero, dtype=np.uint8):
        """A quantized tensor as three inputs: integers, scale, zero point."""
        parameters = self.parameters(scale, zero, dtype)
        return [self.net.node("QuantizeLinear", x, *parameters), *parameters]

    def weights(self, shape, dtype=np.int8, axis=None, scale=2.0**-6, zero=None):
        """Quantized constants as three inputs; along ``axis`` scales differ."""
        info = np.iinfo(dtype)
        values = self.net.rng.integers(info.min, info.max + 1, shape)
        count = () if axis is None else (shape[axis],)
        scales = scale * 2.0 ** self.net.rng.integers(-1, 2, count)
        zero = (info.min + info.max + 1) // 2 if zero is None else zero
        parameters = self.parameters(scales, np.full(count, zero), dtype)
        return [self.net.const(values, dtype=dtype), *parameters]

    def bias(self, size):
        return self.net.const(self.net.rng.integers(-999, 1000, size), dtype=np.int32)

    def real(self, integers, scale, zero, dtype=np.uint8):
        """The real values of integers."""
        return self.net.node("DequantizeLinear", integers, *self.parameters(scale, zero, dtype))


@pytest.fixture(scope="session")
def new_integers():
    """The class that writes quantized tensors."""
    return Integers


@pytest.fixture
def same_exactly(run_stock, same_function):
    """Assert equality bit for bit, of more than a few values; returns the canonical form."""

    def check(model, feeds, least=10):
        canonical = same_function(model, feeds, tolerance=0)
        assert len(np.unique(run_stock(model, feeds)[0])) > least
        return canonical

    return check
