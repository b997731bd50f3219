// What the pooling ops share: windows over images, and the walk over planes.
#pragma once

#include "op.h"

namespace onnx2snn {

// A pool's attributes.
struct PoolAttributes {
  explicit PoolAttributes(const Attributes& a)
      : kernel(a.integers("kernel_shape")), strides(a.integers("strides")),
        pads(a.integers("pads")) {
    const size_t rank = kernel.size();
    if (rank < 1 || rank > 3 || strides.size() != rank || pads.size() != 2 * rank) {
      throw Failure("kernel_shape, strides and pads are not of one to three axes");
    }
    for (size_t i = 0; i < rank; ++i) {
      if (kernel[i] < 1 || strides[i] < 1 || pads[i] < 0 || pads[i + rank] < 0) {
        throw Failure("kernel_shape and strides must be positive, pads not negative");
      }
    }
  }

  std::vector<int64_t> kernel;
  std::vector<int64_t> strides;
  std::vector<int64_t> pads;
};

// The pool of one step [N, C, ...]; a plane is the image of one channel of one sample.
struct PoolOfStep {
  PoolOfStep(const PoolAttributes& a, const Shape& sample_shape) : out_shape(sample_shape) {
    const size_t rank = a.kernel.size(), lead = 3 - rank;
    if (sample_shape.size() != rank + 2) throw Failure("the image's axes are not the kernel's");
    for (size_t i = 0; i < lead; ++i) {
      pool.in[i] = pool.out[i] = pool.kernel[i] = pool.stride[i] = 1;
      pool.pad[i] = 0;
    }
    for (size_t i = 0; i < rank; ++i) {
      const int64_t length = sample_shape[i + 2];
      const int64_t room = length + a.pads[i] + a.pads[i + rank] - a.kernel[i];
      if (room < 0) throw Failure("the kernel is larger than the padded image");
      pool.in[lead + i] = length;
      pool.out[lead + i] = out_shape[i + 2] = room / a.strides[i] + 1;
      pool.kernel[lead + i] = a.kernel[i];
      pool.stride[lead + i] = a.strides[i];
      pool.pad[lead + i] = a.pads[i];
    }
    planes = static_cast<size_t>(sample_shape[0] * sample_shape[1]);
    in_size = static_cast<size_t>(pool.in[0] * pool.in[1] * pool.in[2]);
    out_size = static_cast<size_t>(pool.out[0] * pool.out[1] * pool.out[2]);
  }

  Shape out_shape;
  Pool pool;
  size_t planes;
  size_t in_size;
  size_t out_size;
};

}  // namespace onnx2snn
