#include "../pooling.h"

namespace onnx2snn {
namespace {

class SpikeMaxPool final : public Kernel {
 public:
  explicit SpikeMaxPool(const Attributes& a)
      : pool_(a), keep_(a.choice("code", {"count", "radix"}) == 1 ? 2.0f : 1.0f) {}

  void compute(const Context& context) const override {
    const Tensor spikes = context.input(0), count_init = context.input(1);
    const Window window(spikes, context.input(2));
    const PoolOfStep step(pool_, window.sample_shape);
    const Broadcast<float> starts(count_init, window.sample_shape, "count_init");
    float* pooled = context.output<float>(0, in_time(step.out_shape, window.steps));
    float* counts = context.output<float>(1, window.sample_shape);
    const size_t in_stride = step.planes * step.in_size;
    const size_t out_stride = step.planes * step.out_size;
    std::vector<float> largest_before(out_stride);
    context.parallel(step.planes, [&](size_t plane) {
      const float* row = spikes.values<float>() + plane * step.in_size;
      float* count = counts + plane * step.in_size;
      float* out = pooled + plane * step.out_size;
      float* before = largest_before.data() + plane * step.out_size;
      starts.copy(plane * step.in_size, step.in_size, count);
      loops().largest(step.pool, count, before);
      for (size_t t = 0; t < window.steps; ++t, row += in_stride, out += out_stride) {
        loops().add_kept(step.in_size, row, count, keep_);
        loops().largest(step.pool, count, out);
        loops().take_before(step.out_size, out, before, keep_);
      }
    });
  }

 private:
  PoolAttributes pool_;
  float keep_;
};

const Op op("SpikeMaxPool", {kFloat, kFloat, kInt64}, {kFloat, kFloat}, make<SpikeMaxPool>);

}  // namespace
}  // namespace onnx2snn
