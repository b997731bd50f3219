"""Time of packed simulation, on every instruction set that the processor has.

Needs ``models/akamaster_cifar10_resnet20.onnx`` and ``cifar10_train_lossless.npz``; the VGG-16 of
full width has random weights. CPU seconds of one thread, medians of interleaved repetitions, beside
one inference of the source network. The kernels are the library's: build it first.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import onnxruntime
from common import CIFAR_TRAIN, IMAGENET_STYLE, RESNET20, head, publish, table
from vgg16 import vgg16

from onnx2snn import convert
from onnx2snn_runtime import SpikingSession
from onnx2snn_runtime.backend import BackendOptions
from onnx2snn_runtime.backends.stock import StockExecutable
from onnx2snn_runtime.native.library import usable_library, use_instructions
from onnx2snn_runtime.packed import with_packed_spikes

INSTRUCTIONS = ("amx", "avx512vnni", "avx512", "avx2", "portable")
#: Steps, and how many of the instruction sets are measured with them.
STEPS = ((8, 5), (32, 2))
REPETITIONS = 7
IMAGES = 1
CALIBRATION = 64

Run = Callable[[], Any]


def source_run(model: onnx.ModelProto, x: np.ndarray) -> Run:
    """One inference of the source network."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    name = session.get_inputs()[0].name
    return lambda: session.run(None, {name: x})


def spiking_run(model: onnx.ModelProto, x: np.ndarray, timesteps: int, options: Any) -> Run:
    """One simulation; options are those of the rewrite, None for none."""
    if options is not None:
        model = with_packed_spikes(model, threads=1, **options)
    executable = StockExecutable(model, BackendOptions(threads=1), usable_library())
    names = [model.graph.output[0].name]
    feeds = {model.graph.input[0].name: x, "timesteps": np.array(timesteps, np.int64)}
    return lambda: executable.run(names, feeds)


def medians(runs: dict[str, Run]) -> dict[str, float]:
    """CPU seconds of each, taken in turn; the first round is not counted."""
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(REPETITIONS + 1):
        for name, run in runs.items():
            before = time.thread_time()
            run()
            seconds[name].append(time.thread_time() - before)
    return {name: statistics.median(values[1:]) for name, values in seconds.items()}


def free_time(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with T as an input."""
    if "timesteps" not in {i.name for i in model.graph.input}:
        kind = onnx.TensorProto.INT64
        model.graph.input.append(onnx.helper.make_tensor_value_info("timesteps", kind, []))
    return model


def rows_of(name: str, source: onnx.ModelProto, x: np.ndarray) -> list[list[str]]:
    """The table's rows of one network."""
    given = {"calibration_data": CIFAR_TRAIN, "preprocessing": IMAGENET_STYLE, "v_init": "half"}
    given |= {"threshold": "percentile", "avgpool": "linear", "samples": CALIBRATION}
    floats = free_time(convert(source, 8, **given).model)
    bits = free_time(convert(source, 8, **given, weight_bits=8).model)
    rates = SpikingSession(bits).observe(x, 8, every_step=False).rates
    print(name, "mean firing rate", np.mean([r.mean() for r in rates.values()]))
    rows = []
    for timesteps, sets in STEPS:
        for instructions in INSTRUCTIONS[:sets]:
            library = usable_library()
            if library is None or not use_instructions(library, instructions):
                continue
            tiles = instructions == "amx"
            runs = {
                "source": source_run(source, x),
                "int8": spiking_run(bits, x, timesteps, {"tiles": tiles, "floats": False}),
                "digits": spiking_run(floats, x, timesteps, {"tiles": tiles, "floats": True}),
                "float": spiking_run(floats, x, timesteps, None),
            }
            found = medians(runs)
            ratios = [f"{found[k] / found['source']:.2f}" for k in ("int8", "digits", "float")]
            milliseconds = f"{1e3 * found['source'] / len(x):.2f}"
            rows.append([name, str(timesteps), instructions, milliseconds, *ratios])
            print(rows[-1], flush=True)
    return rows


def main() -> None:
    """Measure and publish."""
    with np.load(CIFAR_TRAIN) as archive:
        images = archive["images"][:IMAGES].transpose(0, 3, 1, 2).astype(np.float32) / 255
    mean, std = (np.reshape(v, (3, 1, 1)) for v in (IMAGENET_STYLE.mean, IMAGENET_STYLE.std))
    x = ((images - mean) / std).astype(np.float32)
    rows = rows_of("VGG-16, full width, random weights", vgg16(0), x)
    rows += rows_of("ResNet-20", onnx.load(RESNET20.model), x)
    columns = ["network", "T", "instructions", "source (ms)"]
    columns += ["int8 weights, packed", "float weights, packed", "float weights, not packed"]
    publish(
        "packed_spikes",
        [
            *head("Packed simulation", "python benchmarks/packed_spikes.py"),
            f"CPU time of one thread, {IMAGES} image, median of {REPETITIONS}, divided by one "
            "inference of the source network by onnxruntime (which always uses the best "
            "instructions).",
            "",
            *table(columns, rows),
        ],
    )


if __name__ == "__main__":
    main()
