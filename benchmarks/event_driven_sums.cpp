// Sums that visit only what fires, beside the kernels that multiply everything.
// Compiled and run by event_driven_sums.py. Prints: activity, depth, outputs, and GMAC/s of each way,
// counting silent synapses too, and the finding of spikes.

#include <immintrin.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "dot.h"

#define AVX512 __attribute__((target("avx512f,avx512bw,avx512vnni")))

using namespace onnx2snn;

constexpr size_t kRows = 128;

// The places of 16 values at a time where a mask is set.
AVX512 static size_t put(__mmask16 mask, int first, uint32_t* to) {
  const __m512i lanes = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  const __m512i places = _mm512_add_epi32(lanes, _mm512_set1_epi32(first));
  _mm512_storeu_si512(to, _mm512_maskz_compress_epi32(mask, places));
  return static_cast<size_t>(__builtin_popcount(mask));
}

// Places of the bytes that are not 0.
AVX512 static size_t find_spikes(const uint8_t* row, size_t depth, uint32_t* to) {
  size_t n = 0;
  for (size_t k = 0; k < depth; k += 16) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(row + k));
    const __m512i values = _mm512_cvtepu8_epi32(bytes);
    n += put(_mm512_test_epi32_mask(values, values), static_cast<int>(k), to + n);
  }
  return n;
}

// Places of the quads that are not 0.
AVX512 static size_t find_quads(const uint8_t* row, size_t depth, uint32_t* to) {
  size_t n = 0;
  for (size_t k = 0; k < depth; k += 64) {
    const __m512i quads = _mm512_loadu_si512(row + k);
    n += put(_mm512_test_epi32_mask(quads, quads), static_cast<int>(k / 4), to + n);
  }
  return n;
}

// Adds float weights of 32 outputs for every spike.
AVX512 static void add_floats(const uint32_t* at, size_t n, const float* w, size_t depth,
                              float* sums) {
  __m512 a = _mm512_setzero_ps(), b = a;
  for (size_t i = 0; i < n; ++i) {
    a = _mm512_add_ps(a, _mm512_loadu_ps(w + at[i] * 16));
    b = _mm512_add_ps(b, _mm512_loadu_ps(w + (depth + at[i]) * 16));
  }
  _mm512_storeu_ps(sums, a);
  _mm512_storeu_ps(sums + 16, b);
}

// Multiplies quads with int8 weights of 32 outputs.
AVX512 static void add_quads(const uint8_t* row, const uint32_t* at, size_t n, const int8_t* w,
                             size_t depth, int32_t* sums) {
  __m512i a = _mm512_setzero_si512(), b = a;
  for (size_t i = 0; i < n; ++i) {
    int quad;
    __builtin_memcpy(&quad, row + at[i] * 4, 4);
    const __m512i spikes = _mm512_set1_epi32(quad);
    a = _mm512_dpbusd_epi32(a, spikes, _mm512_loadu_si512(w + at[i] * 64));
    b = _mm512_dpbusd_epi32(b, spikes, _mm512_loadu_si512(w + depth * 16 + at[i] * 64));
  }
  _mm512_storeu_si512(sums, a);
  _mm512_storeu_si512(sums + 16, b);
}

template <class Way>
static double speed(size_t depth, size_t outputs, const Way& way) {
  double best = 1e9;
  for (int i = 0; i < 7; ++i) {
    const auto start = std::chrono::steady_clock::now();
    way();
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    if (took.count() < best) best = took.count();
  }
  return static_cast<double>(kRows * depth * outputs) / best / 1e9;
}

static void measure(double activity, size_t depth, size_t outputs) {
  std::vector<uint8_t> rows(kRows * depth);
  for (auto& x : rows) x = std::rand() < activity * RAND_MAX;
  std::vector<int8_t> w(outputs * depth);
  for (auto& x : w) x = static_cast<int8_t>(std::rand() % 255 - 127);
  const std::vector<float> floats(w.begin(), w.end());
  std::vector<int32_t> sums(kRows * outputs);
  std::vector<float> float_sums(kRows * outputs);
  std::vector<uint32_t> places(kRows * (depth + 16));
  std::vector<size_t> counts(kRows);
  const auto find = [&](auto finder) {
    for (size_t r = 0; r < kRows; ++r) {
      counts[r] = finder(&rows[r * depth], depth, &places[r * (depth + 16)]);
    }
  };
  const auto dense = [&](Multiply multiply) {
    return speed(depth, outputs, [&] {
      for (size_t j = 0; j < outputs; j += 32) {
        multiply({rows.data(), &w[j * depth], sums.data(), kRows, depth, 2});
      }
    });
  };
  const double events = speed(depth, outputs, [&] {
    find(find_spikes);
    for (size_t j = 0; j < outputs; j += 32) {
      for (size_t r = 0; r < kRows; ++r) {
        add_floats(&places[r * (depth + 16)], counts[r], &floats[j * depth], depth,
                   &float_sums[r * outputs + j]);
      }
    }
  });
  const double quads = speed(depth, outputs, [&] {
    find(find_quads);
    for (size_t j = 0; j < outputs; j += 32) {
      for (size_t r = 0; r < kRows; ++r) {
        add_quads(&rows[r * depth], &places[r * (depth + 16)], counts[r], &w[j * depth], depth,
                  &sums[r * outputs + j]);
      }
    }
  });
  std::printf("%g %zu %zu %.0f %.0f %.0f %.0f %.0f\n", activity, depth, outputs, events, quads,
              dense(multiply_avx2), dense(multiply_vnni), amx_works() ? dense(multiply_amx) : 0.0);
}

int main() {
  const size_t layers[][2] = {{192, 32}, {576, 64}, {1152, 128}, {2304, 256}, {4608, 512}};
  for (double activity : {0.05, 0.1, 0.2, 0.4}) {
    for (const auto& layer : layers) measure(activity, layer[0], layer[1]);
  }
}
