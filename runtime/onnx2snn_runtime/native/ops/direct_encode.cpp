#include "../op.h"

namespace onnx2snn {
namespace {

class DirectEncode final : public Kernel {
 public:
  explicit DirectEncode(const Attributes&) {}

  void compute(const Context& context) const override {
    const Tensor x = context.input(0);
    Shape shape = x.shape;
    const int64_t T = context.input(1).scalar("T");
    if (T < 1 || shape.empty()) throw Failure("needs samples and at least one step");
    shape[0] *= T;
    const size_t size = elements(x.shape);
    float* currents = context.output<float>(0, shape);
    context.in_blocks(size, [&](size_t begin, size_t count) {
      for (int64_t t = 0; t < T; ++t) {
        std::copy_n(x.values<float>() + begin, count, currents + t * size + begin);
      }
    });
  }
};

const Op op("DirectEncode", {kFloat, kInt64}, {kFloat}, make<DirectEncode>);

}  // namespace
}  // namespace onnx2snn
