// Tensors as onnxruntime hands them over, and the windows of time that they hold.
#pragma once

#include <algorithm>
#include <stdexcept>
#include <string>
#include <vector>

#include "ort_api.h"

namespace onnx2snn {

using Shape = std::vector<int64_t>;

// What a node cannot compute. onnxruntime puts the node's name before the words.
struct Failure : std::runtime_error {
  using std::runtime_error::runtime_error;
};

inline size_t elements(const Shape& shape) {
  size_t product = 1;
  for (int64_t length : shape) product *= static_cast<size_t>(length);
  return product;
}

struct Tensor {
  const void* data;
  int type;
  Shape shape;

  template <class Value>
  const Value* values() const {
    return static_cast<const Value*>(data);
  }

  // The value of an int64 tensor that holds one.
  int64_t scalar(const char* name) const {
    if (elements(shape) != 1) throw Failure(std::string(name) + " must be one number");
    return *values<int64_t>();
  }
};

// A number of time steps; the loops count them with 31 bits.
inline size_t steps_of(const Tensor& T) {
  const int64_t steps = T.scalar("T");
  if (steps < 1 || steps > INT32_MAX) {
    throw Failure("T must be from 1 to 2^31 - 1, not " + std::to_string(steps));
  }
  return static_cast<size_t>(steps);
}

// The shape of a window whose steps have this shape.
inline Shape in_time(Shape shape, size_t steps) {
  if (shape.empty()) throw Failure("the input has no axis of samples");
  shape[0] *= static_cast<int64_t>(steps);
  return shape;
}

// How [T·N, ...] is cut in time: `size` values a step, `sample_shape` [N, ...].
struct Window {
  Window(const Tensor& rows, const Tensor& T) : steps(steps_of(T)), sample_shape(rows.shape) {
    if (rows.shape.empty() || rows.shape[0] % static_cast<int64_t>(steps)) {
      throw Failure("the rows are no multiple of T = " + std::to_string(steps));
    }
    sample_shape[0] /= static_cast<int64_t>(steps);
    size = elements(sample_shape);
  }

  size_t steps;
  Shape sample_shape;
  size_t size;
};

// A parameter or state stretched over one step's values, by the rules of NumPy.
template <class Value>
class Broadcast {
 public:
  Broadcast(const Value* data, const Shape& given, const Shape& wanted, const char* name)
      : data_(data) {
    const size_t extra = given.size() > wanted.size() ? given.size() - wanted.size() : 0;
    bool fits = std::all_of(given.begin(), given.begin() + extra, [](int64_t d) { return d == 1; });
    size_t stride = 1;
    for (size_t back = 1; back <= wanted.size(); ++back) {
      const int64_t length = wanted[wanted.size() - back];
      const int64_t have = back <= given.size() ? given[given.size() - back] : 1;
      fits = fits && (have == 1 || have == length);
      put_before(static_cast<size_t>(length), have == 1 ? 0 : stride);
      stride *= static_cast<size_t>(have);
    }
    if (!fits) throw Failure(std::string(name) + " does not broadcast to one step");
  }

  Broadcast(const Tensor& tensor, const Shape& wanted, const char* name)
      : Broadcast(tensor.values<Value>(), tensor.shape, wanted, name) {}

  // Writes the values of the places [begin, begin + count).
  void copy(size_t begin, size_t count, Value* out) const {
    while (count) {
      const Axis inner = axes_.front();
      const size_t at = begin % inner.length;
      const size_t run = std::min(count, inner.length - at);
      const Value* from = data_ + at * inner.stride;
      size_t rest = begin / inner.length;
      for (size_t i = 1; i < axes_.size(); ++i) {
        from += rest % axes_[i].length * axes_[i].stride;
        rest /= axes_[i].length;
      }
      if (inner.stride) {
        std::copy_n(from, run, out);
      } else {
        std::fill_n(out, run, *from);
      }
      begin += run;
      out += run;
      count -= run;
    }
  }

 private:
  struct Axis {
    size_t length;
    size_t stride;
  };

  // Axes are kept innermost first, and joined where the values lie alike.
  void put_before(size_t length, size_t stride) {
    if (length == 1) return;
    Axis& last = axes_.back();
    if (last.length == 1) {
      last = {length, stride};
    } else if (stride == last.stride * last.length) {
      last.length *= length;
    } else {
      axes_.push_back({length, stride});
    }
  }

  const Value* data_;
  std::vector<Axis> axes_{{1, 0}};
};

}  // namespace onnx2snn
