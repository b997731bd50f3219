// The part of onnxruntime's C interface that the kernels use, declared by hand.
//
// Both structs of that interface only ever grow at the end, so the numbers below hold for every
// onnxruntime that offers version 17 of it, 1.17 and newer. `Api` asks for that version by name.
#pragma once

#include <cstddef>
#include <cstdint>

extern "C" {

struct OrtApi;
struct OrtCustomOpDomain;
struct OrtKernelContext;
struct OrtKernelInfo;
struct OrtSessionOptions;
struct OrtStatus;
struct OrtTensorTypeAndShapeInfo;
struct OrtValue;

struct OrtApiBase {
  const OrtApi* (*GetApi)(uint32_t version);
  const char* (*GetVersionString)();
};

struct OrtCustomOp {
  uint32_t version;
  void* (*CreateKernel)(const OrtCustomOp*, const OrtApi*, const OrtKernelInfo*);
  const char* (*GetName)(const OrtCustomOp*);
  const char* (*GetExecutionProviderType)(const OrtCustomOp*);
  int (*GetInputType)(const OrtCustomOp*, size_t index);
  size_t (*GetInputTypeCount)(const OrtCustomOp*);
  int (*GetOutputType)(const OrtCustomOp*, size_t index);
  size_t (*GetOutputTypeCount)(const OrtCustomOp*);
  void (*KernelCompute)(void* kernel, OrtKernelContext*);
  void (*KernelDestroy)(void* kernel);
  int (*GetInputCharacteristic)(const OrtCustomOp*, size_t index);
  int (*GetOutputCharacteristic)(const OrtCustomOp*, size_t index);
  int (*GetInputMemoryType)(const OrtCustomOp*, size_t index);
  int (*GetVariadicInputMinArity)(const OrtCustomOp*);
  int (*GetVariadicInputHomogeneity)(const OrtCustomOp*);
  int (*GetVariadicOutputMinArity)(const OrtCustomOp*);
  int (*GetVariadicOutputHomogeneity)(const OrtCustomOp*);
  OrtStatus* (*CreateKernelV2)(const OrtCustomOp*, const OrtApi*, const OrtKernelInfo*,
                               void** kernel);
  OrtStatus* (*KernelComputeV2)(void* kernel, OrtKernelContext*);
  OrtStatus* (*InferOutputShapeFn)(const OrtCustomOp*, void* context);
  int (*GetStartVersion)(const OrtCustomOp*);
  int (*GetEndVersion)(const OrtCustomOp*);
};

}  // extern "C"

namespace onnx2snn {

constexpr uint32_t kApiVersion = 17;

// Values of onnxruntime's enumerations.
enum Type { kAnyType = 0, kFloat = 1, kUint8 = 2, kInt8 = 3, kInt32 = 6, kInt64 = 7, kDouble = 11 };
constexpr int kRequired = 0;
constexpr int kOptional = 1;
constexpr int kDefaultMemory = 0;
constexpr int kFail = 1;

// The slots of OrtApi that are used, by their place in it.
struct Api {
  explicit Api(const OrtApi* api) : slots_(reinterpret_cast<void* const*>(api)) {
    slot(0, create_status);
    slot(26, create_domain);
    slot(27, add_op);
    slot(28, add_domain);
    slot(51, tensor_data);
    slot(60, element_type);
    slot(61, rank);
    slot(62, dimensions);
    slot(65, type_and_shape);
    slot(86, attribute_int);
    slot(87, attribute_string);
    slot(90, input);
    slot(91, output);
    slot(93, release_status);
    slot(99, release_type_and_shape);
    slot(163, attribute_ints);
    slot(274, parallel_for);
  }

  OrtStatus* (*create_status)(int code, const char* message);
  OrtStatus* (*create_domain)(const char* name, OrtCustomOpDomain** domain);
  OrtStatus* (*add_op)(OrtCustomOpDomain* domain, const OrtCustomOp* op);
  OrtStatus* (*add_domain)(OrtSessionOptions* options, OrtCustomOpDomain* domain);
  OrtStatus* (*tensor_data)(OrtValue* value, void** data);
  OrtStatus* (*element_type)(const OrtTensorTypeAndShapeInfo* info, int* type);
  OrtStatus* (*rank)(const OrtTensorTypeAndShapeInfo* info, size_t* rank);
  OrtStatus* (*dimensions)(const OrtTensorTypeAndShapeInfo* info, int64_t* lengths, size_t rank);
  OrtStatus* (*type_and_shape)(const OrtValue* value, OrtTensorTypeAndShapeInfo** info);
  OrtStatus* (*attribute_int)(const OrtKernelInfo* info, const char* name, int64_t* value);
  OrtStatus* (*attribute_string)(const OrtKernelInfo* info, const char* name, char* text,
                                 size_t* size);
  OrtStatus* (*input)(const OrtKernelContext* context, size_t index, const OrtValue** value);
  OrtStatus* (*output)(OrtKernelContext* context, size_t index, const int64_t* lengths,
                       size_t rank, OrtValue** value);
  void (*release_status)(OrtStatus* status);
  void (*release_type_and_shape)(OrtTensorTypeAndShapeInfo* info);
  OrtStatus* (*attribute_ints)(const OrtKernelInfo* info, const char* name, int64_t* values,
                               size_t* size);
  OrtStatus* (*parallel_for)(const OrtKernelContext* context, void (*work)(void*, size_t),
                             size_t total, size_t batches, void* data);

 private:
  template <class Function>
  void slot(size_t index, Function*& function) {
    function = reinterpret_cast<Function*>(slots_[index]);
  }

  void* const* slots_;
};

}  // namespace onnx2snn
