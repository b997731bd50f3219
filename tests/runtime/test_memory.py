"""How much is simulated at once: estimates by hand, choices, and the peak of a real process."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from onnx2snn_runtime.memory import (
    CACHE,
    ENOUGH_ROWS,
    ENOUGH_SAMPLES,
    OVERHEAD,
    UNKNOWN_SAMPLES,
    UNKNOWN_STEPS,
    Footprint,
    Slices,
    choose_slices,
    even_steps,
    footprint,
)

MIB = 2**20


def with_shapes(model, lengths):
    """Declare float tensors with so many values in a row, or rows of these lengths."""
    for name, row in lengths.items():
        shape = ["rows", *(row if isinstance(row, tuple) else [row])]
        model.graph.value_info.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))
    return model


def test_the_largest_sum_alive_counts(network):
    lengths = {"currents": 36, "conv_out": 32, "fire": 32, "pool": 8, "flat": 8, "logits": 3}
    states = {"fire_v_final": 32, "pool_v_final": 8}
    need = footprint(with_shapes(network(), {**lengths, **states}))
    # currents and conv_out; nothing else is as large.
    assert need.per_row == OVERHEAD * 4 * (36 + 32)
    # The image is alive with nothing, later fire_v_final is; states are held besides.
    assert need.per_sample == OVERHEAD * 4 * 36 + 2 * 4 * (32 + 8)


def test_a_branch_keeps_a_tensor_alive(two_inputs):
    model = with_shapes(two_inputs(), {"left_currents": 10, "right_currents": 20, "sum": 40})
    model.graph.node.insert(3, helper.make_node("Relu", ["sum"], ["rectified"]))
    model.graph.node.insert(4, helper.make_node("Add", ["rectified", "sum"], ["total"]))
    model.graph.node[5].input[0] = "total"
    with_shapes(model, {"rectified": 50, "total": 20})
    assert footprint(model).per_row == OVERHEAD * 4 * (40 + 50 + 20)
    model.graph.node[4].input[1] = "left_currents"  # alive beside sum and rectified now
    assert footprint(model).per_row == OVERHEAD * 4 * (10 + 40 + 50)


def test_types_count(network):
    model = network()
    for name, kind in (("conv_out", TensorProto.DOUBLE), ("fire", TensorProto.INT8)):
        model.graph.value_info.append(helper.make_tensor_value_info(name, kind, ["rows", 2, 3]))
    assert footprint(model).per_row == OVERHEAD * (6 * 8 + 6)


def test_no_shapes(network):
    assert footprint(network()).per_row == 0


NEED = Footprint(per_row=1000, per_sample=5000)


@pytest.mark.parametrize(
    ("memory", "samples", "T", "slices"),
    [
        # The whole window for all, and for as many as fit.
        (10**9, 100, 8, Slices(100, 8)),
        (13_000 * 40, 100, 8, Slices(40, 8)),
        # Too few would fit: the window is cut.
        (16 * 5000 + 16 * 1000 * 3, 100, 64, Slices(16, 3)),
        (16 * 5000 + 16 * 1000 * 3 - 1, 100, 64, Slices(16, 2)),
        (5 * 6000, 100, 64, Slices(5, 1)),
        # Few samples: only they count.
        (3 * 5000 + 3 * 1000 * 9, 3, 64, Slices(3, 9)),
        # Something must be simulated.
        (1, 100, 64, Slices(1, 1)),
    ],
)
def test_choice(memory, samples, T, slices):
    found = choose_slices(NEED, memory, samples, T, batch=None, window=None, can_cut=True)
    assert found == slices
    if memory > 6000:
        bytes_used = found.samples * (found.steps * NEED.per_row + NEED.per_sample)
        assert bytes_used <= memory


def test_what_is_decided_stays():
    def choose(memory=10**6, **decided):
        known = {"batch": None, "window": None, "can_cut": True}
        return choose_slices(NEED, memory, 100, 64, **(known | decided))

    assert choose(batch=7).samples == 7
    assert choose(batch=7, memory=1) == Slices(7, 1)
    assert choose(window=5) == Slices(100, 5)
    assert choose(window=5, memory=10_000 * 3) == Slices(3, 5)
    assert choose(window=900).steps == 64
    assert choose(batch=7, window=5, memory=1) == Slices(7, 5)
    assert choose(can_cut=False) == Slices(14, 64)
    assert choose(can_cut=False, memory=1) == Slices(1, 64)


WIDE = Footprint(per_row=10, per_sample=0, largest_row=CACHE // 64)


@pytest.mark.parametrize(
    ("samples", "T", "threads", "slices"),
    [
        # 64 rows stay in the cache: whole windows of so many samples.
        (100, 8, 1, Slices(8, 8)),
        (100, 8, 2, Slices(16, 8)),
        (3, 8, 1, Slices(3, 8)),
        # A window that leaves the cache is cut, one sample after the other.
        (100, 1000, 1, Slices(1, 64)),
        (100, 60, 1, Slices(1, 60)),
    ],
)
def test_rows_stay_in_the_cache(samples, T, threads, slices):
    known = {"batch": None, "window": None, "can_cut": True, "threads": threads}
    assert choose_slices(WIDE, 10**9, samples, T, **known) == slices


@pytest.mark.parametrize(
    ("samples", "T", "memory", "decided", "slices"),
    [
        # 64 rows stay in the cache: eight steps of so many samples, or all that there are.
        (100, 8, 10**9, {}, Slices(8, 8)),
        (100, 64, 10**9, {}, Slices(8, 8)),
        (3, 64, 10**9, {}, Slices(3, 8)),
        # Windows of one length, or nearly.
        (100, 20, 10**9, {}, Slices(9, 7)),
        (100, 9, 10**9, {}, Slices(12, 5)),
        # Little memory: fewer samples, and then fewer steps.
        (100, 64, 10 * 8 * 3, {}, Slices(3, 8)),
        (100, 64, 10 * 5, {}, Slices(1, 5)),
        # What is decided stays.
        (100, 64, 10**9, {"batch": 50}, Slices(50, 8)),
        (100, 64, 10**9, {"window": 30}, Slices(2, 30)),
        (100, 64, 10**9, {"can_cut": False}, Slices(1, 64)),
    ],
)
def test_short_windows_of_many_samples(samples, T, memory, decided, slices):
    known = {"batch": None, "window": None, "can_cut": True, "most_steps": 8} | decided
    assert choose_slices(WIDE, memory, samples, T, **known) == slices


@pytest.mark.parametrize(
    ("T", "steps"), [(1, 1), (7, 7), (8, 8), (9, 5), (16, 8), (20, 7), (25, 7)]
)
def test_even_windows(T, steps):
    assert even_steps(T, 8) == steps


def test_what_is_decided_is_no_matter_of_the_cache():
    def choose(samples, T, **decided):
        known = {"batch": None, "window": None, "can_cut": True}
        return choose_slices(WIDE, 10**9, samples, T, **(known | decided))

    assert choose(100, 8, batch=50) == Slices(50, 1)
    assert choose(100, 1000, window=200) == Slices(1, 200)
    assert choose(100, 1000, batch=20, window=200) == Slices(20, 200)
    assert choose(100, 1000, can_cut=False) == Slices(1, 1000)


def test_rows_of_any_size_come_in_useful_numbers():
    assert Footprint(10, 0, largest_row=100 * CACHE).rows_in_cache(1) == ENOUGH_ROWS
    assert Footprint(10, 0, largest_row=CACHE // 1000).rows_in_cache(1) == 1000
    assert Footprint(10, 0, largest_row=CACHE // 1000).rows_in_cache(3) >= 3000


def test_the_largest_row_is_one_in_time(network):
    model = with_shapes(network(), {"currents": 36, "conv_out": 32, "answer": 9000})
    assert footprint(model).largest_row == 4 * 36


def test_unknown_shapes():
    def choose(samples, T, can_cut=True):
        need = Footprint(0, 0)
        return choose_slices(need, 10**9, samples, T, batch=None, window=None, can_cut=can_cut)

    assert choose(100, 999) == Slices(UNKNOWN_SAMPLES, UNKNOWN_STEPS)
    assert choose(100, 2) == Slices(UNKNOWN_SAMPLES, 2)
    assert choose(100, 999, can_cut=False) == Slices(UNKNOWN_SAMPLES, 999)
    assert ENOUGH_SAMPLES > 1


PEAK = """
import re, sys
from pathlib import Path
import numpy as np
from onnx2snn_runtime import SpikingSession

session = SpikingSession(sys.argv[1], threads=1, memory=int(sys.argv[2]))
x = np.zeros((24, 1, 6, 6), np.float32)
session.run(x[:1], 1)

def peak():
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\\s*(\\d+) kB", status)[1]) * 1024

Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
before = peak()
session.run(x, 64, **(dict(batch_size=24, window=64) if sys.argv[3] == "all" else {}))
print(peak() - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="peaks are reset by Linux")
def test_peak_of_a_process(network, tmp_path):
    """A network whose whole window takes 100 MiB stays in 48 MiB, and uses some of it."""
    model = network()
    weights = next(t for t in model.graph.initializer if t.name == "conv")
    widened = np.zeros((512, 1, 3, 3), np.float32)
    weights.CopyFrom(onnx.numpy_helper.from_array(widened, "conv"))
    theta = next(t for t in model.graph.initializer if t.name == "fire_theta")
    theta.CopyFrom(onnx.numpy_helper.from_array(np.ones(1, np.float32), "fire_theta"))
    gemm = next(t for t in model.graph.initializer if t.name == "gemm")
    gemm.CopyFrom(onnx.numpy_helper.from_array(np.ones((2048, 3), np.float32), "gemm"))
    wide, pooled = (512, 4, 4), (512, 2, 2)
    shapes = {"currents": (1, 6, 6), "conv_out": wide, "fire": wide, "pool": pooled, "flat": 2048}
    with_shapes(model, {**shapes, "fire_v_final": wide, "pool_v_final": pooled})
    path = tmp_path / "wide.onnx"
    path.write_bytes(model.SerializeToString())

    def peak(memory, at_once="some"):
        root = Path(__file__).parents[2] / "runtime"
        call = [sys.executable, "-c", PEAK, str(path), str(memory), at_once]
        done = subprocess.run(
            call, env={"PYTHONPATH": str(root)}, capture_output=True, text=True, check=True
        )
        return int(done.stdout)

    assert 4 * MIB < peak(48 * MIB) < 48 * MIB
    assert peak(48 * MIB, "all") > 80 * MIB  # or the limit above would say nothing
