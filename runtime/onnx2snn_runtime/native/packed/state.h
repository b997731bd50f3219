// States of neurons: [N, C, ...] in the file and between windows, [pixel][neuron] at work.
#pragma once

#include "../tensor.h"

namespace onnx2snn {

// Neurons that are worked on together. Pixels are counted through all samples of a step.
struct Patch {
  size_t first_pixel;
  size_t pixels;
  size_t channel;  // the first
  size_t valid;    // channels
  size_t width;    // values from one pixel to the next
};

// Pixels of a sample, of [N, C, ...].
inline size_t pixels_of(const Shape& sample_shape) {
  return elements(Shape(sample_shape.begin() + 2, sample_shape.end()));
}

class State {
 public:
  State(const Tensor& initial, const Shape& sample_shape, const char* name)
      : initial_(initial, sample_shape, name),
        channels_(static_cast<size_t>(sample_shape[1])),
        image_(pixels_of(sample_shape)),
        by_channel_(only_channels(initial.shape, sample_shape.size())) {}

  // Writes [pixels][width], the places that are no channel's as 0.
  void load(const Patch& p, float* values) const {
    std::fill_n(values, p.pixels * p.width, 0.0f);
    if (by_channel_) {
      for (size_t c = 0; c < p.valid; ++c) initial_.copy((p.channel + c) * image_, 1, values + c);
      for (size_t i = 1; i < p.pixels; ++i) std::copy_n(values, p.valid, values + i * p.width);
      return;
    }
    each_run(p, [&](size_t place, size_t pixel, size_t count, size_t c) {
      float run[kRun];
      initial_.copy(place, count, run);
      for (size_t i = 0; i < count; ++i) values[(pixel + i) * p.width + c] = run[i];
    });
  }

  // Writes what is at work to [N, C, ...].
  void store(const Patch& p, const float* values, float* final) const {
    each_run(p, [&](size_t place, size_t pixel, size_t count, size_t c) {
      const float* from = values + pixel * p.width + c;
      for (size_t i = 0; i < count; ++i) final[place + i] = from[i * p.width];
    });
  }

 private:
  static constexpr size_t kRun = 128;

  static bool only_channels(const Shape& shape, size_t rank) {
    for (size_t back = 1; back <= shape.size(); ++back) {
      if (back + 1 != rank && shape[shape.size() - back] != 1) return false;
    }
    return true;
  }

  // work(place in [N, C, ...], pixel of the patch, count, channel) for pixels of one image.
  template <class Work>
  void each_run(const Patch& p, const Work& work) const {
    for (size_t pixel = 0; pixel < p.pixels;) {
      const size_t sample = (p.first_pixel + pixel) / image_;
      const size_t at = (p.first_pixel + pixel) % image_;
      const size_t count = std::min({p.pixels - pixel, image_ - at, kRun});
      for (size_t c = 0; c < p.valid; ++c) {
        work((sample * channels_ + p.channel + c) * image_ + at, pixel, count, c);
      }
      pixel += count;
    }
  }

  Broadcast<float> initial_;
  size_t channels_;
  size_t image_;
  bool by_channel_;
};

}  // namespace onnx2snn
