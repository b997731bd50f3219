import importlib.util, onnx, pathlib, onnxruntime
from hypothesis import given, settings, Phase
from hypothesis import strategies as st
from onnx import TensorProto
from onnx2snn import convert
s = importlib.util.spec_from_file_location("rn", str(pathlib.Path(__file__).parent / "test_random_networks.py"))
rn = importlib.util.module_from_spec(s); s.loader.exec_module(rn)
@settings(max_examples=2500, database=None, phases=[Phase.generate])
@given(data=st.data())
def test_hunt(quantized_net, exactly, data):
    model, feeds = data.draw(rn.networks(quantized_net, [TensorProto.INT4, TensorProto.UINT4]))
    r = convert(model, recipe="exact")
    if any(n.op_type in ("MaxPool",) for n in r.model.graph.node):
        try:
            onnxruntime.InferenceSession(r.model.SerializeToString(), providers=["CPUExecutionProvider"])
        except Exception:
            onnx.save(model, "/tmp/h7_fail.onnx"); onnx.save(r.model, "/tmp/h7_fail_snn.onnx")
            raise
