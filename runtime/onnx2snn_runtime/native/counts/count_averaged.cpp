#include "terms.h"

namespace onnx2snn {
namespace {

// AveragedIntegrateFire over a whole window: sums of currents to counts of spikes.
class CountAveraged final : public Kernel {
 public:
  explicit CountAveraged(const Attributes& a)
      : steps_(static_cast<float>(a.integer("timesteps", 1))),
        divides_(a.integer("divides", 1)),
        anywhere_(a.integer("anywhere", 0)) {}

  void compute(const Context& context) const override {
    const Shape shape = context.input(0).shape;
    const Planes planes(shape);
    const Sums<float> sums(context, 0, 3, {context.input(1), planes.channels(), "factors"});
    const ByChannel<float> neurons(context.input(2), planes.channels(), "neurons");
    if (neurons.width() != 3) throw Failure("neurons have potential, threshold and divisor");
    float* counts = context.output<float>(0, shape);
    const CountLoops& loop = loops().counts;
    planes.run(context, [&](size_t channel, size_t begin, size_t count) {
      float acc[kBlock];
      const float* current = sums.alone(channel, begin);
      if (!current) sums.fill(channel, begin, count, acc);
      const float* given = neurons.at(channel);
      const AveragedNeurons here{given[0], given[1], given[2], steps_, divides_};
      (anywhere_ ? loop.averaged_anywhere : loop.averaged)(count, current ? current : acc, here, counts + begin);
    });
  }

 private:
  float steps_;
  bool divides_;
  bool anywhere_;
};

const Op op("CountAveraged", {kFloat, kFloat, kFloat, kFloat}, {kFloat}, make<CountAveraged>,
            kCountDomain, {3, 1});

}  // namespace
}  // namespace onnx2snn
