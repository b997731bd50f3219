#include <algorithm>

#include "../op.h"

namespace onnx2snn {
namespace {

enum Mode { kMean, kSum, kLast, kRadix };
constexpr float kKeep[] = {1.0f, 1.0f, 0.0f, 2.0f};

class SpikeDecode final : public Kernel {
 public:
  explicit SpikeDecode(const Attributes& a)
      : mode_(a.choice("mode", {"mean", "sum", "last", "radix"})),
        cumulative_(a.integer("cumulative", 0) != 0),
        delay_(a.integer("delay", 0)) {}

  void compute(const Context& context) const override {
    const Tensor current = context.input(0), acc_init = context.input(1);
    const int64_t before = context.input(2).scalar("t_init");
    const Window window(current, context.input(3));
    const Broadcast<float> starts(acc_init, window.sample_shape, "acc_init");
    const std::vector<float> divisors = divisors_from(before, window.steps);
    float* answers =
        context.output<float>(0, cumulative_ ? current.shape : window.sample_shape);
    float* acc = context.output<float>(1, window.sample_shape);
    *context.output<int64_t>(2, {}) = before + static_cast<int64_t>(window.steps);
    const std::vector<Phase> phases = phases_from(before, window.steps);
    context.in_blocks(window.size, [&](size_t begin, size_t count) {
      const float* currents = current.values<float>() + begin;
      float* rows = answers + begin;
      starts.copy(begin, count, acc + begin);
      for (const Phase& phase : phases) {
        const size_t first = phase.first * window.size;
        const Steps steps{phase.steps, window.size, count};
        if (cumulative_) {
          loops().decode_rows(steps, currents + first, acc + begin, phase.keep,
                              divisors.data() + phase.first, rows + first);
        } else {
          loops().decode(steps, currents + first, acc + begin, phase.keep);
        }
      }
      if (cumulative_) return;
      for (size_t i = begin; i < begin + count; ++i) answers[i] = acc[i] / divisors.back();
    });
  }

 private:
  // Steps of a window that keep the same share of the accumulator.
  struct Phase {
    size_t first;
    size_t steps;
    float keep;
  };

  // What came before is forgotten in the steps 1 to delay.
  std::vector<Phase> phases_from(int64_t before, size_t steps) const {
    const int64_t end = static_cast<int64_t>(steps);
    const int64_t opening = before > 0 ? 0 : std::min<int64_t>(1, end);
    const int64_t open = std::min(std::max(delay_ + 1 - before, opening), end);
    std::vector<Phase> phases;
    const auto add = [&](int64_t from, int64_t to, float keep) {
      if (from < to) phases.push_back({size_t(from), size_t(to - from), keep});
    };
    add(0, opening, kKeep[mode_]);
    add(opening, open, 0.0f);
    add(open, end, kKeep[mode_]);
    return phases;
  }

  std::vector<float> divisors_from(int64_t before, size_t steps) const {
    std::vector<float> divisors(steps, 1.0f);
    for (size_t t = 0; mode_ == kMean && t < steps; ++t) {
      const int64_t others = std::max<int64_t>(before + static_cast<int64_t>(t) - delay_, 0);
      divisors[t] = static_cast<float>(others + 1);
    }
    return divisors;
  }

  int mode_;
  bool cumulative_;
  int64_t delay_;
};

const Op op("SpikeDecode", {kFloat, kFloat, kInt64, kInt64}, {kFloat, kFloat, kInt64},
            make<SpikeDecode>);

}  // namespace
}  // namespace onnx2snn
