#include "../op.h"

namespace onnx2snn {
namespace {

enum Mode { kMean, kSum, kLast, kRadix };
constexpr float kKeep[] = {1.0f, 1.0f, 0.0f, 2.0f};

class SpikeDecode final : public Kernel {
 public:
  explicit SpikeDecode(const Attributes& a)
      : mode_(a.choice("mode", {"mean", "sum", "last", "radix"})),
        cumulative_(a.integer("cumulative", 0) != 0) {}

  void compute(const Context& context) const override {
    const Tensor current = context.input(0), acc_init = context.input(1);
    const int64_t before = context.input(2).scalar("t_init");
    const Window window(current, context.input(3));
    const Broadcast<float> starts(acc_init, window.sample_shape, "acc_init");
    const float keep = kKeep[mode_];
    const std::vector<float> divisors = divisors_from(before, window.steps);
    float* answers =
        context.output<float>(0, cumulative_ ? current.shape : window.sample_shape);
    float* acc = context.output<float>(1, window.sample_shape);
    *context.output<int64_t>(2, {}) = before + static_cast<int64_t>(window.steps);
    context.in_blocks(window.size, [&](size_t begin, size_t count) {
      const Steps steps{window.steps, window.size, count};
      const float* currents = current.values<float>() + begin;
      starts.copy(begin, count, acc + begin);
      if (cumulative_) {
        loops().decode_rows(steps, currents, acc + begin, keep, divisors.data(), answers + begin);
        return;
      }
      loops().decode(steps, currents, acc + begin, keep);
      for (size_t i = begin; i < begin + count; ++i) answers[i] = acc[i] / divisors.back();
    });
  }

 private:
  std::vector<float> divisors_from(int64_t before, size_t steps) const {
    std::vector<float> divisors(steps, 1.0f);
    for (size_t t = 0; mode_ == kMean && t < steps; ++t) {
      divisors[t] = static_cast<float>(before + static_cast<int64_t>(t) + 1);
    }
    return divisors;
  }

  int mode_;
  bool cumulative_;
};

const Op op("SpikeDecode", {kFloat, kFloat, kInt64, kInt64}, {kFloat, kFloat, kInt64},
            make<SpikeDecode>);

}  // namespace
}  // namespace onnx2snn
