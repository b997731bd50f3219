// A layer of integer weights between spikes of one byte: its products, patch by patch.
#pragma once

#include "buffer.h"
#include "geometry.h"
#include "lanes.h"
#include "state.h"

namespace onnx2snn {

// Inputs that all layers begin with.
enum SynapseInput { kSpikes, kWeights, kRanges, kOffset, kScale, kBias, kSynapseInputs };

// Attributes that all layers have.
struct SynapseAttributes {
  explicit SynapseAttributes(const Attributes& a)
      : window(a),
        range_channels(a.integer("range_channels", 0)),
        outputs(a.integer("channels", 0)),
        zero_point(static_cast<uint8_t>(a.integer("zero_point", 0))),
        threads(threads_of(a)) {}

  WindowAttributes window;
  int64_t range_channels;  // input channels that each range of outputs sees
  int64_t outputs;         // channels in all
  uint8_t zero_point;      // the byte that says silence
  size_t threads;
};

// One or two blocks of 16 output channels, for some steps of a patch.
struct Part {
  Patch patch;
  size_t column;  // of the constants, which lie as the blocks do
  size_t offset;  // values of a state of the patch before this part
  size_t first_step;
  size_t steps;
  const int32_t* sums;  // [digits][rows][width], before the offset; a row is a step and a pixel
};

// One call of a layer. Its weights are [digits][ranges][blocks][depth / 4][16][4]; a range is some
// output channels that see the same input channels, as groups do.
class Synapse {
 public:
  Synapse(const SynapseAttributes& attributes, const Context& context, size_t steps);

  // Makes a consumer for each thread, and for every patch calls begin(part), take(part) for all
  // steps in order, and end(part), part by part. Consumers must not throw.
  template <class MakeConsumer>
  void run(const Context& context, const MakeConsumer& make_consumer) const;

  // The currents of a part, [steps][pixels][width].
  void drive(const Part& part, float* currents) const {
    const size_t rows = part.steps * part.patch.pixels, width = part.patch.width;
    const Columns columns{offset_ + part.column, scale_ + part.column, bias_ + part.column,
                          width, digits_, grouped(rows) * width, columns_};
    const PackedLoops& loop = loops().packed;
    (digits_ == 1 ? loop.drive : loop.drive_digits)(columns, rows, part.sums, currents);
  }

  // Where the spikes of a part lie, for its loops.
  Population population(const Part& part) const {
    return {part.steps, part.patch.pixels, part.patch.width, part.patch.valid,
            step_pixels_ * outputs_, outputs_, nullptr, nullptr, nullptr};
  }

  // The place of a part's first spike in [R, H, W, outputs].
  size_t place(const Part& part) const {
    return (part.first_step * step_pixels_ + part.patch.first_pixel) * outputs_ +
           part.patch.channel;
  }

  Shape out_shape() const {
    return {geometry_.rows, geometry_.out[0], geometry_.out[1], static_cast<int64_t>(outputs_)};
  }

  // [N, C, ...] of one step; `rank` axes.
  Shape sample_shape(int64_t rank) const;

  size_t patch_pixels() const { return patch_pixels_; }
  size_t patch_steps() const { return patch_steps_; }
  // Values of a patch's state in one range.
  size_t state_size() const { return patch_pixels_ * blocks_ * kLanes; }
  // Values of the currents of a part.
  size_t part_size() const { return most_rows() * 2 * kLanes; }

 private:
  struct Work;

  size_t most_rows() const {
    return (patch_pixels_ * patch_steps_ + kTileRows - 1) / kTileRows * kTileRows;
  }

  // Rows of a product, rounded up to what it takes.
  static size_t grouped(size_t rows) { return (rows + kRowGroup - 1) / kRowGroup * kRowGroup; }

  void choose_patches();

  template <class Consumer>
  void run_patch(size_t item, Work& work, Consumer& consumer) const;
  void gather(const Patch& patch, size_t range, size_t first_step, size_t steps,
              Work& work) const;

  Geometry geometry_;
  const uint8_t* spikes_;
  const int8_t* weights_;
  const int64_t* ranges_;  // [ranges][3]: first input channel, first output channel, outputs
  const int32_t* offset_;
  const float* scale_;
  const float* bias_;
  size_t range_channels_, outputs_, steps_, threads_;
  uint8_t zero_point_;
  size_t digits_, range_count_, blocks_, depth_;
  size_t columns_;  // of one digit
  size_t step_pixels_;   // output pixels of one step, of all samples
  size_t patch_pixels_, patch_steps_;
  size_t patches_, splits_;  // of the pixels; of the blocks of a range
};

// What one thread needs to make products.
struct Synapse::Work {
  explicit Work(const Synapse& s)
      : rows(s.most_rows() * s.depth_),
        sums(s.digits_ * s.part_size()),
        pieces(s.patch_pixels_ * s.geometry_.most_pieces()),
        piece_counts(s.patch_pixels_) {}

  Buffer<uint8_t> rows;
  Buffer<int32_t> sums;
  std::vector<Piece> pieces;
  std::vector<size_t> piece_counts;
};

template <class MakeConsumer>
void Synapse::run(const Context& context, const MakeConsumer& make_consumer) const {
  struct Memory {
    Work work;
    decltype(make_consumer()) consumer;
  };
  in_lanes(
      context, threads_, range_count_ * patches_ * splits_,
      [&] { return Memory{Work(*this), make_consumer()}; },
      [&](size_t item, Memory& own) { run_patch(item, own.work, own.consumer); });
}

template <class Consumer>
void Synapse::run_patch(size_t item, Work& work, Consumer& consumer) const {
  const size_t split = item % splits_, patch = item / splits_ % patches_;
  const size_t range = item / splits_ / patches_;
  const size_t first_pixel = patch * patch_pixels_;
  const size_t pixels = std::min(patch_pixels_, step_pixels_ - first_pixel);
  const size_t first_output = static_cast<size_t>(ranges_[range * 3 + 1]);
  const size_t range_outputs = static_cast<size_t>(ranges_[range * 3 + 2]);
  const size_t pairs = (blocks_ + 1) / 2;
  const size_t begin = 2 * (pairs * split / splits_);
  const size_t end = std::min(blocks_, 2 * (pairs * (split + 1) / splits_));
  const auto each_part = [&](const auto& use) {
    for (size_t block = begin; block < end; block += 2) {
      const size_t count = std::min<size_t>(2, end - block), before = block * kLanes;
      if (before >= range_outputs) return;
      const size_t valid = std::min(count * kLanes, range_outputs - before);
      use(Part{{first_pixel, pixels, first_output + before, valid, count * kLanes},
               (range * blocks_ + block) * kLanes, before * pixels, 0, 0, work.sums.data()},
          range * blocks_ + block, count);
    }
  };
  each_part([&](const Part& part, size_t, size_t) { consumer.begin(part); });
  for (size_t t = 0; t < steps_; t += patch_steps_) {
    const size_t steps = std::min(patch_steps_, steps_ - t);
    gather({first_pixel, pixels, 0, 0, 0}, range, t, steps, work);
    const size_t count = grouped(steps * pixels);
    each_part([&](Part part, size_t block, size_t blocks) {
      const int8_t* weights = weights_ + block * depth_ * kLanes;
      int32_t* sums = work.sums.data();
      for (size_t digit = 0; digit < digits_; ++digit) {
        loops().packed.multiply({work.rows.data(), weights, sums, count, depth_, blocks});
        weights += columns_ * depth_;
        sums += count * blocks * kLanes;
      }
      part.first_step = t;
      part.steps = steps;
      consumer.take(part);
    });
  }
  each_part([&](const Part& part, size_t, size_t) { consumer.end(part); });
}

}  // namespace onnx2snn
