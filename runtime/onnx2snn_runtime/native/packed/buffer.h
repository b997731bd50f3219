// Working memory of one thread.
#pragma once

#include <memory>
#include <new>

namespace onnx2snn {

// Values that begin where a cache line does, all zero at first.
template <class Value>
class Buffer {
 public:
  explicit Buffer(size_t size)
      : values_(static_cast<Value*>(::operator new(size * sizeof(Value), kLine))) {
    std::uninitialized_value_construct_n(values_.get(), size);
  }

  Value* data() const { return values_.get(); }

 private:
  static constexpr std::align_val_t kLine{64};

  struct Release {
    void operator()(Value* values) const { ::operator delete(values, kLine); }
  };

  std::unique_ptr<Value[], Release> values_;
};

}  // namespace onnx2snn
