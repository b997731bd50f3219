// The loops of the counting ops: a window in one pass, compiled once for each instruction set.
#pragma once

#include <cstddef>
#include <cstdint>

namespace onnx2snn {

// Averaging neurons of one channel; `divisor` is 1/theta where products are wanted.
struct AveragedNeurons {
  float v_init;
  float theta;
  float divisor;
  float steps;
  bool divides;
};

// The staircase of one channel: entry k is the least accumulator of level k; that of level 0 is
// minus infinity. A code is `lowest` and the level, cut to [low, high].
template <class Real>
struct Stairs {
  const Real* entries;
  int32_t last;
  int32_t lowest;
  int32_t low;
  int32_t high;
};

// (acc − start) · slope, rounded down and cut: the level, or at most one above it.
template <class Real>
struct Line {
  Real start;
  Real slope;
  Real least;
  Real most;
};

// Two tensors, each times its factor.
template <class Real>
struct Pair {
  const float* x;
  const float* y;
  Real x_factor;
  Real y_factor;
};

struct CountLoops {
  // acc = factor · x
  void (*scale_floats)(size_t count, const float* x, float factor, float* acc);
  void (*scale_widened)(size_t count, const float* x, double factor, double* acc);
  void (*scale_doubles)(size_t count, const double* x, double factor, double* acc);
  // acc += factor · x
  void (*add_floats)(size_t count, const float* x, float factor, float* acc);
  void (*add_widened)(size_t count, const float* x, double factor, double* acc);
  void (*add_doubles)(size_t count, const double* x, double factor, double* acc);
  void (*averaged)(size_t count, const float* sums, AveragedNeurons, float* counts);
  // Potentials that begin anywhere, also below 0 or above the threshold.
  void (*averaged_anywhere)(size_t count, const float* sums, AveragedNeurons, float* counts);
  void (*line_floats)(size_t count, const float* acc, Stairs<float>, Line<float>, float* codes);
  void (*line_widened)(size_t count, const float* acc, Stairs<double>, Line<double>,
                       float* codes);
  void (*line_doubles)(size_t count, const double* acc, Stairs<double>, Line<double>,
                       float* codes);
  void (*line_float_pairs)(size_t count, Pair<float>, Stairs<float>, Line<float>, float* codes);
  void (*line_double_pairs)(size_t count, Pair<double>, Stairs<double>, Line<double>,
                            float* codes);
  // The same where the line may be one too high: the entries tell.
  void (*guess_floats)(size_t count, const float* acc, Stairs<float>, Line<float>, float* codes);
  void (*guess_doubles)(size_t count, const double* acc, Stairs<double>, Line<double>,
                        float* codes);
  void (*bisect_floats)(size_t count, const float* acc, Stairs<float>, float* codes);
  void (*bisect_doubles)(size_t count, const double* acc, Stairs<double>, float* codes);
};

}  // namespace onnx2snn
