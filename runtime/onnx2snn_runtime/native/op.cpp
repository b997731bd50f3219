#include "op.h"

#include <exception>

namespace onnx2snn {
namespace {

const Op& op_of(const OrtCustomOp* op) { return *static_cast<const Op*>(op); }

// Runs work; what it throws becomes a status, since no exception may pass onnxruntime's frames.
template <class Work>
OrtStatus* guarded(const Work& work) {
  try {
    work();
    return nullptr;
  } catch (const std::exception& error) {
    return api().create_status(kFail, error.what());
  }
}

OrtStatus* create_kernel(const OrtCustomOp* op, const OrtApi*, const OrtKernelInfo* info,
                         void** kernel) {
  return guarded([&] { *kernel = op_of(op).create(Attributes(info)).release(); });
}

OrtStatus* compute(void* kernel, OrtKernelContext* context) {
  return guarded([&] { static_cast<const Kernel*>(kernel)->compute(Context(context)); });
}

}  // namespace

void check(OrtStatus* status, const char* what) {
  if (!status) return;
  api().release_status(status);
  throw Failure(std::string("onnxruntime refuses ") + what);
}

int Attributes::choice(const char* name, std::initializer_list<const char*> choices) const {
  char text[32];  // longer than any choice
  size_t size = sizeof text;
  OrtStatus* status = api().attribute_string(info_, name, text, &size);
  if (status) {
    api().release_status(status);
    if (size > sizeof text) throw Failure(std::string("unknown ") + name);
    return 0;
  }
  int place = 0;
  for (const char* known : choices) {
    if (std::string(known) == text) return place;
    ++place;
  }
  throw Failure(std::string("unknown ") + name + " \"" + text + "\"");
}

int64_t Attributes::integer(const char* name, int64_t absent) const {
  int64_t value = absent;
  OrtStatus* status = api().attribute_int(info_, name, &value);
  if (!status) return value;
  api().release_status(status);
  return absent;
}

std::vector<int64_t> Attributes::integers(const char* name) const {
  size_t size = 0;
  check(api().attribute_ints(info_, name, nullptr, &size), name);
  std::vector<int64_t> values(size);
  check(api().attribute_ints(info_, name, values.data(), &size), name);
  return values;
}

Tensor Context::input(size_t index) const {
  const OrtValue* value = nullptr;
  check(api().input(context_, index, &value), "an input");
  OrtTensorTypeAndShapeInfo* raw = nullptr;
  check(api().type_and_shape(value, &raw), "an input's shape");
  const std::unique_ptr<OrtTensorTypeAndShapeInfo, void (*)(OrtTensorTypeAndShapeInfo*)> info(
      raw, api().release_type_and_shape);
  Tensor tensor{};
  size_t rank = 0;
  check(api().element_type(raw, &tensor.type), "an input's type");
  check(api().rank(raw, &rank), "an input's rank");
  tensor.shape.resize(rank);
  check(api().dimensions(raw, tensor.shape.data(), rank), "an input's lengths");
  void* data = nullptr;
  check(api().tensor_data(const_cast<OrtValue*>(value), &data), "an input's values");
  tensor.data = data;
  return tensor;
}

bool Context::has_input(size_t index) const {
  const OrtValue* value = nullptr;
  check(api().input(context_, index, &value), "an input");
  return value;
}

void* Context::output_data(size_t index, const Shape& shape) const {
  OrtValue* value = nullptr;
  check(api().output(context_, index, shape.data(), shape.size(), &value), "an output");
  void* data = nullptr;
  check(api().tensor_data(value, &data), "an output's values");
  return data;
}

Op::Op(const char* name, std::vector<Type> inputs, std::vector<Type> outputs, Create create,
       const char* domain, Required required)
    : OrtCustomOp{},
      name(name),
      inputs(std::move(inputs)),
      outputs(std::move(outputs)),
      create(create),
      domain(domain),
      required(required) {
  version = kApiVersion;
  GetName = [](const OrtCustomOp* op) { return op_of(op).name; };
  GetExecutionProviderType = [](const OrtCustomOp*) -> const char* { return nullptr; };
  GetInputType = [](const OrtCustomOp* op, size_t i) -> int { return op_of(op).inputs[i]; };
  GetInputTypeCount = [](const OrtCustomOp* op) { return op_of(op).inputs.size(); };
  GetOutputType = [](const OrtCustomOp* op, size_t i) -> int { return op_of(op).outputs[i]; };
  GetOutputTypeCount = [](const OrtCustomOp* op) { return op_of(op).outputs.size(); };
  KernelDestroy = [](void* kernel) { delete static_cast<Kernel*>(kernel); };
  GetInputCharacteristic = [](const OrtCustomOp* op, size_t i) {
    return i < op_of(op).required.inputs ? kRequired : kOptional;
  };
  GetOutputCharacteristic = [](const OrtCustomOp* op, size_t i) {
    return i < op_of(op).required.outputs ? kRequired : kOptional;
  };
  GetInputMemoryType = [](const OrtCustomOp*, size_t) { return kDefaultMemory; };
  CreateKernelV2 = create_kernel;
  KernelComputeV2 = compute;
  ops().push_back(this);
}

std::vector<const Op*>& ops() {
  static std::vector<const Op*> all;
  return all;
}

}  // namespace onnx2snn
