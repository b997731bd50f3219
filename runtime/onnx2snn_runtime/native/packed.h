// The loops of the packed ops over spikes of one byte, compiled once for each instruction set.
#pragma once

#include "dot.h"

namespace onnx2snn {

// A part of a row of the image: so many bytes from an offset on, or padding (offset −1).
struct Piece {
  int64_t offset;
  size_t length;
};

// What the pixels of a patch see of one step's images.
struct Views {
  const Piece* pieces;  // [pixels][most_pieces]
  const size_t* piece_counts;
  size_t most_pieces;
  size_t pixels;
  size_t step_size;
  size_t depth;  // of a row: what the pieces do not fill has weight 0
  uint8_t filler;
};

// Constants of `width` neurons that lie side by side; a multiple of 16. Weights are numbers of one
// or more digits to the base of 256, each with sums and an offset of its own, lowest first.
struct Columns {
  const int32_t* offset;
  const float* scale;
  const float* bias;
  size_t width;
  size_t digits;
  size_t sums_stride;    // sums from one digit to the next
  size_t offset_stride;  // offsets likewise
};

// Spikes of other neurons that arrive with an amplitude; null where there are none.
struct Shortcut {
  const uint8_t* spikes;
  const float* amplitude;
  int zero_point;
};

// Neurons side by side for some steps and pixels, and where their spikes go.
struct Population {
  size_t steps;
  size_t pixels;
  size_t width;
  size_t valid;         // neurons of the width that exist
  size_t step_stride;   // spikes between one step and the next
  size_t pixel_stride;  // spikes between one pixel and the next
  const float* theta;
  const float* s_min;  // signed neurons only
  const float* s_max;
};

struct PackedLoops {
  Multiply multiply;
  // The rows of a product, [steps][pixels][depth]: a pixel's pieces one after the other, padding
  // as `filler`.
  void (*gather)(const Views&, const uint8_t* images, size_t steps, uint8_t* rows);
  // currents[r][j] = (sums[r][j] − offset[j]) · scale[j] + bias[j]
  void (*drive)(const Columns&, size_t rows, const int32_t* sums, float* currents);
  // The same of several digits, in float64 until the current is there.
  void (*drive_digits)(const Columns&, size_t rows, const int32_t* sums, float* currents);
  // currents[step][pixel][j] += amplitude[j] · spike; the spikes lie as the population's.
  void (*add_shortcut)(const Population&, Shortcut, float* currents);
  void (*add_currents)(const Population&, const float* others, float* currents);
  void (*fire)(const Population&, const float* currents, float* v, uint8_t* spikes,
               bool subtract);
  // Spikes −1, 0, 1 are written as 0, 1, 2.
  void (*fire_signed)(const Population&, const float* currents, float* v, float* s,
                      uint8_t* spikes);
  // counts += spikes − zero_point
  void (*count)(size_t size, const uint8_t* spikes, int zero_point, int32_t* counts);
  void (*larger)(size_t size, const int32_t* counts, int32_t* largest);
  // spikes = largest − before + zero_point; before = largest
  void (*emit)(size_t size, const int32_t* largest, int zero_point, int32_t* before,
               uint8_t* spikes);
};

}  // namespace onnx2snn
