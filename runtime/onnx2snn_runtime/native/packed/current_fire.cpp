#include "buffer.h"
#include "neurons.h"

namespace onnx2snn {
namespace {

enum { kCurrents, kNeurons };

constexpr size_t kPatchPixels = 64;
constexpr size_t kWidth = 2 * kLanes;

// Neurons that are driven by currents [R, H, W, C], or by the same ones at every step: [N, ...].
class CurrentFire final : public Kernel {
 public:
  explicit CurrentFire(const Attributes& a)
      : neurons_(a), constant_(a.integer("constant", 0) == 1) {}

  void compute(const Context& context) const override {
    const Tensor currents = context.input(kCurrents);
    const size_t steps = steps_of(context.input(kNeurons));
    if (currents.shape.size() != 4) throw Failure("the currents are not [R, H, W, C]");
    Shape step = currents.shape;
    if (!constant_) step = Window(currents, context.input(kNeurons)).sample_shape;
    Shape sample_shape{step[0], step[3]};
    sample_shape.insert(sample_shape.end(), step.begin() + 5 - neurons_.rank, step.end() - 1);
    const Neurons neurons(neurons_, context, kNeurons, sample_shape);
    uint8_t* spikes = context.output<uint8_t>(0, in_time(step, steps));
    const size_t channels = static_cast<size_t>(step[3]), size = elements(step);
    if (!size) return;
    const size_t pixels = size / channels;
    context.parallel((pixels + kPatchPixels - 1) / kPatchPixels, [&](size_t item) {
      const size_t first = item * kPatchPixels;
      for (size_t c = 0; c < channels; c += kWidth) {
        const Patch patch{first, std::min(kPatchPixels, pixels - first), c,
                          std::min(kWidth, channels - c), kWidth};
        fire(neurons, patch, {steps, channels, size}, currents.values<float>(), spikes);
      }
    });
  }

 private:
  struct Extent {
    size_t steps;
    size_t channels;
    size_t step_size;
  };

  void fire(const Neurons& neurons, const Patch& patch, const Extent& extent,
            const float* currents, uint8_t* spikes) const {
    alignas(64) float row[kPatchPixels * kWidth] = {}, v[kPatchPixels * kWidth];
    alignas(64) float s[kPatchPixels * kWidth];
    const size_t place = patch.first_pixel * extent.channels + patch.channel;
    const Population one_step{1, patch.pixels, kWidth, patch.valid, 0, extent.channels,
                              nullptr, nullptr, nullptr};
    neurons.load(patch, {v, s});
    for (size_t t = 0; t < extent.steps; ++t) {
      const size_t now = place + t * extent.step_size;
      if (!constant_ || t == 0) {
        for (size_t i = 0; i < patch.pixels; ++i) {
          std::copy_n(currents + now + i * extent.channels, patch.valid, row + i * kWidth);
        }
      }
      neurons.fire(one_step, patch.channel, row, {v, s}, spikes + now);
    }
    neurons.store(patch, {v, s});
  }

  NeuronAttributes neurons_;
  bool constant_;
};

const Op op("CurrentFire", {kFloat, kInt64, kFloat, kFloat, kFloat, kFloat, kFloat},
            {kUint8, kFloat, kFloat}, make<CurrentFire>, kPackedDomain, {4, 2});

}  // namespace
}  // namespace onnx2snn
