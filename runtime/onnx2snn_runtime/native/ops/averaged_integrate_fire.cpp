#include "../op.h"

namespace onnx2snn {
namespace {

// All potentials in units T times as fine, in double precision.
class AveragedIntegrateFire final : public Kernel {
 public:
  explicit AveragedIntegrateFire(const Attributes&) {}

  void compute(const Context& context) const override {
    const Tensor current = context.input(0);
    const Window window(current, context.input(3));
    const Tensor theta = context.input(1), v_init = context.input(2);
    const Broadcast<float> thetas(theta, window.sample_shape, "theta");
    const Broadcast<float> starts(v_init, window.sample_shape, "v_init");
    const double factor = static_cast<double>(window.steps);
    float* spikes = context.output<float>(0, current.shape);
    float* v_final = context.output<float>(1, window.sample_shape);
    context.in_blocks(window.size, [&](size_t begin, size_t count) {
      float narrow[kBlock];
      double theta[kBlock], v[kBlock];
      thetas.copy(begin, count, narrow);
      for (size_t i = 0; i < count; ++i) theta[i] = factor * narrow[i];
      starts.copy(begin, count, narrow);
      for (size_t i = 0; i < count; ++i) v[i] = factor * narrow[i];
      loops().averaged_fire({window.steps, window.size, count}, current.values<float>() + begin,
                            theta, v, spikes + begin);
      for (size_t i = 0; i < count; ++i) v_final[begin + i] = static_cast<float>(v[i] / factor);
    });
  }
};

const Op op("AveragedIntegrateFire", {kFloat, kFloat, kFloat, kInt64}, {kFloat, kFloat},
            make<AveragedIntegrateFire>);

}  // namespace
}  // namespace onnx2snn
