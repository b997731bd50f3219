#include "terms.h"

namespace onnx2snn {
namespace {

void guess(size_t n, const float* acc, Stairs<float> stairs, Guess<float> line, float* codes) {
  loops().counts.guess_floats(n, acc, stairs, line, codes);
}
void guess(size_t n, const double* acc, Stairs<double> stairs, Guess<double> line, float* codes) {
  loops().counts.guess_doubles(n, acc, stairs, line, codes);
}
void bisect(size_t n, const float* acc, Stairs<float> stairs, float* codes) {
  loops().counts.bisect_floats(n, acc, stairs, codes);
}
void bisect(size_t n, const double* acc, Stairs<double> stairs, float* codes) {
  loops().counts.bisect_doubles(n, acc, stairs, codes);
}

// StaircaseFire over a whole window: sums of currents to codes. The tables' type is the sums'.
class CountStaircase final : public Kernel {
 public:
  explicit CountStaircase(const Attributes& a)
      : lowest_(static_cast<int32_t>(a.integer("lowest", 0))),
        low_(static_cast<int32_t>(a.integer("low", 0))),
        high_(static_cast<int32_t>(a.integer("high", 0))) {}

  void compute(const Context& context) const override {
    const Tensor tables = context.input(2);
    if (tables.type == kFloat) return fire<float>(context, tables);
    if (tables.type == kDouble) return fire<double>(context, tables);
    throw Failure("the tables are neither float nor double");
  }

 private:
  template <class Real>
  void fire(const Context& context, const Tensor& tables) const {
    const Shape shape = context.input(0).shape;
    const Planes planes(shape);
    const Tensor factors = context.input(1), lines = context.input(3);
    if (factors.type != tables.type || lines.type != tables.type) {
      throw Failure("the constants are of several types");
    }
    const Sums<Real> sums(context, 0, 4, {factors, planes.channels(), "factors"});
    const ByChannel<Real> entries(tables, planes.channels(), "tables");
    const ByChannel<Real> guesses(lines, planes.channels(), "guesses");
    if (!entries.width()) throw Failure("the tables have no level");
    if (guesses.width() && guesses.width() != 4) throw Failure("guesses have four numbers");
    float* codes = context.output<float>(0, shape);
    planes.run(context, [&](size_t channel, size_t begin, size_t count) {
      Real acc[kBlock];
      sums.fill(channel, begin, count, acc);
      const Stairs<Real> stairs{entries.at(channel), static_cast<int32_t>(entries.width() - 1),
                                lowest_, low_, high_};
      if (!guesses.width()) return bisect(count, acc, stairs, codes + begin);
      const Real* line = guesses.at(channel);
      guess(count, acc, stairs, {line[0], line[1], line[2], line[3]}, codes + begin);
    });
  }

  int32_t lowest_;
  int32_t low_;
  int32_t high_;
};

const Op op("CountStaircase", {kAnyType, kAnyType, kAnyType, kAnyType, kAnyType}, {kFloat},
            make<CountStaircase>, kCountDomain, {4, 1});

}  // namespace
}  // namespace onnx2snn
