#include <atomic>

#include "../op.h"

namespace onnx2snn {
namespace {

class TableSynapse final : public Kernel {
 public:
  explicit TableSynapse(const Attributes& a) : radix_(a.choice("code", {"count", "radix"}) == 1) {}

  void compute(const Context& context) const override {
    const Tensor spikes = context.input(0), table = context.input(1);
    const Tensor code_init = context.input(3);
    const Window window(spikes, context.input(4));
    const Table values{table.values<int64_t>(), elements(table.shape),
                       context.input(2).scalar("code_min")};
    const Broadcast<int64_t> starts(code_init, window.sample_shape, "code_init");
    int64_t* currents = context.output<int64_t>(0, spikes.shape);
    int64_t* code = context.output<int64_t>(1, window.sample_shape);
    if (window.size && !values.size) throw Failure("the table is empty");
    std::atomic<bool> inside{true};
    context.in_blocks(window.size, [&](size_t begin, size_t count) {
      const Steps steps{window.steps, window.size, count};
      starts.copy(begin, count, code + begin);
      const float* rows = spikes.values<float>() + begin;
      const auto speak = radix_ ? speak_at_the_end : speak_each_step;
      if (!speak(steps, rows, values, code + begin, currents + begin)) inside = false;
    });
    if (!inside) throw Failure("a code is outside of the table");
  }

 private:
  struct Table {
    const int64_t* entries;
    size_t size;
    int64_t lowest;

    // F(code); outside of the table `inside` becomes false.
    int64_t at(int64_t code, bool& inside) const {
      const size_t place = static_cast<size_t>(code - lowest);
      const bool found = place < size;
      inside = inside & found;
      return entries[found ? place : 0];
    }
  };

  static bool speak_each_step(const Steps& n, const float* spikes, const Table& table,
                              int64_t* code, int64_t* currents) {
    bool inside = true;
    int64_t heard[kBlock];
    for (size_t i = 0; i < n.count; ++i) heard[i] = table.at(code[i], inside);
    for (size_t t = 0; t < n.steps; ++t, spikes += n.stride, currents += n.stride) {
      for (size_t i = 0; i < n.count; ++i) {
        code[i] += static_cast<int64_t>(spikes[i]);
        const int64_t now = table.at(code[i], inside);
        currents[i] = now - heard[i];
        heard[i] = now;
      }
    }
    return inside;
  }

  static bool speak_at_the_end(const Steps& n, const float* spikes, const Table& table,
                               int64_t* code, int64_t* currents) {
    bool inside = true;
    loops().accumulate_floats(n, spikes, code, 2);
    const int64_t silence = table.at(0, inside);
    for (size_t t = 0; t + 1 < n.steps; ++t, currents += n.stride) {
      std::fill_n(currents, n.count, 0);
    }
    for (size_t i = 0; i < n.count; ++i) currents[i] = table.at(code[i], inside) - silence;
    return inside;
  }

  bool radix_;
};

const Op op("TableSynapse", {kFloat, kInt64, kInt64, kInt64, kInt64}, {kInt64, kInt64},
            make<TableSynapse>);

}  // namespace
}  // namespace onnx2snn
