// The loops over values, compiled once for each instruction set and chosen at run time.
//
// All of them are elementwise or look into tables, so that every variant gives the same bits.
#pragma once

#include <cstddef>
#include <cstdint>

#include "counts.h"
#include "packed.h"

namespace onnx2snn {

// Values that a thread works on at once: its arrays stay in the nearest cache.
constexpr size_t kBlock = 1024;

// Values [begin, begin + count) of `steps` steps; a step is `stride` values behind the last.
struct Steps {
  size_t steps;
  size_t stride;
  size_t count;
};

// A pool over up to three axes; fewer are led by axes of length 1.
struct Pool {
  int64_t in[3];
  int64_t out[3];
  int64_t kernel[3];
  int64_t stride[3];
  int64_t pad[3];
};

// Tables of a staircase: value i looks into row `start[i]` of `tau`, `length` entries long.
struct Staircase {
  const int64_t* tau;
  const int64_t* start;
  int64_t length;
  int64_t lowest;
};

struct Loops {
  const char* name;

  void (*integrate_fire)(Steps, const float* current, const float* theta, float* v, float* spikes,
                         bool subtract);
  void (*leaky_fire)(Steps, const float* current, const float* theta, const float* leak, float* v,
                     float* spikes, bool linear, bool subtract);
  void (*signed_fire)(Steps, const float* current, const float* theta, const float* s_min,
                      const float* s_max, float* v, float* s, float* spikes);
  void (*averaged_fire)(Steps, const float* current, const double* theta, double* v,
                        float* spikes);
  void (*decode)(Steps, const float* current, float* acc, float keep);
  void (*decode_rows)(Steps, const float* current, float* acc, float keep, const float* divisors,
                      float* answers);

  void (*accumulate_floats)(Steps, const float* current, int64_t* acc, int64_t keep);
  void (*accumulate_integers)(Steps, const int64_t* current, int64_t* acc, int64_t keep);
  void (*unary_floats)(Steps, const float* current, Staircase, int64_t* acc, int64_t* s,
                       float* spikes);
  void (*unary_integers)(Steps, const int64_t* current, Staircase, int64_t* acc, int64_t* s,
                         float* spikes);
  void (*find_level)(size_t count, const int64_t* acc, Staircase, int64_t* s);
  void (*speak_in_turn)(Steps, const int64_t* codes, int64_t before, float* spikes);
  void (*spread_evenly)(Steps, const int64_t* codes, float* spikes);
  void (*spread_bits)(Steps, const int64_t* codes, float* spikes);

  void (*largest)(const Pool&, const float* in, float* out);
  void (*sum)(const Pool&, const float* in, float* out);
  void (*add_kept)(size_t count, const float* spikes, float* counts, float keep);
  void (*take_before)(size_t count, float* largest, float* before, float keep);

  CountLoops counts;
  PackedLoops packed;
};

const Loops& loops();

// Whether this processor has the named instruction set; from then on it is used.
bool use_loops(const char* name);

}  // namespace onnx2snn
