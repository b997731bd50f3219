// What the counting ops share: images as planes, constants by channel, sums of currents.
#pragma once

#include <type_traits>

#include "../op.h"

namespace onnx2snn {

// Constants [C or 1, width] of the channels.
template <class Real>
class ByChannel {
 public:
  ByChannel(const Tensor& tensor, size_t channels, const char* name)
      : data_(tensor.values<Real>()) {
    const Shape& shape = tensor.shape;
    const size_t rows = shape.size() == 2 ? static_cast<size_t>(shape[0]) : 0;
    if (rows != 1 && rows != channels) {
      throw Failure(std::string(name) + " has no row for each channel");
    }
    width_ = static_cast<size_t>(shape[1]);
    stride_ = rows == 1 ? 0 : width_;
  }

  const Real* at(size_t channel) const { return data_ + channel * stride_; }
  size_t width() const { return width_; }

 private:
  const Real* data_;
  size_t width_;
  size_t stride_;
};

// [N, C, ...] as N·C planes.
class Planes {
 public:
  explicit Planes(const Shape& shape) {
    if (shape.size() < 2) throw Failure("the currents have no channels");
    channels_ = static_cast<size_t>(shape[1]);
    count_ = static_cast<size_t>(shape[0]) * channels_;
    size_ = elements(Shape(shape.begin() + 2, shape.end()));
  }

  size_t channels() const { return channels_; }

  // work(channel, begin, count) for blocks that together are all values.
  template <class Work>
  void run(const Context& context, const Work& work) const {
    const size_t share = std::max<size_t>(1, kShare / std::max<size_t>(1, size_));
    context.parallel((count_ + share - 1) / share, [&](size_t part) {
      const size_t end = std::min(count_, (part + 1) * share);
      for (size_t plane = part * share; plane < end; ++plane) {
        for (size_t at = 0; at < size_; at += kBlock) {
          work(plane % channels_, plane * size_ + at, std::min(kBlock, size_ - at));
        }
      }
    });
  }

 private:
  static constexpr size_t kShare = 8 * kBlock;  // values of a thread's part

  size_t channels_;
  size_t count_;
  size_t size_;
};

inline void scale(size_t count, const float* x, float factor, float* acc) {
  loops().counts.scale_floats(count, x, factor, acc);
}
inline void scale(size_t count, const float* x, double factor, double* acc) {
  loops().counts.scale_widened(count, x, factor, acc);
}
inline void scale(size_t count, const double* x, double factor, double* acc) {
  loops().counts.scale_doubles(count, x, factor, acc);
}
inline void add(size_t count, const float* x, float factor, float* acc) {
  loops().counts.add_floats(count, x, factor, acc);
}
inline void add(size_t count, const float* x, double factor, double* acc) {
  loops().counts.add_widened(count, x, factor, acc);
}
inline void add(size_t count, const double* x, double factor, double* acc) {
  loops().counts.add_doubles(count, x, factor, acc);
}

// The sums of a population's currents over the window: one or two tensors, each times its factor.
template <class Real>
class Sums {
 public:
  // `factors` [C or 1, 2]; the second tensor may be left out.
  Sums(const Context& context, size_t first, size_t second, const ByChannel<Real>& factors)
      : factors_(factors), tensors_{context.input(first)} {
    if (context.has_input(second)) tensors_.push_back(context.input(second));
    for (const Tensor& tensor : tensors_) {
      if (tensor.shape != tensors_[0].shape) throw Failure("the currents are of two shapes");
      const bool fits = std::is_same_v<Real, double> && tensor.type == kDouble;
      if (tensor.type != kFloat && !fits) {
        throw Failure("the currents are of a type that their sum is not");
      }
    }
    if (factors.width() != tensors_.size()) throw Failure("a factor for each of the currents");
  }

  // The values of a block, if there is one tensor of floats and nothing is multiplied; or nothing.
  const float* alone(size_t channel, size_t begin) const {
    const bool plain = tensors_.size() == 1 && tensors_[0].type == kFloat;
    return plain && factors_.at(channel)[0] == 1 ? tensors_[0].values<float>() + begin : nullptr;
  }

  // The values of a block, if there are two tensors of floats.
  bool paired() const {
    return tensors_.size() == 2 && tensors_[0].type == kFloat && tensors_[1].type == kFloat;
  }
  Pair<Real> pair(size_t channel, size_t begin) const {
    const Real* factors = factors_.at(channel);
    return {tensors_[0].values<float>() + begin, tensors_[1].values<float>() + begin, factors[0],
            factors[1]};
  }

  void fill(size_t channel, size_t begin, size_t count, Real* acc) const {
    for (size_t i = 0; i < tensors_.size(); ++i) {
      const Real factor = factors_.at(channel)[i];
      if (tensors_[i].type == kFloat) {
        join(i, count, tensors_[i].values<float>() + begin, factor, acc);
      } else if constexpr (std::is_same_v<Real, double>) {
        join(i, count, tensors_[i].values<double>() + begin, factor, acc);
      }
    }
  }

 private:
  // The first product is what the others are added to.
  template <class Value>
  static void join(size_t i, size_t count, const Value* x, Real factor, Real* acc) {
    i == 0 ? scale(count, x, factor, acc) : add(count, x, factor, acc);
  }

  const ByChannel<Real> factors_;
  std::vector<Tensor> tensors_;
};

}  // namespace onnx2snn
