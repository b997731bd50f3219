#include "dot.h"

#include <algorithm>
#include <cstring>

namespace onnx2snn {
namespace {

constexpr size_t kBlockQuad = kLanes * kQuad;
// So many products of 2 and −128 at most fit 16 bits.
constexpr size_t kQuadsAtOnce = 127;

// parts[column][4] += one row's quads times one block's. Four silent spikes are passed over.
void add_quads(const uint8_t* row, const int8_t* weights, size_t quads, int16_t* parts) {
  for (size_t q = 0; q < quads; ++q, row += kQuad, weights += kBlockQuad) {
    uint32_t quad;
    std::memcpy(&quad, row, sizeof quad);
    if (!quad) continue;
    int16_t twice[2 * kQuad];
    for (size_t i = 0; i < 2 * kQuad; ++i) twice[i] = row[i % kQuad];
    for (size_t i = 0; i < kBlockQuad; i += 2 * kQuad) {
      for (size_t j = 0; j < 2 * kQuad; ++j) {
        parts[i + j] = static_cast<int16_t>(parts[i + j] + weights[i + j] * twice[j]);
      }
    }
  }
}

void one_row(const uint8_t* row, const int8_t* weights, size_t depth, int32_t* sums) {
  std::fill_n(sums, kLanes, 0);
  for (size_t k = 0; k < depth; k += kQuadsAtOnce * kQuad) {
    int16_t parts[kBlockQuad] = {};
    const size_t quads = std::min(kQuadsAtOnce, (depth - k) / kQuad);
    add_quads(row + k, weights + k * kLanes, quads, parts);
    for (size_t i = 0; i < kBlockQuad; ++i) sums[i / kQuad] += parts[i];
  }
}

}  // namespace

void multiply_portable(const Product& p) {
  for (size_t r = 0; r < p.count; ++r) {
    for (size_t block = 0; block < p.blocks; ++block) {
      one_row(p.rows + r * p.depth, p.weights + block * p.depth * kLanes, p.depth,
              p.sums + (r * p.blocks + block) * kLanes);
    }
  }
}

}  // namespace onnx2snn
