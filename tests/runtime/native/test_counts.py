"""The counting ops in every instruction set, against NumPy: blocks, planes and what is refused."""

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from onnx2snn_runtime.counts.kernels import COUNT_DOMAIN

#: One value a plane, short ones, and planes of three blocks.
SHAPES = ((3, 5), (2, 3, 7), (2, 3, 45, 50), (0, 3, 4))
shapes = pytest.mark.parametrize("shape", SHAPES)


def run(library, op, feeds, constants, second=None, threads=2, **attributes):
    """The op's output; feeds and constants by name, in order; ``second`` is an input at the end."""
    inputs = [*feeds, *constants, *(second or {})]
    node = helper.make_node(op, inputs, ["y"], domain=COUNT_DOMAIN, **attributes)
    fed = feeds | (second or {})
    infos = [
        helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(v.dtype), v.shape)
        for n, v in fed.items()
    ]
    graph = helper.make_graph(
        [node],
        "count",
        infos,
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(v, n) for n, v in constants.items()],
    )
    imports = [helper.make_opsetid("", 18), helper.make_opsetid(COUNT_DOMAIN, 1)]
    model = helper.make_model(graph, opset_imports=imports, ir_version=8)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = threads
    options.register_custom_ops_library(str(library))
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return session.run(None, fed)[0]


def spread(column, shape):
    """Constants [C or 1] over [N, C, ...]."""
    return column.reshape(1, -1, *[1] * (len(shape) - 2))


@shapes
@pytest.mark.parametrize("anywhere", [0, 1])
@pytest.mark.parametrize("divides", [0, 1])
def test_averaged(library, instructions, shape, anywhere, divides):
    rng = np.random.default_rng(1)
    steps, channels = 6, shape[1]
    x, y = (rng.integers(-60, 90, shape).astype(np.float32) for _ in range(2))
    factors = rng.integers(1, 4, (channels, 2)).astype(np.float32)
    theta = 2.0 ** rng.integers(0, 4, channels) if not divides else rng.integers(1, 20, channels)
    low, high = (-20, 40) if anywhere else (0, 1)
    v_init = rng.integers(low, high, channels) if anywhere else np.zeros(channels)
    divisor = theta if divides else 1 / theta
    neurons = np.stack([v_init, theta, divisor], axis=1).astype(np.float32)
    found = run(
        library,
        "CountAveraged",
        {"x": x},
        {"factors": factors, "neurons": neurons},
        {"second": y},
        timesteps=steps,
        divides=divides,
        anywhere=anywhere,
    )
    total = x * spread(factors[:, 0], shape) + y * spread(factors[:, 1], shape)
    v, count = spread(v_init * steps, shape) + np.zeros(shape), np.zeros(shape)
    for _ in range(steps):
        v = v + total
        fired = v >= spread(steps * theta, shape)
        v = v - fired * spread(steps * theta, shape)
        count += fired
    np.testing.assert_array_equal(found, count)


def levels(total, table):
    """[N, C, ...] of the entries reached; a row of the table for each channel."""
    table = np.broadcast_to(table, (total.shape[1], table.shape[1]))
    found = np.zeros(total.shape)
    for channel, entries in enumerate(table):
        found[:, channel] = np.searchsorted(entries, total[:, channel], side="right")
    return found


#: One tensor as it is, one times a factor, and two.
TERMS = ("alone", "scaled", "two")


def staircase(library, kind, total_of, table, line, entries, rng, shape, x_kind, terms):
    x, y = (rng.integers(-400, 400, shape).astype(x_kind) for _ in range(2))
    factors = rng.integers(2, 4, (1, 2)).astype(kind)
    factors = {"alone": np.ones((1, 1), kind), "scaled": factors[:, :1], "two": factors}[terms]
    second = {"second": y} if terms == "two" else None
    closed = np.concatenate([np.full((len(table), 1), -np.inf), table], axis=1)
    constants = {
        "factors": factors,
        "line": line.astype(kind),
        "entries": closed.astype(kind) if entries else np.zeros((1, 0), kind),
    }
    found = run(library, "CountStaircase", {"x": x}, constants, second, lowest=-9, low=-7, high=11)
    total = x * factors[0, 0] + (y * factors[0, 1] if second else 0)
    np.testing.assert_array_equal(found, np.clip(total_of(total) - 9, -7, 11))


@shapes
@pytest.mark.parametrize(
    ("x_kind", "kind"),
    [(np.float32, np.float32), (np.float32, np.float64), (np.float64, np.float64)],
)
@pytest.mark.parametrize("way", ["line", "guess", "bisect"])
@pytest.mark.parametrize("terms", TERMS)
def test_staircase(library, instructions, shape, kind, x_kind, way, terms):
    rng = np.random.default_rng(2)
    rows = shape[1]
    width = 2.0 ** rng.integers(4, 6, (rows, 1))
    table = np.rint(-100 + width * np.arange(1, 31))
    if way == "bisect":
        table = np.sort(rng.integers(-900, 900, (rows, rng.integers(1, 40))), axis=1)
    elif way == "guess":
        table = table + rng.integers(1, 8, table.shape)  # the line is up to one level too high
    most = np.full(rows, table.shape[1])
    line = np.stack([np.full(rows, -100.0), 1 / width[:, 0], 0 * most, most], axis=1)
    line = np.zeros((1, 0)) if way == "bisect" else line
    entries = way != "line"

    def total_of(total):
        return levels(total, table)

    staircase(library, kind, total_of, table, line, entries, rng, shape, x_kind, terms)


@pytest.mark.parametrize(("low", "high"), [(-7, -7), (30, 40), (-40, -30)])
def test_codes_that_are_cut(library, low, high):
    """Also where no level of the line is among them."""
    x = np.arange(-50, 50, dtype=np.float32).reshape(2, 5, 10)
    constants = {
        "factors": np.ones((1, 1), np.float32),
        "line": np.array([[-20, 0.5, 0, 12]], np.float32),
        "entries": np.zeros((1, 0), np.float32),
    }
    found = run(library, "CountStaircase", {"x": x}, constants, lowest=-9, low=low, high=high)
    level = np.clip(np.floor((x + 20) / 2), 0, 12)
    np.testing.assert_array_equal(found, np.clip(level - 9, low, high))


ONES, NOTHING = np.ones((1, 1), np.float32), np.zeros((1, 0), np.float32)
X = np.zeros((2, 3, 4), np.float32)
REFUSED = {
    "no table": ({"x": X}, {"f": ONES, "l": NOTHING, "e": NOTHING}, None, "neither"),
    "short line": ({"x": X}, {"f": ONES, "l": ONES, "e": ONES}, None, "neither"),
    "types": ({"x": X}, {"f": ONES, "l": NOTHING, "e": ONES.astype(float)}, None, "types"),
    "wide": ({"x": X.astype(float)}, {"f": ONES, "l": NOTHING, "e": ONES}, None, "type that"),
    "shapes": (
        {"x": X},
        {"f": np.ones((1, 2), np.float32), "l": NOTHING, "e": ONES},
        {"second": X[:1]},
        "two shapes",
    ),
    "factors": ({"x": X}, {"f": ONES, "l": NOTHING, "e": ONES}, {"second": X}, "a factor for each"),
    "rows": ({"x": X}, {"f": ONES, "l": NOTHING, "e": np.ones((2, 1), np.float32)}, None, "row"),
    "vector": ({"x": X[0, 0]}, {"f": ONES, "l": NOTHING, "e": ONES}, None, "no channels"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused(library, name):
    feeds, constants, second, reason = REFUSED[name]
    with pytest.raises(Exception, match=reason):
        run(library, "CountStaircase", feeds, constants, second, lowest=0, low=0, high=1)
