// What an op's file needs to become an op of onnxruntime: attributes, the call's context, and
// registration by a static object at the definition.
#pragma once

#include <initializer_list>
#include <memory>
#include <string>
#include <vector>

#include "loops.h"
#include "tensor.h"

namespace onnx2snn {

// The interface of the onnxruntime that loaded this library.
const Api& api();

// Throws what a status says, if it says anything.
void check(OrtStatus* status, const char* what);

// The attributes of a node.
class Attributes {
 public:
  explicit Attributes(const OrtKernelInfo* info) : info_(info) {}

  // The place of a string attribute's value among the choices; 0 where the node leaves it out.
  int choice(const char* name, std::initializer_list<const char*> choices) const;
  int64_t integer(const char* name, int64_t absent) const;
  std::vector<int64_t> integers(const char* name) const;

 private:
  const OrtKernelInfo* info_;
};

// One call of a node.
class Context {
 public:
  explicit Context(OrtKernelContext* context) : context_(context) {}

  Tensor input(size_t index) const;

  // Whether the node has that input; it may leave out those that are not required.
  bool has_input(size_t index) const;

  template <class Value>
  Value* output(size_t index, const Shape& shape) const {
    return static_cast<Value*>(output_data(index, shape));
  }

  // work(i) for every i < count, on the session's threads. It must not throw.
  template <class Work>
  void parallel(size_t count, const Work& work) const {
    if (count == 0) return;
    if (count == 1) return work(size_t{0});
    const auto call = [](void* data, size_t i) { (*static_cast<const Work*>(data))(i); };
    check(api().parallel_for(context_, call, count, 0, const_cast<Work*>(&work)), "threads");
  }

  // work(begin, count) for blocks that together are [0, size).
  template <class Work>
  void in_blocks(size_t size, const Work& work) const {
    parallel((size + kBlock - 1) / kBlock, [&](size_t block) {
      work(block * kBlock, std::min(kBlock, size - block * kBlock));
    });
  }

 private:
  void* output_data(size_t index, const Shape& shape) const;

  OrtKernelContext* context_;
};

// A node of one op; made once, called from any thread.
class Kernel {
 public:
  virtual ~Kernel() = default;
  virtual void compute(const Context& context) const = 0;
};

// The ops of the files, and those that the runtime puts in their place when it loads one.
constexpr char kDomain[] = "org.onnx2snn";
constexpr char kPackedDomain[] = "org.onnx2snn.packed";
constexpr char kCountDomain[] = "org.onnx2snn.counts";

// How many of an op's inputs and outputs, counted from the first, a node must have.
struct Required {
  size_t inputs = SIZE_MAX;
  size_t outputs = SIZE_MAX;
};

// An op, registered by its construction.
struct Op : OrtCustomOp {
  using Create = std::unique_ptr<Kernel> (*)(const Attributes&);

  Op(const char* name, std::vector<Type> inputs, std::vector<Type> outputs, Create create,
     const char* domain = kDomain, Required required = {});

  const char* name;
  std::vector<Type> inputs;
  std::vector<Type> outputs;
  Create create;
  const char* domain;
  Required required;
};

// All ops, in order of registration.
std::vector<const Op*>& ops();

template <class Definition>
std::unique_ptr<Kernel> make(const Attributes& attributes) {
  return std::make_unique<Definition>(attributes);
}

}  // namespace onnx2snn
