// The neurons behind a packed layer: their constants and states.
#pragma once

#include <optional>

#include "../op.h"
#include "state.h"

namespace onnx2snn {

struct NeuronAttributes {
  explicit NeuronAttributes(const Attributes& a)
      : kind(static_cast<Kind>(a.choice("neuron", {"subtract", "zero", "signed"}))),
        rank(a.integer("rank", 4)) {}

  enum Kind { kSubtract, kZero, kSigned } kind;
  int64_t rank;  // axes of the states: [N, C], [N, C, L] or [N, C, H, W]
};

// States of the neurons of a part, [pixel][neuron].
struct AtWork {
  float* v;
  float* s;
};

// One call's neurons. Their inputs follow each other: T, theta, v_init, and of signed ones s_min,
// s_max, s_init; constants lie as the columns of the layer.
class Neurons {
 public:
  Neurons(const NeuronAttributes& a, const Context& context, size_t first,
          const Shape& sample_shape)
      : kind_(a.kind),
        theta_(context.input(first + 1).values<float>()),
        v_init_(context.input(first + 2), sample_shape, "v_init"),
        v_final_(context.output<float>(1, sample_shape)) {
    if (!has_tracers()) return;
    s_min_ = context.input(first + 3).values<float>();
    s_max_ = context.input(first + 4).values<float>();
    s_init_.emplace(context.input(first + 5), sample_shape, "s_init");
    s_final_ = context.output<float>(2, sample_shape);
  }

  bool has_tracers() const { return kind_ == NeuronAttributes::kSigned; }

  void load(const Patch& patch, AtWork at) const {
    v_init_.load(patch, at.v);
    if (has_tracers()) s_init_->load(patch, at.s);
  }

  void store(const Patch& patch, AtWork at) const {
    v_init_.store(patch, at.v, v_final_);
    if (has_tracers()) s_init_->store(patch, at.s, s_final_);
  }

  // `column` is the place of the population's constants.
  void fire(Population p, size_t column, const float* currents, AtWork at,
            uint8_t* spikes) const {
    p.theta = theta_ + column;
    if (has_tracers()) {
      p.s_min = s_min_ + column;
      p.s_max = s_max_ + column;
      return loops().packed.fire_signed(p, currents, at.v, at.s, spikes);
    }
    loops().packed.fire(p, currents, at.v, spikes, kind_ == NeuronAttributes::kSubtract);
  }

 private:
  NeuronAttributes::Kind kind_;
  const float* theta_;
  const float* s_min_ = nullptr;
  const float* s_max_ = nullptr;
  State v_init_;
  std::optional<State> s_init_;
  float* v_final_;
  float* s_final_ = nullptr;
};

}  // namespace onnx2snn
