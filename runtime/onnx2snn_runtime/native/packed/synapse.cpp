#include "synapse.h"

namespace onnx2snn {
namespace {

// Rows of a product: enough to use a block of weights often, few enough that what they make stays
// in the nearest cache, and they themselves in the next one.
constexpr size_t kMostRows = 128;
constexpr size_t kLeastRows = 16;
constexpr size_t kRowBytes = 512 * 1024;
// Steps of a pixel that are together in a product, if there are many pixels.
constexpr size_t kStepsTogether = 8;

template <class Value>
const Value* values_of(const Context& context, size_t index, size_t count, const char* name) {
  const Tensor tensor = context.input(index);
  if (elements(tensor.shape) != count) {
    throw Failure(std::string(name) + " has not the blocks of the weights");
  }
  return tensor.values<Value>();
}

}  // namespace

Synapse::Synapse(const SynapseAttributes& a, const Context& context, size_t steps)
    : geometry_(a.window, context.input(kSpikes).shape),
      range_channels_(static_cast<size_t>(a.range_channels)),
      outputs_(static_cast<size_t>(a.outputs)),
      steps_(steps),
      threads_(a.threads),
      zero_point_(a.zero_point) {
  const Tensor weights = context.input(kWeights);
  if (weights.shape.size() != 6) throw Failure("the weights are not packed");
  digits_ = static_cast<size_t>(weights.shape[0]);
  range_count_ = static_cast<size_t>(weights.shape[1]);
  blocks_ = static_cast<size_t>(weights.shape[2]);
  depth_ = static_cast<size_t>(weights.shape[3]) * kQuad;
  columns_ = range_count_ * blocks_ * kLanes;
  if (range_channels_ * geometry_.most_pieces() > depth_) {
    throw Failure("the window sees more than the weights have");
  }
  if (geometry_.rows % static_cast<int64_t>(steps)) {
    throw Failure("the rows are no multiple of T = " + std::to_string(steps));
  }
  spikes_ = context.input(kSpikes).values<uint8_t>();
  weights_ = weights.values<int8_t>();
  ranges_ = values_of<int64_t>(context, kRanges, range_count_ * 3, "ranges");
  offset_ = values_of<int32_t>(context, kOffset, digits_ * columns_, "offset");
  scale_ = values_of<float>(context, kScale, columns_, "scale");
  bias_ = values_of<float>(context, kBias, columns_, "bias");
  for (size_t range = 0; range < range_count_; ++range) {
    const int64_t* r = ranges_ + range * 3;
    const int64_t seen = r[0] + a.range_channels;
    const bool last = range + 1 == range_count_;
    if (last ? seen != geometry_.channels : seen > geometry_.channels) {
      throw Failure("the weights are of " + std::to_string(seen) + " channels, the spikes of " +
                    std::to_string(geometry_.channels));
    }
    if (r[0] < 0 || r[1] < 0 || r[1] + r[2] > a.outputs) throw Failure("ranges out of range");
  }
  choose_patches();
}

void Synapse::choose_patches() {
  const size_t images = static_cast<size_t>(geometry_.rows) / steps_;
  step_pixels_ = images * static_cast<size_t>(geometry_.out[0] * geometry_.out[1]);
  const size_t fitting = std::max(kLeastRows, std::min(kMostRows, kRowBytes / depth_));
  const size_t wanted = std::max<size_t>(1, fitting / std::min(steps_, kStepsTogether));
  patch_pixels_ = std::max<size_t>(1, std::min(wanted, step_pixels_));
  patch_steps_ = std::max<size_t>(1, std::min(steps_, fitting / patch_pixels_));
  // As many for each thread, of one size.
  const size_t least = (step_pixels_ + patch_pixels_ - 1) / patch_pixels_;
  const size_t even = least < threads_ ? least : (least + threads_ - 1) / threads_ * threads_;
  patch_pixels_ = std::max<size_t>(1, (step_pixels_ + even - 1) / std::max<size_t>(1, even));
  patches_ = (step_pixels_ + patch_pixels_ - 1) / patch_pixels_;
  // Where there are fewer patches than threads, threads share a patch and divide its channels.
  const size_t items = std::max<size_t>(1, patches_ * range_count_);
  splits_ = std::min((blocks_ + 1) / 2, (threads_ + items - 1) / items);
}

Shape Synapse::sample_shape(int64_t rank) const {
  Shape shape{geometry_.rows / static_cast<int64_t>(steps_), static_cast<int64_t>(outputs_)};
  for (int64_t axis = 4 - rank; axis < 2; ++axis) shape.push_back(geometry_.out[axis]);
  return shape;
}

void Synapse::gather(const Patch& patch, size_t range, size_t first_step, size_t steps,
                     Work& work) const {
  const size_t most = geometry_.most_pieces();
  for (size_t i = 0; i < patch.pixels; ++i) {
    work.piece_counts[i] =
        geometry_.pieces(patch.first_pixel + i, ranges_[range * 3],
                         static_cast<int64_t>(range_channels_), work.pieces.data() + i * most);
  }
  const size_t step_size = static_cast<size_t>(geometry_.rows) / steps_ * geometry_.image_size();
  loops().packed.gather({work.pieces.data(), work.piece_counts.data(), most, patch.pixels,
                         step_size, depth_, zero_point_},
                        spikes_ + first_step * step_size, steps, work.rows.data());
}

}  // namespace onnx2snn
