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
<float[1] v_fire = {{1}}, float[1] v_pool = {{2}}, float[1] theta_pool = {{4}},
 float[1] zero = {{0}}, int64 no_steps = {{0}}>
{{
  currents = {DOMAIN}.DirectEncode (image, timesteps)
  conv_out = Conv (currents, conv)
  fire, fire_v = {DOMAIN}.IntegrateFire <reset = "subtract">
                   (conv_out, theta_fire, v_fire, timesteps)
  pool, pool_v = {DOMAIN}.SpikeAveragePool <kernel_shape = [2, 2], strides = [2, 2],
                   pads = [0, 0, 0, 0]> (fire, theta_pool, v_pool, timesteps)
  flat = Flatten <axis = 1> (pool)
  logits = Gemm (flat, gemm, bias)
  answer, answer_acc, answer_steps = {DOMAIN}.SpikeDecode <mode = "sum", cumulative = 0>
                   (logits, zero, no_steps, timesteps)
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
    for (name, attributes, spikes), code in product(pools(), ("count", "radix")):
        signed = spikes - numbers(6, 0, 1, *spikes.shape)
        yield f"{name}_{code}", {**attributes, "code": code}, [signed, [0]]


def spike_decode():
    currents = numbers(5, -7, 7, ROWS, 3, 2)
    for mode, cumulative in product(("mean", "sum", "last", "radix"), (0, 1)):
        attributes = {"mode": mode, "cumulative": cumulative}
        yield f"{mode}_{'each' if cumulative else 'once'}", attributes, [currents, [2], 3]


def leaky_integrate_fire():
    currents = numbers(11, -4, 6, ROWS, 3, 2, 2)
    leaks = {"linear": np.reshape([1, -1, 0], (3, 1, 1)), "factor": [0.5]}
    for (mode, leak), reset in product(leaks.items(), ("subtract", "zero")):
        attributes = {"leak_mode": mode, "reset": reset}
        yield f"{mode}_{reset}", attributes, [currents, [4], leak, [2]]


def averaged_integrate_fire():
    theta = np.reshape([2, 3, 5], (3, 1, 1))
    yield "", {}, [numbers(12, -4, 6, ROWS, 3, 2, 2), theta, [1]]


def calcium_integrate_fire():
    currents, leak = numbers(13, -5, 6, ROWS, 3, 2, 2), np.reshape([1, -1, 0], (3, 1, 1))
    for gated, rounding in product((0, 1), (0, 1)):
        attributes = {"gated": gated, "rounding": rounding}
        label = f"{'gated' if gated else 'free'}_{'rounding' if rounding else 'plain'}"
        yield label, attributes, [currents, [4], leak, [0], [0]]


def signed_integrate_fire():
    theta = np.reshape([2, 3, 5], (3, 1, 1))
    yield "", {}, [numbers(14, -5, 6, ROWS, 3, 2, 2), theta, [0], [3], [1], [0]]


def rate_encode():
    for quantize in ("nearest", "floor"):
        yield quantize, {"quantize": quantize}, [numbers(15, -9, 9, 2, 3, 2, 2) / 8, [-1], [1]]


def isi_encode():
    for alpha, silent_steps in product((1.0, 0.5), (0, 1)):
        attributes = {"alpha": alpha, "silent_steps": silent_steps}
        label = f"{'all' if alpha == 1 else 'half'}_{'silent' if silent_steps else 'full'}"
        yield label, attributes, [numbers(16, -40, 255, 2, 3, 2, 2), [255]]


def poisson_encode():
    yield "", {"seed": 5}, [numbers(17, 0, 8, 2, 3, 2, 2) / 8, [7, 2**40], 3]


def channel_expand():
    for phi, quantize in product((1, 2), ("nearest", "floor")):
        attributes = {"phi": phi, "quantize": quantize}
        yield f"{phi}_{quantize}", attributes, [numbers(18, -9, 9, 2, 3, 2, 2) / 8, [-1], [1]]


def staircase_fire():
    tau = np.array([[-3, 0, 2, 5], [-(2**62), 1, 1, 2**62], [2, 3, 4, 6]])
    for emission in ("unary", "averaged", "radix"):
        currents = numbers(19, -4, 6, ROWS, 3, 2, 2)
        yield emission, {"emission": emission}, [currents, tau, [-1], [1], [0]]
        yield f"{emission}_constant", {"emission": emission}, [currents, tau[:1, :0], [3], [1], [0]]


def code_encode():
    for emission in ("once", "unary", "averaged", "radix"):
        yield emission, {"emission": emission}, [numbers(20, -9, 9, 2, 3, 2, 2), 0]


def table_synapse():
    spikes, table = numbers(21, -1, 1, ROWS, 3, 2, 2), numbers(22, -99, 99, 2 * ROWS + 1)
    late = np.where(np.arange(ROWS).reshape(-1, 1, 1, 1) < ROWS - 3, 0, spikes)
    for code, train in (("count", spikes), ("radix", late)):
        yield code, {"code": code}, [train, table, [-ROWS], [0]]


#: Per op: a function that yields (name, attributes, inputs without T).
CASES = {
    "AveragedIntegrateFire": averaged_integrate_fire,
    "CalciumIntegrateFire": calcium_integrate_fire,
    "ChannelExpand": channel_expand,
    "CodeEncode": code_encode,
    "DirectEncode": direct_encode,
    "IntegrateFire": integrate_fire,
    "IsiEncode": isi_encode,
    "LeakyIntegrateFire": leaky_integrate_fire,
    "PoissonEncode": poisson_encode,
    "RateEncode": rate_encode,
    "SignedIntegrateFire": signed_integrate_fire,
    "SpikeAveragePool": spike_average_pool,
    "SpikeDecode": spike_decode,
    "SpikeMaxPool": spike_max_pool,
    "StaircaseFire": staircase_fire,
    "TableSynapse": table_synapse,
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


def onnx_type(array):
    """The element type of a graph input or output."""
    return helper.np_dtype_to_tensor_dtype(array.dtype)


def write_op(folder, spec, label, attributes, arrays):
    """One op in a model of its own; the first input comes from outside, the rest are constants."""
    first, *others = spec.inputs[:-1]
    types = [np.int64 if p.kind == "int64" else np.float32 for p in spec.inputs[:-1]]
    arrays = [np.array(a, dtype=t) for a, t in zip(arrays, types, strict=True)]

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
            helper.make_tensor_value_info(first.name, onnx_type(arrays[0]), shape),
            helper.make_tensor_value_info("timesteps", TensorProto.INT64, []),
        ],
        [
            helper.make_tensor_value_info(
                name, onnx_type(value), [None, *value.shape[1:]] if value.shape else []
            )
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
