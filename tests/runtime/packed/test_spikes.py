"""Which tensors hold spikes, and how they stay packed."""

import numpy as np
import pytest
from onnx import numpy_helper

from onnx2snn_runtime.packed.graph import Graph
from onnx2snn_runtime.packed.spikes import PackedSpikes, Packer

MOVES = """
    cut = Slice (s, starts, ends, axes)
    wide = Pad (cut, pads)
    flat = Flatten (s)
    line = Reshape (s, keep)
    mixed = Reshape (s, mix)
    pool, pool_c = org.onnx2snn.SpikeMaxPool
        <kernel_shape = [2, 2], strides = [2, 2], pads = [0, 0, 0, 0]> (s, none, timesteps)
    code, code_c = org.onnx2snn.SpikeMaxPool
        <kernel_shape = [2, 2], strides = [2, 2], pads = [0, 0, 0, 0], code = "radix">
        (s, none, timesteps)
    edge = Pad <mode = "edge"> (s, pads)
    ones = Pad (s, pads, one)
    y = Relu (s)
    g, g_v, g_s = org.onnx2snn.SignedIntegrateFire
        (e, theta, v, v, v, none, timesteps)
    silent = Pad (g, pads)
"""
CONSTANTS = {
    "starts": np.array([0, 1]),
    "ends": np.array([1, 4]),
    "axes": np.array([1, -1]),
    "pads": np.array([0, 1, 0, 0, 0, 2, 3, 4]),
    "keep": np.array([0, 32]),
    "mix": np.array([-1, 32]),
    "none": np.zeros(1, np.float32),
    "one": np.float32(1),
}
OUTPUTS = ["wide", "flat", "line", "mixed", "pool", "code", "edge", "ones", "y", "silent"]


@pytest.fixture
def packer(make_model):
    return Packer(Graph(make_model(MOVES, OUTPUTS, **CONSTANTS)), threads=1)


@pytest.mark.parametrize(
    ("name", "zero_point"),
    [(n, 0) for n in ("s", "cut", "wide", "flat", "line", "mixed", "pool")]
    + [(n, None) for n in ("x", "e", "s_v", "code", "edge", "ones", "y", "pool_c", "theta")]
    + [("g", 1), ("silent", 1)],
)
def test_what_holds_spikes(packer, name, zero_point):
    assert packer.zero_point(name) == zero_point
    assert (packer.packed(name, 4) is None) == (zero_point is None)


def test_floats_are_packed_once(packer):
    assert packer.packed("s", 4) == PackedSpikes("s.packed", 0, 4)
    packer.packed("s", 4)
    assert [n.op_type for n in packer.nodes] == ["Pack"]


def test_cut_and_padded_with_channels_last(packer):
    packer.made("s", PackedSpikes("bytes", 0, 4, 2))
    assert packer.packed("wide", 4).channels is None  # the cut is along channels
    cut, wide = packer.nodes
    constants = {t.name: list(numpy_helper.to_array(t)[()].ravel()) for t in packer.initializers}
    assert constants[cut.input[3]] == [3, 2]
    assert constants[wide.input[1]] == [0, 0, 0, 1, 0, 3, 4, 2]
    assert constants[wide.input[2]] == [0]


@pytest.mark.parametrize("name", ["flat", "line"])
def test_flat_views(packer, name):
    packer.made("s", PackedSpikes("bytes", 0, 4, 2))
    assert packer.packed(name, 2) == PackedSpikes("bytes", 0, 2, 2, flat=True)
    assert packer.nodes == []


def test_a_view_that_may_mix_rows_is_packed_anew(packer):
    packer.made("s", PackedSpikes("bytes", 0, 4, 2))
    assert packer.packed("mixed", 2) == PackedSpikes("mixed.packed", 0, 2)


def test_flat_spikes_of_unknown_channels_are_packed_anew(packer):
    packer.made("s", PackedSpikes("bytes", 0, 4))
    assert packer.packed("flat", 2) == PackedSpikes("flat.packed", 0, 2)


def test_flat_views_have_no_floats_of_their_own(packer):
    packer.made("s", PackedSpikes("bytes", 0, 4, 2))
    packer.packed("flat", 2)
    ((unpack,),) = packer.unpacking().values()
    assert list(unpack.output) == ["s"]
