"""What every op of the spiking op set keeps; a new op file is covered at once."""

import inspect
import re

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from onnx import checker, helper, shape_inference

from onnx2snn_runtime.opspec import DOMAIN, DOMAIN_VERSION, OPS, always, register_schemas

EXAMPLES = 25
NEWEST = 26
OPSETS = [
    17,
    20,
    pytest.param(
        NEWEST,
        marks=pytest.mark.skipif(
            onnx.defs.onnx_opset_version() < NEWEST
            or tuple(int(n) for n in onnxruntime.__version__.split(".")[:2]) < (1, 31),
            reason=f"needs onnx and onnxruntime that know opset {NEWEST}",
        ),
    ),
]
NUMPY_TYPES = {"float": np.float32, "int64": np.int64}
PYTHON_TYPES = {"int": int, "float": float, "ints": (list, tuple), "string": str}


@pytest.fixture(params=[False, True], ids=["no schemas", "schemas"])
def schemas(request):
    """The process knows the op set's schemas, or (as another tool's) it does not."""
    before = [s.name for s in OPS if onnx.defs.has(s.name, DOMAIN)]
    for name in before:
        onnx.defs.deregister_schema(name, DOMAIN_VERSION, DOMAIN)
    if request.param:
        register_schemas()
    yield request.param
    for s in OPS:
        if onnx.defs.has(s.name, DOMAIN):
            onnx.defs.deregister_schema(s.name, DOMAIN_VERSION, DOMAIN)
    if before:
        register_schemas()


@pytest.fixture(scope="session")
def sample(spec, makers):
    """One example of two samples and three steps, the largest of some."""
    found = []

    @settings(max_examples=30, database=None, derandomize=True)
    @given(makers[spec.name](T=st.just(3), N=st.just(2)))
    def draw(case):
        found.append(case)

    draw()
    return max(found, key=lambda case: (case.inputs[0].ndim, case.inputs[0].size))


def dims(value):
    """A ValueInfoProto's shape; None where a length is unknown or the whole shape is."""
    tensor = value.type.tensor_type
    if not tensor.HasField("shape"):
        return None
    return tuple(
        d.dim_value if d.HasField("dim_value") else (d.dim_param or None) for d in tensor.shape.dim
    )


def agrees(inferred, real, lengths=None):
    """Whether an inferred shape says nothing wrong about a real one."""

    def fits(guess, length):
        if isinstance(guess, str):  # symbols that onnx made up say nothing
            guess = (lengths or {}).get(guess)
        return guess is None or guess == length

    return len(inferred) == len(real) and all(map(fits, inferred, real))


def test_ops_are_found():
    assert {"DirectEncode", "IntegrateFire", "SpikeAveragePool", "SpikeDecode"} <= set(OPS.names())


def test_name(spec):
    assert re.fullmatch(r"[A-Z][A-Za-z]{0,20}", spec.name)
    assert OPS.get(spec.name) is spec


def test_version(spec):
    assert 1 <= spec.since_version <= DOMAIN_VERSION


def test_words(spec):
    assert spec.summary.endswith(".")
    assert "\n" not in spec.summary
    assert len(spec.definition) > 40
    for param in (*spec.inputs, *spec.outputs):
        assert param.doc.strip(), param
        assert param.shape.strip(), param
        assert set(param.kind.split("|")) <= {"float", "int64"}, param
    for attribute in spec.attributes:
        assert attribute.doc.strip(), attribute


def test_names_are_unique(spec):
    for params in (spec.inputs, spec.outputs, spec.attributes):
        names = [p.name for p in params]
        assert names == list(dict.fromkeys(names))


def test_the_last_input_is_the_time(spec):
    last = spec.inputs[-1]
    assert (last.name, last.shape, last.kind) == ("T", "scalar", "int64")
    assert "T" not in [p.name for p in spec.inputs[:-1]]


def test_state_goes_in_and_comes_out(spec):
    going_in = {p.name[: -len("_init")] for p in spec.inputs if p.name.endswith("_init")}
    coming_out = {p.name[: -len("_final")] for p in spec.outputs if p.name.endswith("_final")}
    assert going_in == coming_out


def test_attributes(spec):
    for attribute in spec.attributes:
        assert attribute.kind in PYTHON_TYPES
        if attribute.default is not None:
            assert isinstance(attribute.default, PYTHON_TYPES[attribute.kind])
        if attribute.choices:
            assert attribute.kind == "string"
            assert attribute.default in (None, *attribute.choices)
            assert len(set(attribute.choices)) == len(attribute.choices) > 1


def test_window_takes_what_the_spec_names(spec):
    parameters = inspect.signature(spec.window).parameters.values()
    positional = [p for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
    keywords = {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}
    assert len(positional) == len(spec.inputs)
    assert set(keywords) == {a.name for a in spec.attributes}
    assert {k: v for k, v in keywords.items() if v is not inspect.Parameter.empty} == (
        spec.defaults()
    )


def test_schema_says_the_same(spec):
    schema = spec.schema()
    assert (schema.name, schema.domain, schema.since_version) == (
        spec.name,
        DOMAIN,
        spec.since_version,
    )
    assert spec.summary in schema.doc
    for formal, params in ((schema.inputs, spec.inputs), (schema.outputs, spec.outputs)):
        assert [f.name for f in formal] == [p.name for p in params]
        for f, p in zip(formal, params, strict=True):
            assert f.types == {f"tensor({kind})" for kind in p.kind.split("|")}
    assert set(schema.attributes) == {a.name for a in spec.attributes}
    for attribute in spec.attributes:
        formal = schema.attributes[attribute.name]
        assert formal.required == (attribute.default is None)
        if attribute.default is not None:
            value = onnx.helper.get_attribute_value(formal.default_value)
            assert (value.decode() if isinstance(value, bytes) else value) == attribute.default


def test_schema_registers(spec, schemas):
    assert onnx.defs.has(spec.name, DOMAIN) == schemas
    if schemas:
        assert onnx.defs.get_schema(spec.name, DOMAIN).since_version == spec.since_version
        register_schemas()  # again: no harm


@pytest.mark.parametrize("opset", OPSETS)
def test_function_says_the_same(spec, opset):
    function = spec.function(opset)
    assert (function.domain, function.name) == (DOMAIN, spec.name)
    assert list(function.input) == [p.name for p in spec.inputs]
    assert list(function.output) == [p.name for p in spec.outputs]
    assert set(function.attribute) == {a.name for a in spec.attributes if a.default is None}
    defaults = {p.name: onnx.helper.get_attribute_value(p) for p in function.attribute_proto}
    assert {k: v.decode() if isinstance(v, bytes) else v for k, v in defaults.items()} == (
        spec.defaults()
    )
    assert {o.version for o in function.opset_import if o.domain == ""} == {opset}
    called = {n.op_type for n in function.node if n.domain == DOMAIN}
    assert called == set(spec.calls)


def test_there_are_examples(spec, makers):
    assert spec.name in makers, f"tests/runtime/helpers/op_makers.py needs a maker for {spec.name}"


@pytest.mark.parametrize("opset", OPSETS)
def test_checker_accepts_it(spec, sample, bench, schemas, opset):
    checker.check_model(bench.model(sample, opset), full_check=True)


@pytest.mark.parametrize("schemas", [True], indirect=True)
@pytest.mark.usefixtures("schemas")
def test_checker_sees_a_missing_input(spec, sample, bench):
    model = bench.model(sample)
    del model.graph.node[0].input[-1]
    with pytest.raises(checker.ValidationError, match=spec.name):
        checker.check_model(model)


@pytest.mark.parametrize("opset", OPSETS)
def test_inference_with_symbolic_shapes(spec, sample, bench, schemas, opset):
    model = bench.model(sample, opset)
    lengths = {
        f"{p.name}_{axis}": length
        for p, a in zip(spec.inputs, sample.inputs, strict=True)
        for axis, length in enumerate(a.shape)
    }
    for output in model.graph.output:
        output.type.tensor_type.ClearField("shape")
    inferred = shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
    for output, real in zip(inferred.graph.output, sample.window(), strict=True):
        assert output.type.tensor_type.elem_type == helper.np_dtype_to_tensor_dtype(real.dtype)
        assert agrees(dims(output), real.shape, lengths)


@pytest.mark.usefixtures("schemas")
def test_inference_with_known_lengths(spec, sample, make_op_model):
    shapes = [a.shape for a in sample.inputs]
    model = make_op_model(spec, sample.attributes, shapes, [None] * len(spec.outputs))
    inferred = shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
    for output, real in zip(inferred.graph.output, sample.window(), strict=True):
        assert agrees(dims(output), real.shape)


@pytest.mark.usefixtures("schemas")
def test_inference_without_any_rank(spec, sample, make_op_model):
    """A shape that nobody knows must not become a wrong one."""
    shapes = [None] * len(spec.inputs)
    model = make_op_model(spec, sample.attributes, shapes, [None] * len(spec.outputs))
    inferred = shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
    for output, real in zip(inferred.graph.output, sample.window(), strict=True):
        assert dims(output) is None or agrees(dims(output), real.shape)


@settings(max_examples=EXAMPLES)
@given(data=st.data())
def test_inferred_shapes_are_the_real_ones(spec, makers, data):
    case = data.draw(makers[spec.name]())
    real = [a.shape for a in case.window()]
    lengths = {}

    def name(length):
        symbol = f"d{len(lengths)}"
        lengths[symbol] = length
        return symbol

    exact = [a.shape for a in case.inputs]
    hidden = [tuple(None for _ in shape) for shape in exact]
    named = [tuple(name(length) for length in shape) for shape in exact]
    for shapes in (exact, hidden, named):
        inferred = spec.infer_shapes(shapes, case.attributes)
        assert len(inferred) == len(real)
        for guess, truth in zip(inferred, real, strict=True):
            assert agrees(guess, truth, lengths)
            assert not any(isinstance(d, str) and d not in lengths for d in guess)
    # What does not depend on T is known when the inputs are.
    for guess in spec.infer_shapes(exact, case.attributes):
        assert None not in guess[1:]


@settings(max_examples=EXAMPLES)
@given(data=st.data())
def test_streaming(spec, makers, bench, same_bits, data):
    """One window equals any windows that follow each other, state fed back."""
    if spec.needs_whole_window is always:
        pytest.skip("needs its whole window")
    case = data.draw(makers[spec.name](N=st.integers(1, 3)))
    assume(not spec.needs_whole_window(case.attributes))
    cut = data.draw(st.integers(1, case.steps))
    for parts in ([1] * case.steps, [p for p in (cut, case.steps - cut) if p]):
        for way in (bench.stock, lambda c: c.window()):
            streamed = bench.in_parts(case, parts, way)
            for param, got, want in zip(spec.outputs, streamed, case.window(), strict=True):
                # What may or may not have a row for every step: compare the last ones.
                tail = want if want.shape == got.shape else want[len(want) - len(got) :]
                assert same_bits(got, tail), param.name


@pytest.mark.parametrize("opset", OPSETS)
def test_all_backends_agree_in_every_opset(sample, bench, opset):
    bench.agree(sample, opset)


@settings(max_examples=EXAMPLES)
@given(data=st.data())
def test_all_backends_agree(spec, makers, bench, data):
    case = data.draw(makers[spec.name]())
    for param, output in zip(spec.outputs, bench.agree(case), strict=True):
        assert output.dtype == NUMPY_TYPES[param.kind], param.name


@settings(max_examples=EXAMPLES)
@given(data=st.data())
def test_no_samples(spec, makers, bench, data):
    outputs = bench.agree(data.draw(makers[spec.name](N=st.just(0))))
    assert all(a.shape[0] == 0 for a in outputs if a.ndim)


@settings(max_examples=EXAMPLES)
@given(data=st.data())
def test_one_step(spec, makers, bench, data):
    case = data.draw(makers[spec.name](T=st.just(1), N=st.integers(1, 4)))
    samples = case.inputs[0].shape[0]
    assert all(a.shape[0] == samples for a in bench.agree(case) if a.ndim)


def test_defaults_apply_in_stock_onnxruntime(spec, sample, bench, makers):
    """Files of other tools may leave out attributes that have a default."""
    attributes = {k: v for k, v in sample.attributes.items() if k not in spec.defaults()}
    bare = type(sample)(spec, sample.inputs, attributes)
    whole = type(sample)(spec, sample.inputs, attributes | spec.defaults())
    for a, b in zip(bench.stock(bare), whole.window(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_node_may_stand_twice_in_a_graph(sample, bench, same_bits):
    """Two nodes of one op share the function and must not share any name or state."""
    model = bench.model(sample)
    second = onnx.NodeProto()
    second.CopyFrom(model.graph.node[0])
    second.name = "second"
    for i, name in enumerate(second.output):
        second.output[i] = name + "_2"
    model.graph.node.append(second)
    for output in list(model.graph.output):
        copy = model.graph.output.add()
        copy.CopyFrom(output)
        copy.name += "_2"
    checker.check_model(model, full_check=True)
    values = bench.load_stock(model).run(None, sample.feeds)
    for got, expected in zip(values, [*sample.window(), *sample.window()], strict=True):
        assert same_bits(got, expected)
