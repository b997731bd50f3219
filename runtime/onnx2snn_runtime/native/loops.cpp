#include "loops.h"

#include <atomic>
#include <cstring>

// loops.inc is included for each instruction set with TARGET as its functions' attribute. It may
// use no function of another file: that one would be compiled for the oldest processor only.

#define TARGET
namespace onnx2snn::portable {
#include "loops.inc"
const Loops all = table("portable");
}  // namespace onnx2snn::portable
#undef TARGET

#if defined(__x86_64__)

#define TARGET __attribute__((target("avx2")))
namespace onnx2snn::avx2 {
#include "loops.inc"
const Loops all = table("avx2");
}  // namespace onnx2snn::avx2
#undef TARGET

#define TARGET __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl")))
namespace onnx2snn::avx512 {
#include "loops.inc"
const Loops all = table("avx512");
}  // namespace onnx2snn::avx512
#undef TARGET

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
  if (wanted(avx512::all) && __builtin_cpu_supports("avx512f") &&
      __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512vl")) {
    return &avx512::all;
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
