"""Write small models and their answers for ``stock_only.py``: every op, and one network.

    python make_cases.py FOLDER

Each case is NAME.onnx and NAME.npz. Inputs and weights are whole numbers, so the answers (of the
NumPy definitions) are exact and every backend must give the same bits.
"""

import sys
from itertools import product
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper, parser

from onnx2snn_runtime.opspec import DOMAIN, DOMAIN_VERSION, OPS, functions_for
from onnx2snn_runtime.session import SpikingSession

OPSET, IR_VERSION = 17, 8  # old enough for onnxruntime 1.17
STEPS = 6
OTHER_STEPS = (1, 2, 3, 12)
ROWS = 12  # T·N, divisible by every T above

NETWORK = f"""
<ir_version: {IR_VERSION}, opset_import: ["" : {OPSET}, "{DOMAIN}" : {DOMAIN_VERSION}]>
network (float[N, 1, 6, 6] image, int64 timesteps) => (float[N, 3] answer)
<float[1] v_fire = {{1}}, float[1] v_pool = {{2}}, float[1] theta_pool = {{4}}>
{{
  currents = {DOMAIN}.DirectEncode (image, timesteps)
  conv_out = Conv (currents, conv)
  fire, fire_v = {DOMAIN}.IntegrateFire <reset = "subtract">
                   (conv_out, theta_fire, v_fire, timesteps)
  pool, pool_v = {DOMAIN}.SpikeAveragePool <kernel_shape = [2, 2], strides = [2, 2],
                   pads = [0, 0, 0, 0]> (fire, theta_pool, v_pool, timesteps)
  flat = Flatten <axis = 1> (pool)
  logits = Gemm (flat, gemm, bias)
  answer = {DOMAIN}.SpikeDecode <mode = "sum", cumulative = 0> (logits, timesteps)
}}"""


def numbers(seed, low, high, *shape):
    """Whole numbers from low to high as float32."""
    return np.random.default_rng(seed).integers(low, high + 1, shape).astype(np.float32)


def direct_encode():
    yield "", {}, [numbers(1, -9, 9, 2, 3, 2, 2)]


def integrate_fire():
    currents = numbers(2, -4, 6, ROWS, 3, 2, 2)
    thetas = {"layer": [4], "channel": np.reshape([2, 3, 5], (3, 1, 1))}
    thetas["map"] = numbers(3, 1, 6, 3, 2, 2)
    for (layout, theta), reset in product(thetas.items(), ("subtract", "zero")):
        yield f"{layout}_{reset}", {"reset": reset}, [currents, theta, [2]]


def pools():
    shapes = {
        "1d": ([3], [2], [2, 1]),
        "square": ([2, 2], [2, 2], [0, 0, 0, 0]),
        "nine": ([3, 3], [1, 1], [1, 1, 1, 1]),
        "uneven": ([3, 2], [2, 1], [2, 0, 1, 1]),
    }
    for name, (kernel, strides, pads) in shapes.items():
        spikes = numbers(4, 0, 1, ROWS, 2, *[5 + i for i in range(len(kernel))])
        yield name, {"kernel_shape": kernel, "strides": strides, "pads": pads}, spikes


def spike_average_pool():
    for name, attributes, spikes in pools():
        yield name, attributes, [spikes, [np.prod(attributes["kernel_shape"])], [1]]


def spike_max_pool():
    for name, attributes, spikes in pools():
        yield name, attributes, [spikes, [0]]


def spike_decode():
    currents = numbers(5, -7, 7, ROWS, 3, 2)
    for mode, cumulative in product(("mean", "sum", "last", "radix"), (0, 1)):
        attributes = {"mode": mode, "cumulative": cumulative}
        yield f"{mode}_{'each' if cumulative else 'once'}", attributes, [currents]


#: Per op: a function that yields (name, attributes, inputs without T).
CASES = {
    "DirectEncode": direct_encode,
    "IntegrateFire": integrate_fire,
    "SpikeAveragePool": spike_average_pool,
    "SpikeDecode": spike_decode,
    "SpikeMaxPool": spike_max_pool,
}


def write(folder, name, model, inputs, answers):
    """One case; answers maps T (None: the file's own) to outputs by name."""
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, folder / f"{name}.onnx")
    arrays = {f"in.{key}": value for key, value in inputs.items()}
    for steps, outputs in answers.items():
        prefix = "out" if steps is None else f"out@{steps}"
        arrays.update({f"{prefix}.{key}": value for key, value in outputs.items()})
    np.savez(folder / f"{name}.npz", **arrays)


def write_op(folder, spec, label, attributes, arrays):
    """One op in a model of its own; the first input comes from outside, the rest are constants."""
    arrays = [np.array(a, dtype=np.float32) for a in arrays]
    first, *others = spec.inputs[:-1]

    def answer(steps):
        outputs = spec.window(*arrays, np.array(steps, np.int64), **attributes)
        return {p.name: value for p, value in zip(spec.outputs, outputs, strict=True)}

    answers = {None: answer(STEPS)} | {steps: answer(steps) for steps in OTHER_STEPS}
    names = [p.name for p in spec.inputs[:-1]]
    node = helper.make_node(
        spec.name,
        [*names, "timesteps"],
        [p.name for p in spec.outputs],
        name="node",
        domain=DOMAIN,
        **attributes,
    )
    constants = [
        numpy_helper.from_array(a, p.name) for p, a in zip(others, arrays[1:], strict=True)
    ]
    constants.append(helper.make_tensor("timesteps", TensorProto.INT64, [], [STEPS]))
    shape = ["rows", *arrays[0].shape[1:]]
    graph = helper.make_graph(
        [node],
        "case",
        [
            helper.make_tensor_value_info(first.name, TensorProto.FLOAT, shape),
            helper.make_tensor_value_info("timesteps", TensorProto.INT64, []),
        ],
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, *value.shape[1:]])
            for name, value in answers[None].items()
        ],
        constants,
    )
    model = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", OPSET), helper.make_opsetid(DOMAIN, DOMAIN_VERSION)],
        ir_version=IR_VERSION,
        functions=functions_for([spec.name], OPSET),
    )
    name = "_".join(part for part in (spec.name, label) if part)
    write(folder, name, model, {first.name: arrays[0]}, answers)


def write_network(folder):
    """Convolution, neurons, pool and readout; once with T as an input, once with T fixed."""
    model = parser.parse_model(NETWORK)
    constants = {
        "conv": numbers(7, -2, 2, 2, 1, 3, 3),
        "theta_fire": np.array([3, 5], np.float32).reshape(2, 1, 1),
        "gemm": numbers(8, -3, 3, 8, 3),
        "bias": np.array([1, -2, 3], np.float32),
        "timesteps": np.array(STEPS, np.int64),
    }
    model.graph.initializer.extend(numpy_helper.from_array(v, k) for k, v in constants.items())
    ops = {node.op_type for node in model.graph.node if node.domain == DOMAIN}
    model.functions.extend(functions_for(sorted(ops), OPSET))
    image = numbers(9, 0, 3, 5, 1, 6, 6)
    session = SpikingSession(model, backend="reference")
    answers = {None: session.run(image)} | {t: session.run(image, t) for t in OTHER_STEPS}
    write(folder, "network", model, {"image": image}, answers)
    fixed = onnx.ModelProto()
    fixed.CopyFrom(model)
    assert fixed.graph.input.pop().name == "timesteps"
    write(folder, "network_fixed", fixed, {"image": image}, {None: answers[None]})


def main():
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    missing = sorted(set(OPS.names()) - set(CASES))
    if missing:
        sys.exit(f"make_cases.py has no cases for {', '.join(missing)}")
    for spec in OPS:
        for label, attributes, arrays in CASES[spec.name]():
            write_op(folder, spec, label, attributes, arrays)
    write_network(folder)
    print(f"{len(list(folder.glob('*.onnx')))} cases in {folder}")


if __name__ == "__main__":
    main()
