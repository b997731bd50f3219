// Where the windows of a convolution lie in images of one byte a spike, channels last.
#pragma once

#include "../op.h"

namespace onnx2snn {

// A convolution's attributes; a layer that sees whole images flat has a window of one pixel.
struct WindowAttributes {
  explicit WindowAttributes(const Attributes& a)
      : flat(a.integer("flat", 0)), strides(two(a, "strides")), dilations(two(a, "dilations")) {
    kernel = two(a, "kernel_shape");
    pads = a.integers("pads");
    const auto positive = [](int64_t length) { return length > 0; };
    for (const auto& lengths : {kernel, strides, dilations}) {
      if (!std::all_of(lengths.begin(), lengths.end(), positive)) throw Failure("lengths of 0");
    }
    if (pads.size() != 4) throw Failure("pads are not of two axes");
  }

  bool flat;
  std::vector<int64_t> kernel;
  std::vector<int64_t> strides;
  std::vector<int64_t> dilations;
  std::vector<int64_t> pads;

 private:
  static std::vector<int64_t> two(const Attributes& a, const char* name) {
    std::vector<int64_t> values = a.integers(name);
    if (values.size() != 2) throw Failure(std::string(name) + " is not of two axes");
    return values;
  }
};

// The convolution of images [R, H, W, C].
struct Geometry {
  Geometry(const WindowAttributes& window, const Shape& images) : window(window) {
    if (images.size() != 4) throw Failure("the spikes are not [R, H, W, C]");
    rows = images[0];
    in[0] = window.flat ? 1 : images[1];
    in[1] = window.flat ? 1 : images[2];
    channels = window.flat ? images[1] * images[2] * images[3] : images[3];
    for (int i = 0; i < 2; ++i) {
      const int64_t reach = window.dilations[i] * (window.kernel[i] - 1) + 1;
      const int64_t room = in[i] + window.pads[i] + window.pads[i + 2] - reach;
      if (room < 0) throw Failure("the kernel is larger than the padded image");
      out[i] = room / window.strides[i] + 1;
    }
  }

  size_t image_size() const { return static_cast<size_t>(in[0] * in[1] * channels); }

  size_t most_pieces() const { return static_cast<size_t>(window.kernel[0] * window.kernel[1]); }

  // What an output pixel sees of channels [first, first + count), as pieces of all images of a
  // step: `pixel` counts through them. Gives the number of pieces.
  size_t pieces(size_t pixel, int64_t first, int64_t count, Piece* pieces) const {
    const int64_t at = static_cast<int64_t>(pixel) % (out[0] * out[1]);
    const int64_t sample = static_cast<int64_t>(pixel) / (out[0] * out[1]);
    const int64_t image = sample * static_cast<int64_t>(image_size()) + first;
    const int64_t top = at / out[1] * window.strides[0] - window.pads[0];
    const int64_t left = at % out[1] * window.strides[1] - window.pads[1];
    // Pixels side by side are one piece, if all their channels are seen.
    const bool joins = count == channels && window.dilations[1] == 1;
    const bool fits = joins && left >= 0 && left + window.kernel[1] <= in[1];
    Piece* next = pieces;
    for (int64_t k0 = 0; k0 < window.kernel[0]; ++k0) {
      const int64_t y = top + k0 * window.dilations[0];
      const bool outside = y < 0 || y >= in[0];
      if (outside || fits) {
        const int64_t offset = outside ? -1 : image + (y * in[1] + left) * channels;
        *next++ = {offset, static_cast<size_t>(count * window.kernel[1])};
        continue;
      }
      for (int64_t k1 = 0; k1 < window.kernel[1]; ++k1) {
        const int64_t x = left + k1 * window.dilations[1];
        const bool inside = x >= 0 && x < in[1];
        *next++ = {inside ? image + (y * in[1] + x) * channels : -1, static_cast<size_t>(count)};
      }
    }
    return static_cast<size_t>(next - pieces);
  }

  WindowAttributes window;
  int64_t rows;
  int64_t in[2];
  int64_t out[2];
  int64_t channels;
};

}  // namespace onnx2snn
