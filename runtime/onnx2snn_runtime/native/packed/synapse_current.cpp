#include "synapse.h"

namespace onnx2snn {
namespace {

// A layer alone: spikes to currents [R, H, W, outputs], every row for itself.
class SynapseCurrent final : public Kernel {
 public:
  explicit SynapseCurrent(const Attributes& a) : synapse_(a) {}

  void compute(const Context& context) const override {
    const Synapse synapse(synapse_, context, 1);
    float* currents = context.output<float>(0, synapse.out_shape());
    synapse.run(context, [&] { return Consumer(synapse, currents); });
  }

 private:
  class Consumer {
   public:
    Consumer(const Synapse& synapse, float* currents)
        : synapse_(&synapse), currents_(currents), part_(synapse.part_size()) {}

    void begin(const Part&) {}
    void end(const Part&) {}

    void take(const Part& part) {
      const Patch& patch = part.patch;
      synapse_->drive(part, part_.data());
      const size_t stride = synapse_->population(part).pixel_stride;
      float* to = currents_ + synapse_->place(part);
      for (size_t pixel = 0; pixel < patch.pixels; ++pixel) {
        std::copy_n(part_.data() + pixel * patch.width, patch.valid, to + pixel * stride);
      }
    }

   private:
    const Synapse* synapse_;
    float* currents_;
    Buffer<float> part_;
  };

  SynapseAttributes synapse_;
};

const Op op("SynapseCurrent", {kUint8, kInt8, kInt64, kInt32, kFloat, kFloat}, {kFloat},
            make<SynapseCurrent>, kPackedDomain);

}  // namespace
}  // namespace onnx2snn
