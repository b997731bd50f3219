#include "../op.h"

namespace onnx2snn {
namespace {

constexpr size_t kPixels = 16;  // of one channel: a cache line of floats

// work(first pixel, pixels, offset of the row) for parts of images [R, C, pixels].
template <class Work>
void each_part(const Context& context, size_t rows, size_t channels, size_t pixels,
               const Work& work) {
  context.parallel(rows, [&](size_t row) {
    for (size_t first = 0; first < pixels; first += kPixels) {
      work(first, std::min(kPixels, pixels - first), row * channels * pixels);
    }
  });
}

// Spikes [R, C, ...] of −1, 0, 1 to bytes [R, H, W, C].
class Pack final : public Kernel {
 public:
  explicit Pack(const Attributes& a) : zero_(static_cast<float>(a.integer("zero_point", 0))) {}

  void compute(const Context& context) const override {
    const Tensor spikes = context.input(0);
    const size_t rank = spikes.shape.size();
    if (rank < 2 || rank > 4) throw Failure("the spikes are not of two to four axes");
    Shape shape{spikes.shape[0], 1, 1, spikes.shape[1]};
    std::copy(spikes.shape.begin() + 2, spikes.shape.end(), shape.begin() + 5 - rank);
    const size_t channels = static_cast<size_t>(shape[3]);
    const size_t pixels = static_cast<size_t>(shape[1] * shape[2]);
    const float* from = spikes.values<float>();
    uint8_t* to = context.output<uint8_t>(0, shape);
    each_part(context, static_cast<size_t>(shape[0]), channels, pixels,
              [&](size_t first, size_t count, size_t row) {
                for (size_t c = 0; c < channels; ++c) {
                  const float* line = from + row + c * pixels + first;
                  uint8_t* out = to + row + first * channels + c;
                  for (size_t i = 0; i < count; ++i) {
                    out[i * channels] = static_cast<uint8_t>(static_cast<int>(line[i] + zero_));
                  }
                }
              });
  }

 private:
  float zero_;
};

// Bytes [R, H, W, C] to spikes [R, C, ...] of `rank` axes.
class Unpack final : public Kernel {
 public:
  explicit Unpack(const Attributes& a)
      : zero_(static_cast<int>(a.integer("zero_point", 0))), rank_(a.integer("rank", 4)) {}

  void compute(const Context& context) const override {
    const Tensor packed = context.input(0);
    if (packed.shape.size() != 4) throw Failure("the spikes are not [R, H, W, C]");
    Shape shape{packed.shape[0], packed.shape[3]};
    shape.insert(shape.end(), packed.shape.begin() + 5 - rank_, packed.shape.end() - 1);
    const size_t channels = static_cast<size_t>(packed.shape[3]);
    const size_t pixels = static_cast<size_t>(packed.shape[1] * packed.shape[2]);
    const uint8_t* from = packed.values<uint8_t>();
    float* to = context.output<float>(0, shape);
    each_part(context, static_cast<size_t>(shape[0]), channels, pixels,
              [&](size_t first, size_t count, size_t row) {
                for (size_t c = 0; c < channels; ++c) {
                  const uint8_t* in = from + row + first * channels + c;
                  float* line = to + row + c * pixels + first;
                  for (size_t i = 0; i < count; ++i) {
                    line[i] = static_cast<float>(in[i * channels] - zero_);
                  }
                }
              });
  }

 private:
  int zero_;
  int64_t rank_;
};

const Op pack("Pack", {kFloat}, {kUint8}, make<Pack>, kPackedDomain);
const Op unpack("Unpack", {kUint8}, {kFloat}, make<Unpack>, kPackedDomain);

}  // namespace
}  // namespace onnx2snn
