#include "../op.h"

namespace onnx2snn {
namespace {

enum Emission { kOnce, kUnary, kAveraged, kRadix };

class CodeEncode final : public Kernel {
 public:
  explicit CodeEncode(const Attributes& a)
      : emission_(a.choice("emission", {"once", "unary", "averaged", "radix"})) {}

  void compute(const Context& context) const override {
    const Tensor given = context.input(0);
    const int64_t before = context.input(1).scalar("t_init");
    const size_t T = steps_of(context.input(2)), size = elements(given.shape);
    float* currents = context.output<float>(0, in_time(given.shape, T));
    *context.output<int64_t>(1, {}) = before + static_cast<int64_t>(T);
    context.in_blocks(size, [&](size_t begin, size_t count) {
      const int64_t* codes = given.values<int64_t>() + begin;
      speak({T, size, count}, codes, before, currents + begin);
    });
  }

 private:
  void speak(const Steps& n, const int64_t* codes, int64_t before, float* rows) const {
    if (emission_ == kUnary) return loops().speak_in_turn(n, codes, before, rows);
    if (emission_ == kAveraged) return loops().spread_evenly(n, codes, rows);
    if (emission_ == kRadix) return loops().spread_bits(n, codes, rows);
    for (size_t t = 0; t < n.steps; ++t, rows += n.stride) {
      std::fill_n(rows, n.count, 0.0f);
      if (before + static_cast<int64_t>(t) == 0) std::copy_n(codes, n.count, rows);
    }
  }

  int emission_;
};

const Op op("CodeEncode", {kInt64, kInt64, kInt64}, {kFloat, kInt64}, make<CodeEncode>);

}  // namespace
}  // namespace onnx2snn
