#include "../pooling.h"

namespace onnx2snn {
namespace {

class SpikeAveragePool final : public Kernel {
 public:
  explicit SpikeAveragePool(const Attributes& a) : pool_(a) {}

  void compute(const Context& context) const override {
    const Tensor spikes = context.input(0), theta = context.input(1), v_init = context.input(2);
    const Window window(spikes, context.input(3));
    const PoolOfStep step(pool_, window.sample_shape);
    const Broadcast<float> thetas(theta, step.out_shape, "theta");
    const Broadcast<float> starts(v_init, step.out_shape, "v_init");
    float* pooled = context.output<float>(0, in_time(step.out_shape, window.steps));
    float* potentials = context.output<float>(1, step.out_shape);
    const size_t in_stride = step.planes * step.in_size;
    const size_t out_stride = step.planes * step.out_size;
    std::vector<float> theta_map(out_stride), sums(out_stride);
    context.parallel(step.planes, [&](size_t plane) {
      const size_t begin = plane * step.out_size;
      const float* row = spikes.values<float>() + plane * step.in_size;
      float *out = pooled + begin, *v = potentials + begin;
      float *theta = theta_map.data() + begin, *sum = sums.data() + begin;
      thetas.copy(begin, step.out_size, theta);
      starts.copy(begin, step.out_size, v);
      for (size_t t = 0; t < window.steps; ++t, row += in_stride, out += out_stride) {
        loops().sum(step.pool, row, sum);
        loops().integrate_fire({1, 0, step.out_size}, sum, theta, v, out, true);
      }
    });
  }

 private:
  PoolAttributes pool_;
};

const Op op("SpikeAveragePool", {kFloat, kFloat, kFloat, kInt64}, {kFloat, kFloat},
            make<SpikeAveragePool>);

}  // namespace
}  // namespace onnx2snn
