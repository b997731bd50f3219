#include "../op.h"

namespace onnx2snn {
namespace {

class DirectEncode final : public Kernel {
 public:
  explicit DirectEncode(const Attributes&) {}

  void compute(const Context& context) const override {
    const Tensor x = context.input(0);
    const size_t steps = steps_of(context.input(1)), size = elements(x.shape);
    float* currents = context.output<float>(0, in_time(x.shape, steps));
    context.in_blocks(size, [&](size_t begin, size_t count) {
      for (size_t t = 0; t < steps; ++t) {
        std::copy_n(x.values<float>() + begin, count, currents + t * size + begin);
      }
    });
  }
};

const Op op("DirectEncode", {kFloat, kInt64}, {kFloat}, make<DirectEncode>);

}  // namespace
}  // namespace onnx2snn
