#include "../op.h"

namespace onnx2snn {
namespace {

class IntegrateFire final : public Kernel {
 public:
  explicit IntegrateFire(const Attributes& a)
      : subtract_(a.choice("reset", {"subtract", "zero"}) == 0) {}

  void compute(const Context& context) const override {
    const Tensor current = context.input(0);
    const Window window(current, context.input(3));
    const Tensor theta = context.input(1), v_init = context.input(2);
    const Broadcast<float> thetas(theta, window.sample_shape, "theta");
    const Broadcast<float> starts(v_init, window.sample_shape, "v_init");
    float* spikes = context.output<float>(0, current.shape);
    float* v = context.output<float>(1, window.sample_shape);
    context.in_blocks(window.size, [&](size_t begin, size_t count) {
      float theta[kBlock];
      thetas.copy(begin, count, theta);
      starts.copy(begin, count, v + begin);
      loops().integrate_fire({window.steps, window.size, count}, current.values<float>() + begin,
                             theta, v + begin, spikes + begin, subtract_);
    });
  }

 private:
  bool subtract_;
};

const Op op("IntegrateFire", {kFloat, kFloat, kFloat, kInt64}, {kFloat, kFloat},
            make<IntegrateFire>);

}  // namespace
}  // namespace onnx2snn
