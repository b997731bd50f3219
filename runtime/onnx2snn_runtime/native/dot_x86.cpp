#include "dot.h"

#if defined(__x86_64__)

#include <immintrin.h>

// Only intrinsics are called here: any other inline function would be compiled for a processor
// that may not be there, and could be the copy that the linker keeps for everybody.

namespace onnx2snn {
namespace {

// Four spikes in every 32 bits.
inline int quad_at(const uint8_t* at) {
  int quad;
  __builtin_memcpy(&quad, at, sizeof quad);
  return quad;
}

#define AVX2 __attribute__((target("avx2")))

// Products of 0, 1 and 2 with int8 cannot saturate the 16 bits between.
AVX2 inline __m256i add_products(__m256i sum, __m256i spikes, __m256i weights) {
  const __m256i pairs = _mm256_maddubs_epi16(spikes, weights);
  return _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}

// Four rows times one block, so that sums, weights and spikes fit sixteen registers.
AVX2 void four_rows_avx2(const Product& p, size_t first, size_t block) {
  const uint8_t* rows = p.rows + first * p.depth;
  const int8_t* weights = p.weights + block * p.depth * kLanes;
  __m256i low[4], high[4];
  for (int r = 0; r < 4; ++r) low[r] = high[r] = _mm256_setzero_si256();
  for (size_t k = 0; k < p.depth; k += kQuad, weights += kQuad * kLanes) {
    const __m256i left = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(weights));
    const __m256i right = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(weights + 32));
    for (int r = 0; r < 4; ++r) {
      const __m256i spikes = _mm256_set1_epi32(quad_at(rows + r * p.depth + k));
      low[r] = add_products(low[r], spikes, left);
      high[r] = add_products(high[r], spikes, right);
    }
  }
  for (int r = 0; r < 4; ++r) {
    int32_t* sums = p.sums + (first + r) * p.blocks * kLanes + block * kLanes;
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(sums), low[r]);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(sums + 8), high[r]);
  }
}

#define AVX512 __attribute__((target("avx512f,avx512bw")))
#define VNNI __attribute__((target("avx512f,avx512bw,avx512vnni")))

struct Pairs {
  AVX512 static inline __m512i add(__m512i sum, __m512i spikes, __m512i weights) {
    const __m512i pairs = _mm512_maddubs_epi16(spikes, weights);
    return _mm512_add_epi32(sum, _mm512_madd_epi16(pairs, _mm512_set1_epi16(1)));
  }
};

// Eight rows times kBlocks blocks.
#define EIGHT_ROWS(TARGET, NAME, ADD)                                                        \
  template <int kBlocks>                                                                     \
  TARGET void NAME(const Product& p, size_t first) {                                         \
    const uint8_t* rows = p.rows + first * p.depth;                                          \
    const size_t block = p.depth * kLanes;                                                   \
    __m512i sums[8][kBlocks];                                                                \
    for (int r = 0; r < 8; ++r)                                                              \
      for (int b = 0; b < kBlocks; ++b) sums[r][b] = _mm512_setzero_si512();                 \
    for (size_t k = 0; k < p.depth; k += kQuad) {                                            \
      __m512i weights[kBlocks];                                                              \
      for (int b = 0; b < kBlocks; ++b)                                                      \
        weights[b] = _mm512_loadu_si512(p.weights + b * block + k * kLanes);                 \
      for (int r = 0; r < 8; ++r) {                                                          \
        const __m512i spikes = _mm512_set1_epi32(quad_at(rows + r * p.depth + k));           \
        for (int b = 0; b < kBlocks; ++b) sums[r][b] = ADD(sums[r][b], spikes, weights[b]);  \
      }                                                                                      \
    }                                                                                        \
    for (int r = 0; r < 8; ++r)                                                              \
      for (int b = 0; b < kBlocks; ++b)                                                      \
        _mm512_storeu_si512(p.sums + ((first + r) * kBlocks + b) * kLanes, sums[r][b]);      \
  }

EIGHT_ROWS(AVX512, eight_rows_avx512, Pairs::add)
EIGHT_ROWS(VNNI, eight_rows_vnni, _mm512_dpbusd_epi32)

#define AMX __attribute__((target("amx-tile,amx-int8")))

struct alignas(64) TileShapes {
  uint8_t palette = 1;
  uint8_t start_row = 0;
  uint8_t reserved[14] = {};
  uint16_t bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};

constexpr TileShapes kAllTiles;

AMX void tiles_2x2(const Product& p, size_t first) {
  const uint8_t* upper = p.rows + first * p.depth;
  const uint8_t* lower = upper + kTileRows * p.depth;
  const int8_t* left = p.weights;
  const int8_t* right = left + p.depth * kLanes;
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  for (size_t k = 0; k < p.depth; k += kTileDepth) {
    _tile_loadd(4, upper + k, p.depth);
    _tile_loadd(6, left + k * kLanes, 64);
    _tile_loadd(5, lower + k, p.depth);
    _tile_loadd(7, right + k * kLanes, 64);
    _tile_dpbusd(0, 4, 6);
    _tile_dpbusd(1, 4, 7);
    _tile_dpbusd(2, 5, 6);
    _tile_dpbusd(3, 5, 7);
  }
  int32_t* sums = p.sums + first * 2 * kLanes;
  _tile_stored(0, sums, 128);
  _tile_stored(1, sums + kLanes, 128);
  _tile_stored(2, sums + 2 * kTileRows * kLanes, 128);
  _tile_stored(3, sums + 2 * kTileRows * kLanes + kLanes, 128);
}

AMX void tiles_1x2(const Product& p, size_t first) {
  const uint8_t* rows = p.rows + first * p.depth;
  const int8_t* right = p.weights + p.depth * kLanes;
  _tile_zero(0);
  _tile_zero(1);
  for (size_t k = 0; k < p.depth; k += kTileDepth) {
    _tile_loadd(4, rows + k, p.depth);
    _tile_loadd(6, p.weights + k * kLanes, 64);
    _tile_loadd(7, right + k * kLanes, 64);
    _tile_dpbusd(0, 4, 6);
    _tile_dpbusd(1, 4, 7);
  }
  int32_t* sums = p.sums + first * 2 * kLanes;
  _tile_stored(0, sums, 128);
  _tile_stored(1, sums + kLanes, 128);
}

AMX void tiles_2x1(const Product& p, size_t first) {
  const uint8_t* upper = p.rows + first * p.depth;
  const uint8_t* lower = upper + kTileRows * p.depth;
  _tile_zero(0);
  _tile_zero(2);
  for (size_t k = 0; k < p.depth; k += kTileDepth) {
    _tile_loadd(4, upper + k, p.depth);
    _tile_loadd(5, lower + k, p.depth);
    _tile_loadd(6, p.weights + k * kLanes, 64);
    _tile_dpbusd(0, 4, 6);
    _tile_dpbusd(2, 5, 6);
  }
  _tile_stored(0, p.sums + first * kLanes, 64);
  _tile_stored(2, p.sums + (first + kTileRows) * kLanes, 64);
}

AMX void tiles_1x1(const Product& p, size_t first) {
  const uint8_t* rows = p.rows + first * p.depth;
  _tile_zero(0);
  for (size_t k = 0; k < p.depth; k += kTileDepth) {
    _tile_loadd(4, rows + k, p.depth);
    _tile_loadd(6, p.weights + k * kLanes, 64);
    _tile_dpbusd(0, 4, 6);
  }
  _tile_stored(0, p.sums + first * kLanes, 64);
}

}  // namespace

void multiply_avx2(const Product& p) {
  for (size_t block = 0; block < p.blocks; ++block) {
    for (size_t r = 0; r < p.count; r += 4) four_rows_avx2(p, r, block);
  }
}

void multiply_avx512(const Product& p) {
  const auto rows = p.blocks == 2 ? eight_rows_avx512<2> : eight_rows_avx512<1>;
  for (size_t r = 0; r < p.count; r += kRowGroup) rows(p, r);
}

void multiply_vnni(const Product& p) {
  const auto rows = p.blocks == 2 ? eight_rows_vnni<2> : eight_rows_vnni<1>;
  for (size_t r = 0; r < p.count; r += kRowGroup) rows(p, r);
}

// The tiles are configured for each call and given back: nothing is left to other code's threads.
AMX void multiply_amx(const Product& p) {
  if (p.depth % kTileDepth) return multiply_vnni(p);
  _tile_loadconfig(&kAllTiles);
  size_t r = 0;
  for (; r + kTileRows < p.count; r += 2 * kTileRows) {
    p.blocks == 2 ? tiles_2x2(p, r) : tiles_2x1(p, r);
  }
  if (r < p.count) p.blocks == 2 ? tiles_1x2(p, r) : tiles_1x1(p, r);
  _tile_release();
}

}  // namespace onnx2snn

#endif
