#include "terms.h"

namespace onnx2snn {
namespace {

void follow(size_t n, const float* acc, Stairs<float> stairs, Line<float> line, float* codes) {
  loops().counts.line_floats(n, acc, stairs, line, codes);
}
void follow(size_t n, const float* acc, Stairs<double> stairs, Line<double> line, float* codes) {
  loops().counts.line_widened(n, acc, stairs, line, codes);
}
void follow(size_t n, const double* acc, Stairs<double> stairs, Line<double> line, float* codes) {
  loops().counts.line_doubles(n, acc, stairs, line, codes);
}
void follow(size_t n, Pair<float> pair, Stairs<float> stairs, Line<float> line, float* codes) {
  loops().counts.line_float_pairs(n, pair, stairs, line, codes);
}
void follow(size_t n, Pair<double> pair, Stairs<double> stairs, Line<double> line, float* codes) {
  loops().counts.line_double_pairs(n, pair, stairs, line, codes);
}
void guess(size_t n, const float* acc, Stairs<float> stairs, Line<float> line, float* codes) {
  loops().counts.guess_floats(n, acc, stairs, line, codes);
}
void guess(size_t n, const double* acc, Stairs<double> stairs, Line<double> line, float* codes) {
  loops().counts.guess_doubles(n, acc, stairs, line, codes);
}
void bisect(size_t n, const float* acc, Stairs<float> stairs, float* codes) {
  loops().counts.bisect_floats(n, acc, stairs, codes);
}
void bisect(size_t n, const double* acc, Stairs<double> stairs, float* codes) {
  loops().counts.bisect_doubles(n, acc, stairs, codes);
}

// StaircaseFire over a whole window: sums of currents to codes, in the type of the constants. The
// level is that of a line, of a line and one look into the table, or (no line) found by bisection.
class CountStaircase final : public Kernel {
 public:
  explicit CountStaircase(const Attributes& a)
      : lowest_(static_cast<int32_t>(a.integer("lowest", 0))),
        low_(static_cast<int32_t>(a.integer("low", 0))),
        high_(static_cast<int32_t>(a.integer("high", 0))) {}

  void compute(const Context& context) const override {
    const Tensor factors = context.input(1), lines = context.input(2), tables = context.input(3);
    if (lines.type != factors.type || tables.type != factors.type) {
      throw Failure("the constants are of several types");
    }
    if (factors.type == kFloat) return fire<float>(context, factors, lines, tables);
    if (factors.type == kDouble) return fire<double>(context, factors, lines, tables);
    throw Failure("the constants are neither float nor double");
  }

 private:
  template <class Real>
  void fire(const Context& context, const Tensor& factors, const Tensor& lines,
            const Tensor& tables) const {
    const Shape shape = context.input(0).shape;
    const Planes planes(shape);
    const Sums<Real> sums(context, 0, 4, {factors, planes.channels(), "factors"});
    const ByChannel<Real> line_rows(lines, planes.channels(), "lines");
    const ByChannel<Real> entries(tables, planes.channels(), "tables");
    const bool has_line = line_rows.width() == 4;
    if (!has_line && (line_rows.width() || !entries.width())) {
      throw Failure("neither lines of four numbers nor tables");
    }
    const int32_t last = static_cast<int32_t>(entries.width()) - 1;
    float* codes = context.output<float>(0, shape);
    planes.run(context, [&](size_t channel, size_t begin, size_t count) {
      const Real* table = last < 0 ? nullptr : entries.at(channel);
      const Stairs<Real> stairs{table, last, lowest_, low_, high_};
      float* here = codes + begin;
      if (has_line && !table) {
        return level(sums, channel, begin, count, stairs, cut(line_rows.at(channel)), here);
      }
      Real acc[kBlock];
      sums.fill(channel, begin, count, acc);
      if (!has_line) return bisect(count, acc, stairs, here);
      const Real* line = line_rows.at(channel);
      guess(count, acc, stairs, {line[0], line[1], line[2], line[3]}, here);
    });
  }

  // A line that is exact: its ends are those of the codes, too.
  template <class Real>
  Line<Real> cut(const Real* line) const {
    const Real low = static_cast<Real>(low_ - lowest_), high = static_cast<Real>(high_ - lowest_);
    return {line[0], line[1], std::max(line[2], low), std::max(low, std::min(line[3], high))};
  }

  template <class Real>
  static void level(const Sums<Real>& sums, size_t channel, size_t begin, size_t count,
                    Stairs<Real> stairs, Line<Real> line, float* codes) {
    if (sums.paired()) return follow(count, sums.pair(channel, begin), stairs, line, codes);
    if (const float* alone = sums.alone(channel, begin)) {
      return follow(count, alone, stairs, line, codes);
    }
    Real acc[kBlock];
    sums.fill(channel, begin, count, acc);
    follow(count, acc, stairs, line, codes);
  }

  int32_t lowest_;
  int32_t low_;
  int32_t high_;
};

const Op op("CountStaircase", {kAnyType, kAnyType, kAnyType, kAnyType, kAnyType}, {kFloat},
            make<CountStaircase>, kCountDomain, {4, 1});

}  // namespace
}  // namespace onnx2snn
