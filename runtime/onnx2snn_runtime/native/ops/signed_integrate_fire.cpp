#include "../op.h"

namespace onnx2snn {
namespace {

class SignedIntegrateFire final : public Kernel {
 public:
  explicit SignedIntegrateFire(const Attributes&) {}

  void compute(const Context& context) const override {
    const Tensor current = context.input(0);
    const Window window(current, context.input(6));
    const Tensor theta = context.input(1), s_min = context.input(2), s_max = context.input(3);
    const Tensor v_init = context.input(4), s_init = context.input(5);
    const Broadcast<float> thetas(theta, window.sample_shape, "theta");
    const Broadcast<float> floors(s_min, window.sample_shape, "s_min");
    const Broadcast<float> ceilings(s_max, window.sample_shape, "s_max");
    const Broadcast<float> v_starts(v_init, window.sample_shape, "v_init");
    const Broadcast<float> s_starts(s_init, window.sample_shape, "s_init");
    float* spikes = context.output<float>(0, current.shape);
    float* v = context.output<float>(1, window.sample_shape);
    float* s = context.output<float>(2, window.sample_shape);
    context.in_blocks(window.size, [&](size_t begin, size_t count) {
      float theta[kBlock], floor[kBlock], ceiling[kBlock];
      thetas.copy(begin, count, theta);
      floors.copy(begin, count, floor);
      ceilings.copy(begin, count, ceiling);
      v_starts.copy(begin, count, v + begin);
      s_starts.copy(begin, count, s + begin);
      loops().signed_fire({window.steps, window.size, count}, current.values<float>() + begin,
                          theta, floor, ceiling, v + begin, s + begin, spikes + begin);
    });
  }
};

const Op op("SignedIntegrateFire", {kFloat, kFloat, kFloat, kFloat, kFloat, kFloat, kInt64},
            {kFloat, kFloat, kFloat}, make<SignedIntegrateFire>);

}  // namespace
}  // namespace onnx2snn
