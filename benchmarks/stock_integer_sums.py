"""Would integer sums pay in onnxruntime without our kernels? One convolution layer at a time.

Compares Conv on float spikes [T·N, C, H, W] with integer nodes that give the same currents: spikes
cast to uint8, channels last, windows put together by Pad, Slice and Concat, MatMulInteger, scale
and bias, channels first again. CPU seconds of one thread, medians of interleaved repetitions.
"""

from __future__ import annotations

import statistics
import time

import numpy as np
import onnx
import onnxruntime
from common import head, publish, table
from onnx import TensorProto, helper, numpy_helper

#: Channels, height and width of 3 × 3 layers: ResNet-20's and VGG-16's.
LAYERS = ((16, 32), (32, 16), (64, 8), (64, 32), (128, 16), (256, 8), (512, 4), (512, 2))
ROWS, ACTIVITY, REPETITIONS = 8, 0.1, 15


def session(
    nodes: list[onnx.NodeProto], constants: dict[str, np.ndarray], shape: tuple[int, ...]
) -> onnxruntime.InferenceSession:
    """A session of one thread; input "s", output "y"."""
    graph = helper.make_graph(
        nodes,
        "layer",
        [helper.make_tensor_value_info("s", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)],
        [numpy_helper.from_array(v, n) for n, v in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def float_layer(q: np.ndarray, scale: np.ndarray, bias: np.ndarray, side: int) -> object:
    """Conv of float weights."""
    constants = {"w": q * scale[:, None, None, None], "b": bias}
    nodes = [helper.make_node("Conv", ["s", "w", "b"], ["y"], pads=[1, 1, 1, 1])]
    return session(nodes, constants, (ROWS, len(q), side, side))


def integer_layer(q: np.ndarray, scale: np.ndarray, bias: np.ndarray, side: int) -> object:
    """Integer nodes."""
    nodes = [
        helper.make_node("Cast", ["s"], ["bytes"], to=TensorProto.UINT8),
        helper.make_node("Transpose", ["bytes"], ["last"], perm=[0, 2, 3, 1]),
        helper.make_node("Pad", ["last", "pads"], ["wide"]),
    ]
    constants = {
        "pads": np.array([0, 1, 1, 0, 0, 1, 1, 0]),
        "axes": np.array([1, 2]),
        "w": np.ascontiguousarray(q.transpose(2, 3, 1, 0).reshape(-1, len(q))),
        "scale": scale,
        "bias": bias,
    }
    for i in range(9):
        corner = np.array([i // 3, i % 3])
        constants |= {f"from{i}": corner, f"to{i}": corner + side}
        nodes.append(helper.make_node("Slice", ["wide", f"from{i}", f"to{i}", "axes"], [f"p{i}"]))
    nodes += [
        helper.make_node("Concat", [f"p{i}" for i in range(9)], ["windows"], axis=3),
        helper.make_node("MatMulInteger", ["windows", "w"], ["sums"]),
        helper.make_node("Cast", ["sums"], ["whole"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["whole", "scale"], ["scaled"]),
        helper.make_node("Add", ["scaled", "bias"], ["current"]),
        helper.make_node("Transpose", ["current"], ["y"], perm=[0, 3, 1, 2]),
    ]
    return session(nodes, constants, (ROWS, len(q), side, side))


def row_of(channels: int, side: int) -> list[str]:
    """Times of one layer."""
    rng = np.random.default_rng(channels)
    q = rng.integers(-127, 128, (channels, channels, 3, 3)).astype(np.int8)
    scale = np.full(channels, 2.0**-6, np.float32)
    bias = rng.integers(-9, 10, channels).astype(np.float32)
    spikes = (rng.random((ROWS, channels, side, side)) < ACTIVITY).astype(np.float32)
    ways = [layer(q, scale, bias, side) for layer in (float_layer, integer_layer)]
    answers = [way.run(None, {"s": spikes})[0] for way in ways]
    np.testing.assert_array_equal(*answers)
    seconds: list[list[float]] = [[], []]
    for _ in range(REPETITIONS):
        for way, found in zip(ways, seconds, strict=True):
            before = time.thread_time()
            way.run(None, {"s": spikes})
            found.append(time.thread_time() - before)
    a, b = (statistics.median(found) for found in seconds)
    shape = f"{channels} channels, {side} × {side}"
    return [shape, f"{1e3 * a:.2f}", f"{1e3 * b:.2f}", f"{b / a:.2f}"]


def main() -> None:
    """Measure and publish."""
    rows = [row_of(*layer) for layer in LAYERS]
    publish(
        "stock_integer_sums",
        [
            *head("Integer sums in stock onnxruntime", "python benchmarks/stock_integer_sums.py"),
            f"One 3 × 3 layer, {ROWS} rows, {100 * ACTIVITY:.0f} % of the inputs fire; "
            f"CPU milliseconds of one thread, median of {REPETITIONS}.",
            "",
            *table(["layer", "Conv, float (ms)", "MatMulInteger (ms)", "ratio"], rows),
        ],
    )


if __name__ == "__main__":
    main()
