#include <cstdint>

#include "../op.h"

namespace onnx2snn {
namespace {

enum Emission { kUnary, kAveraged, kRadix };

// The tables of all channels, and for every place of a step where its channel's table begins.
class Tables {
 public:
  // A closed table has one entry more at both ends, below and above every accumulator.
  Tables(const Tensor& tau, const Shape& sample_shape, bool closed)
      : length_(closed ? tau.shape.at(1) + 2 : tau.shape.at(1)),
        entries_(tau.values<int64_t>()),
        starts_(first_entries(tau.shape[0], length_)),
        places_(starts_.data(), channel_shape(tau.shape[0], sample_shape), sample_shape, "tau") {
    if (closed) close(tau);
  }

  Staircase at(size_t begin, size_t count, int64_t lowest, int64_t* start) const {
    places_.copy(begin, count, start);
    return {closed_.empty() ? entries_ : closed_.data(), start, length_, lowest};
  }

 private:
  static std::vector<int64_t> first_entries(int64_t rows, int64_t length) {
    std::vector<int64_t> starts(static_cast<size_t>(rows));
    for (int64_t row = 0; row < rows; ++row) starts[row] = row * length;
    return starts;
  }

  static Shape channel_shape(int64_t rows, const Shape& sample_shape) {
    Shape shape(std::max<size_t>(sample_shape.size(), 2) - 1, 1);
    shape[0] = rows;
    return shape;
  }

  void close(const Tensor& tau) {
    const int64_t* entry = entries_;
    closed_.reserve(starts_.size() * static_cast<size_t>(length_));
    for (size_t row = 0; row < starts_.size(); ++row, entry += tau.shape[1]) {
      closed_.push_back(-INT64_MAX);
      closed_.insert(closed_.end(), entry, entry + tau.shape[1]);
      closed_.push_back(INT64_MAX);
    }
  }

  int64_t length_;
  const int64_t* entries_;
  std::vector<int64_t> closed_;
  std::vector<int64_t> starts_;
  Broadcast<int64_t> places_;
};

class StaircaseFire final : public Kernel {
 public:
  explicit StaircaseFire(const Attributes& a)
      : emission_(a.choice("emission", {"unary", "averaged", "radix"})) {}

  void compute(const Context& context) const override {
    const Tensor current = context.input(0);
    if (current.type == kFloat) return fire<float>(context, current);
    if (current.type == kInt64) return fire<int64_t>(context, current);
    throw Failure("I is neither float nor int64");
  }

 private:
  template <class Current>
  void fire(const Context& context, const Tensor& current) const {
    const Window window(current, context.input(5));
    const Tensor tau = context.input(1), acc_init = context.input(3), s_init = context.input(4);
    if (tau.shape.size() != 2) throw Failure("tau is no table for each channel");
    const int64_t lowest = context.input(2).scalar("s_min");
    const Tables tables(tau, window.sample_shape, emission_ == kUnary);
    const Broadcast<int64_t> acc_starts(acc_init, window.sample_shape, "acc_init");
    const Broadcast<int64_t> s_starts(s_init, window.sample_shape, "s_init");
    float* spikes = context.output<float>(0, current.shape);
    int64_t* acc = context.output<int64_t>(1, window.sample_shape);
    int64_t* s = context.output<int64_t>(2, window.sample_shape);
    context.in_blocks(window.size, [&](size_t begin, size_t count) {
      const Steps steps{window.steps, window.size, count};
      const Current* currents = current.values<Current>() + begin;
      int64_t start[kBlock];
      const Staircase stairs = tables.at(begin, count, lowest, start);
      acc_starts.copy(begin, count, acc + begin);
      if (emission_ == kUnary) {
        s_starts.copy(begin, count, s + begin);
        climb(steps, currents, stairs, acc + begin, s + begin, spikes + begin);
        return;
      }
      accumulate(steps, currents, acc + begin, emission_ == kRadix ? 2 : 1);
      loops().find_level(count, acc + begin, stairs, s + begin);
      if (emission_ == kRadix) {
        loops().spread_bits(steps, s + begin, spikes + begin);
      } else {
        loops().spread_evenly(steps, s + begin, spikes + begin);
      }
    });
  }

  static void climb(const Steps& n, const float* current, const Staircase& stairs, int64_t* acc,
                    int64_t* s, float* spikes) {
    loops().unary_floats(n, current, stairs, acc, s, spikes);
  }
  static void climb(const Steps& n, const int64_t* current, const Staircase& stairs, int64_t* acc,
                    int64_t* s, float* spikes) {
    loops().unary_integers(n, current, stairs, acc, s, spikes);
  }
  static void accumulate(const Steps& n, const float* current, int64_t* acc, int64_t keep) {
    loops().accumulate_floats(n, current, acc, keep);
  }
  static void accumulate(const Steps& n, const int64_t* current, int64_t* acc, int64_t keep) {
    loops().accumulate_integers(n, current, acc, keep);
  }

  int emission_;
};

const Op op("StaircaseFire", {kAnyType, kInt64, kInt64, kInt64, kInt64, kInt64},
            {kFloat, kInt64, kInt64}, make<StaircaseFire>);

}  // namespace
}  // namespace onnx2snn
