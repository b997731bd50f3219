#include "neurons.h"
#include "synapse.h"

namespace onnx2snn {
namespace {

// What a layer may have beside the neurons' inputs.
enum { kShortcut = kSynapseInputs, kAmplitude, kOtherCurrents, kNeurons };

// A layer and the neurons behind it: no current leaves the nearest cache.
class SynapseFire final : public Kernel {
 public:
  explicit SynapseFire(const Attributes& a)
      : synapse_(a), neurons_(a), shortcut_zero_(static_cast<int>(a.integer("shortcut_zero", 0))) {}

  void compute(const Context& context) const override {
    const Synapse synapse(synapse_, context, steps_of(context.input(kNeurons)));
    const Neurons neurons(neurons_, context, kNeurons, synapse.sample_shape(neurons_.rank));
    const Arrivals arrivals(context, synapse, shortcut_zero_);
    uint8_t* spikes = context.output<uint8_t>(0, synapse.out_shape());
    synapse.run(context, [&] { return Consumer(synapse, neurons, arrivals, spikes); });
  }

 private:
  // What reaches the neurons past the layer.
  struct Arrivals {
    Arrivals(const Context& context, const Synapse& synapse, int zero) : shortcut{} {
      const auto check_shape = [&](const Tensor& tensor) {
        if (tensor.shape != synapse.out_shape()) throw Failure("a shortcut has another shape");
      };
      if (context.has_input(kShortcut)) {
        const Tensor spikes = context.input(kShortcut);
        check_shape(spikes);
        shortcut = {spikes.values<uint8_t>(), context.input(kAmplitude).values<float>(), zero};
      }
      if (context.has_input(kOtherCurrents)) {
        const Tensor currents = context.input(kOtherCurrents);
        check_shape(currents);
        others = currents.values<float>();
      }
    }

    Shortcut shortcut;
    const float* others = nullptr;
  };

  class Consumer {
   public:
    Consumer(const Synapse& synapse, const Neurons& neurons, const Arrivals& arrivals,
             uint8_t* spikes)
        : synapse_(&synapse),
          neurons_(&neurons),
          arrivals_(&arrivals),
          spikes_(spikes),
          currents_(synapse.part_size()),
          potentials_(synapse.state_size()),
          tracers_(neurons.has_tracers() ? synapse.state_size() : 0) {}

    void begin(const Part& part) { neurons_->load(part.patch, at(part)); }
    void end(const Part& part) { neurons_->store(part.patch, at(part)); }

    void take(const Part& part) {
      const PackedLoops& loop = loops().packed;
      const Population population = synapse_->population(part);
      const size_t place = synapse_->place(part);
      float* currents = currents_.data();
      synapse_->drive(part, currents);
      if (Shortcut shortcut = arrivals_->shortcut; shortcut.spikes) {
        shortcut.spikes += place;
        shortcut.amplitude += part.column;
        loop.add_shortcut(population, shortcut, currents);
      }
      if (arrivals_->others) loop.add_currents(population, arrivals_->others + place, currents);
      neurons_->fire(population, part.column, currents, at(part), spikes_ + place);
    }

   private:
    AtWork at(const Part& part) const {
      return {potentials_.data() + part.offset, tracers_.data() + part.offset};
    }

    const Synapse* synapse_;
    const Neurons* neurons_;
    const Arrivals* arrivals_;
    uint8_t* spikes_;
    Buffer<float> currents_;
    Buffer<float> potentials_;
    Buffer<float> tracers_;
  };

  SynapseAttributes synapse_;
  NeuronAttributes neurons_;
  int shortcut_zero_;
};

const Op op("SynapseFire",
            {kUint8, kInt8, kInt64, kInt32, kFloat, kFloat, kUint8, kFloat, kFloat, kInt64, kFloat,
             kFloat, kFloat, kFloat, kFloat, kFloat},
            {kUint8, kFloat, kFloat}, make<SynapseFire>, kPackedDomain, {kShortcut, 2});

}  // namespace
}  // namespace onnx2snn
