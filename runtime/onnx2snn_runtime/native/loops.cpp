#include "loops.h"

#include <atomic>
#include <cstring>

// packed.inc, counts.inc and loops.inc are included for each instruction set with TARGET as their functions'
// attribute. They may use no function of another file: that one would be compiled for the oldest
// processor only. Integer products have instructions that the compiler does not find by itself;
// processors that have them share the loops of the set below.

#define RESTRICT __restrict__

#define TARGET
#define BYTES 16
namespace onnx2snn::portable {
#include "packed.inc"
//
#include "counts.inc"
//
#include "loops.inc"
const Loops all = table("portable", multiply_portable);
}  // namespace onnx2snn::portable
#undef TARGET
#undef BYTES

#if defined(__x86_64__)

#define TARGET __attribute__((target("avx2")))
#define BYTES 32
namespace onnx2snn::avx2 {
#include "packed.inc"
//
#include "counts.inc"
//
#include "loops.inc"
const Loops all = table("avx2", multiply_avx2);
}  // namespace onnx2snn::avx2
#undef TARGET
#undef BYTES

#define TARGET __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl")))
#define BYTES 64
namespace onnx2snn::avx512 {
#include "packed.inc"
//
#include "counts.inc"
//
#include "loops.inc"
const Loops all = table("avx512", multiply_avx512);
const Loops vnni = table("avx512vnni", multiply_vnni);
const Loops amx = table("amx", multiply_amx);
}  // namespace onnx2snn::avx512
#undef TARGET
#undef BYTES

#endif

namespace onnx2snn {
namespace {

// The loops of that name, or (no name) the best ones that this processor has.
const Loops* find(const char* name) {
  const auto wanted = [name](const Loops& loops) {
    return !name || std::strcmp(name, loops.name) == 0;
  };
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")) {
    const bool vnni = __builtin_cpu_supports("avx512vnni");
    if (wanted(avx512::amx) && vnni && amx_works()) return &avx512::amx;
    if (wanted(avx512::vnni) && vnni) return &avx512::vnni;
    if (wanted(avx512::all)) return &avx512::all;
  }
  if (wanted(avx2::all) && __builtin_cpu_supports("avx2")) return &avx2::all;
#endif
  return wanted(portable::all) ? &portable::all : nullptr;
}

std::atomic<const Loops*>& chosen() {
  static std::atomic<const Loops*> loops{find(nullptr)};
  return loops;
}

}  // namespace

const Loops& loops() { return *chosen().load(); }

bool use_loops(const char* name) {
  const Loops* found = find(name);
  if (found) chosen() = found;
  return found;
}

}  // namespace onnx2snn
