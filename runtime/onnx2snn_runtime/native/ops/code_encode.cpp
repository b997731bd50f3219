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
    const int64_t T = context.input(2).scalar("T");
    if (T < 1 || given.shape.empty()) throw Failure("needs samples and at least one step");
    Shape shape = given.shape;
    shape[0] *= T;
    const size_t size = elements(given.shape);
    float* currents = context.output<float>(0, shape);
    *context.output<int64_t>(1, {}) = before + T;
    context.in_blocks(size, [&](size_t begin, size_t count) {
      const Steps steps{static_cast<size_t>(T), size, count};
      const int64_t* codes = given.values<int64_t>() + begin;
      if (emission_ == kRadix) {
        loops().spread_bits(steps, codes, currents + begin);
      } else if (emission_ == kAveraged) {
        int64_t magnitude[kBlock], rest[kBlock];
        loops().spread_evenly(steps, codes, magnitude, rest, currents + begin);
      } else {
        speak_in_turn(steps, codes, before, currents + begin);
      }
    });
  }

 private:
  void speak_in_turn(const Steps& n, const int64_t* codes, int64_t before, float* rows) const {
    for (size_t t = 0; t < n.steps; ++t, rows += n.stride) {
      const int64_t now = before + static_cast<int64_t>(t);
      for (size_t i = 0; i < n.count; ++i) {
        const int64_t code = codes[i];
        const bool lasts = (code < 0 ? -code : code) > now;
        const float sign = static_cast<float>((code > 0) - (code < 0));
        if (emission_ == kOnce) {
          rows[i] = now == 0 ? static_cast<float>(code) : 0.0f;
        } else {
          rows[i] = lasts ? sign : 0.0f;
        }
      }
    }
  }

  int emission_;
};

const Op op("CodeEncode", {kInt64, kInt64, kInt64}, {kFloat, kInt64}, make<CodeEncode>);

}  // namespace
}  // namespace onnx2snn
