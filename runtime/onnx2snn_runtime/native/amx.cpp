#include "dot.h"

#if defined(__x86_64__)

#include <cpuid.h>

#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace onnx2snn {
namespace {

// Whether the processor has tiles of int8, and the system keeps them for each thread.
[[maybe_unused]] bool has_tiles() {
  unsigned a, b, c, d;
  constexpr unsigned kOsSavesMore = 1u << 27;
  if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & kOsSavesMore)) return false;
  constexpr unsigned kTilesAndInt8 = 3u << 24;
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || (d & kTilesAndInt8) != kTilesAndInt8) {
    return false;
  }
  unsigned low, high;
  __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  constexpr unsigned kTileState = 3u << 17;
  return (low & kTileState) == kTileState;
}

bool ask() {
#if defined(__linux__)
  constexpr long kRequestPermission = 0x1023, kTileData = 18;
  return has_tiles() && syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
#else
  return false;
#endif
}

}  // namespace

bool amx_works() {
  static const bool works = ask();
  return works;
}

}  // namespace onnx2snn

#endif
