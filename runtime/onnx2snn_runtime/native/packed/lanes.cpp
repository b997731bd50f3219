#include "lanes.h"

#include <thread>

namespace onnx2snn {

size_t threads_of(const Attributes& attributes) {
  const int64_t given = attributes.integer("threads", 0);
  if (given > 0) return static_cast<size_t>(given);
  return std::max<size_t>(1, std::thread::hardware_concurrency());
}

}  // namespace onnx2snn
