#include "../op.h"

namespace onnx2snn {
namespace {

class LeakyIntegrateFire final : public Kernel {
 public:
  explicit LeakyIntegrateFire(const Attributes& a)
      : linear_(a.choice("leak_mode", {"linear", "factor"}) == 0),
        subtract_(a.choice("reset", {"subtract", "zero"}) == 0) {}

  void compute(const Context& context) const override {
    const Tensor current = context.input(0);
    const Window window(current, context.input(4));
    const Tensor theta = context.input(1), leak = context.input(2), v_init = context.input(3);
    const Broadcast<float> thetas(theta, window.sample_shape, "theta");
    const Broadcast<float> leaks(leak, window.sample_shape, "leak");
    const Broadcast<float> starts(v_init, window.sample_shape, "v_init");
    float* spikes = context.output<float>(0, current.shape);
    float* v = context.output<float>(1, window.sample_shape);
    context.in_blocks(window.size, [&](size_t begin, size_t count) {
      float theta[kBlock], leak[kBlock];
      thetas.copy(begin, count, theta);
      leaks.copy(begin, count, leak);
      starts.copy(begin, count, v + begin);
      loops().leaky_fire({window.steps, window.size, count}, current.values<float>() + begin,
                         theta, leak, v + begin, spikes + begin, linear_, subtract_);
    });
  }

 private:
  bool linear_;
  bool subtract_;
};

const Op op("LeakyIntegrateFire", {kFloat, kFloat, kFloat, kFloat, kInt64}, {kFloat, kFloat},
            make<LeakyIntegrateFire>);

}  // namespace
}  // namespace onnx2snn
