// Sums of products of spikes (small unsigned integers) and weights (signed ones), for each
// instruction set. Every variant gives the same integers.
#pragma once

#include <cstddef>
#include <cstdint>

namespace onnx2snn {

// Weights lie in blocks of 16 columns, and in these as [depth / 4][16][4]: what VNNI, AMX and AVX2
// each multiply at once.
constexpr size_t kLanes = 16;
constexpr size_t kQuad = 4;
// AMX takes a depth that is a multiple of this.
constexpr size_t kTileDepth = 64;
// Rows come in multiples of kRowGroup. Rows and sums have room for a multiple of kTileRows.
constexpr size_t kRowGroup = 8;
constexpr size_t kTileRows = 16;

// sums[r][j] = the sum over k of rows[r][k] · weights[k][j]
struct Product {
  const uint8_t* rows;    // [count][depth], of 0, 1 and 2
  const int8_t* weights;  // [blocks] blocks of 16 columns
  int32_t* sums;          // [count][blocks · 16]
  size_t count;
  size_t depth;   // a multiple of 4
  size_t blocks;  // 1 or 2
};

using Multiply = void (*)(const Product&);

void multiply_portable(const Product&);
#if defined(__x86_64__)
void multiply_avx2(const Product&);
void multiply_avx512(const Product&);
void multiply_vnni(const Product&);
void multiply_amx(const Product&);

// Whether processor and system have AMX; asks Linux for this process's permission to use it.
bool amx_works();
#endif

}  // namespace onnx2snn
