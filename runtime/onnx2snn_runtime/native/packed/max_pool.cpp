#include "buffer.h"
#include "geometry.h"
#include "lanes.h"
#include "state.h"

namespace onnx2snn {
namespace {

constexpr int32_t kNone = INT32_MIN / 2;  // less than every count, and no difference overflows

// One call of a pool of counts, channels last.
class Call {
 public:
  Call(const WindowAttributes& window, const Context& context, int zero, int64_t rank)
      : image_(window, context.input(0).shape),
        time_(context.input(0), context.input(2)),
        sample_shape_(shape_of_sample(rank)),
        counts_(context.input(1), sample_shape_, "count_init"),
        zero_(zero),
        spikes_(context.input(0).values<uint8_t>()),
        pooled_(context.output<uint8_t>(0, {image_.rows, image_.out[0], image_.out[1],
                                            image_.channels})),
        final_(context.output<float>(1, sample_shape_)) {}

  size_t pooled_lines() const { return samples() * static_cast<size_t>(image_.out[0]); }
  size_t lines() const { return samples() * static_cast<size_t>(image_.in[0]); }

  // Counts of the lines that a window sees, what a line of windows said before, and says now.
  struct Memory {
    explicit Memory(const Call& call)
        : counts(call.line_size() * call.kernel(0)),
          floats(call.line_size()),
          before(call.pooled_line_size()),
          largest(call.pooled_line_size()) {}

    Buffer<int32_t> counts;
    Buffer<float> floats;
    Buffer<int32_t> before;
    Buffer<int32_t> largest;
  };

  // One line of windows, through all steps.
  void pool(size_t line, Memory& memory) const {
    const size_t sample = line / static_cast<size_t>(image_.out[0]);
    const int64_t at = static_cast<int64_t>(line) % image_.out[0];
    const int64_t top = at * image_.window.strides[0] - image_.window.pads[0];
    for (size_t k = 0; k < kernel(0); ++k) {
      if (inside(top, k)) load(sample, y(top, k), memory.counts.data() + k * line_size(), memory);
    }
    largest(top, memory.counts.data(), memory.before.data());
    for (size_t t = 0; t < time_.steps; ++t) {
      for (size_t k = 0; k < kernel(0); ++k) {
        if (inside(top, k)) count(t, sample, y(top, k), memory.counts.data() + k * line_size());
      }
      largest(top, memory.counts.data(), memory.largest.data());
      uint8_t* out = pooled_ + (t * pooled_lines() + line) * pooled_line_size();
      loops().packed.emit(pooled_line_size(), memory.largest.data(), zero_, memory.before.data(),
                          out);
    }
  }

  // The counts of one line of neurons after the last step.
  void finish(size_t line, Memory& memory) const {
    const size_t sample = line / static_cast<size_t>(image_.in[0]);
    const size_t row = line % static_cast<size_t>(image_.in[0]);
    int32_t* counts = memory.counts.data();
    load(sample, row, counts, memory);
    for (size_t t = 0; t < time_.steps; ++t) count(t, sample, row, counts);
    std::copy_n(counts, line_size(), memory.floats.data());
    counts_.store(patch(sample, row), memory.floats.data(), final_);
  }

 private:
  Shape shape_of_sample(int64_t rank) const {
    Shape shape{time_.sample_shape[0], image_.channels};
    for (int64_t axis = 4 - rank; axis < 2; ++axis) shape.push_back(image_.in[axis]);
    return shape;
  }

  size_t samples() const { return static_cast<size_t>(time_.sample_shape[0]); }
  size_t kernel(int axis) const { return static_cast<size_t>(image_.window.kernel[axis]); }
  size_t line_size() const { return static_cast<size_t>(image_.in[1] * image_.channels); }
  size_t pooled_line_size() const { return static_cast<size_t>(image_.out[1] * image_.channels); }

  // The line that row k of a window's kernel sees.
  size_t y(int64_t top, size_t k) const { return static_cast<size_t>(top) + k; }
  bool inside(int64_t top, size_t k) const {
    const int64_t at = top + static_cast<int64_t>(k);
    return at >= 0 && at < image_.in[0];
  }

  Patch patch(size_t sample, size_t row) const {
    const size_t width = static_cast<size_t>(image_.in[1]);
    const size_t channels = static_cast<size_t>(image_.channels);
    const size_t first = (sample * static_cast<size_t>(image_.in[0]) + row) * width;
    return {first, width, 0, channels, channels};
  }

  void load(size_t sample, size_t row, int32_t* counts, Memory& memory) const {
    counts_.load(patch(sample, row), memory.floats.data());
    for (size_t i = 0; i < line_size(); ++i) {
      counts[i] = static_cast<int32_t>(memory.floats.data()[i]);
    }
  }

  void count(size_t t, size_t sample, size_t row, int32_t* counts) const {
    const size_t line = sample * static_cast<size_t>(image_.in[0]) + row;
    loops().packed.count(line_size(), spikes_ + (t * lines() + line) * line_size(), zero_, counts);
  }

  // The largest counts of a line of windows.
  void largest(int64_t top, const int32_t* counts, int32_t* largest) const {
    const size_t channels = static_cast<size_t>(image_.channels);
    std::fill_n(largest, pooled_line_size(), kNone);
    for (int64_t o = 0; o < image_.out[1]; ++o, largest += channels) {
      for (size_t k0 = 0; k0 < kernel(0); ++k0) {
        if (!inside(top, k0)) continue;
        for (size_t k1 = 0; k1 < kernel(1); ++k1) {
          const int64_t x =
              o * image_.window.strides[1] - image_.window.pads[1] + static_cast<int64_t>(k1);
          if (x < 0 || x >= image_.in[1]) continue;
          const size_t place = k0 * line_size() + static_cast<size_t>(x) * channels;
          loops().packed.larger(channels, counts + place, largest);
        }
      }
    }
  }

  Geometry image_;
  Window time_;
  Shape sample_shape_;
  State counts_;
  int zero_;
  const uint8_t* spikes_;
  uint8_t* pooled_;
  float* final_;
};

// SpikeMaxPool of counts.
class PackedMaxPool final : public Kernel {
 public:
  explicit PackedMaxPool(const Attributes& a)
      : window_(a),
        zero_(static_cast<int>(a.integer("zero_point", 0))),
        rank_(a.integer("rank", 4)),
        threads_(threads_of(a)) {}

  void compute(const Context& context) const override {
    const Call call(window_, context, zero_, rank_);
    const auto memory = [&] { return Call::Memory(call); };
    in_lanes(context, threads_, call.pooled_lines(), memory,
             [&](size_t line, Call::Memory& own) { call.pool(line, own); });
    in_lanes(context, threads_, call.lines(), memory,
             [&](size_t line, Call::Memory& own) { call.finish(line, own); });
  }

 private:
  WindowAttributes window_;
  int zero_;
  int64_t rank_;
  size_t threads_;
};

const Op op("PackedMaxPool", {kUint8, kFloat, kInt64}, {kUint8, kFloat}, make<PackedMaxPool>,
            kPackedDomain);

}  // namespace
}  // namespace onnx2snn
