// Work in lanes: as many as there are threads, each with working memory of its own.
#pragma once

#include "../op.h"

namespace onnx2snn {

// use(item, memory) for every item; make() gives the memory of one lane. `use` must not throw.
// A lane does neighbours, so that a core finds in its caches what it wrote one layer before.
template <class Make, class Use>
void in_lanes(const Context& context, size_t threads, size_t items, const Make& make,
              const Use& use) {
  const size_t lanes = std::min(threads, items);
  std::vector<decltype(make())> memory;
  memory.reserve(lanes);
  for (size_t lane = 0; lane < lanes; ++lane) memory.push_back(make());
  context.parallel(lanes, [&](size_t lane) {
    const size_t end = items * (lane + 1) / lanes;
    for (size_t item = items * lane / lanes; item < end; ++item) use(item, memory[lane]);
  });
}

// The node's `threads`, or as many as the machine has.
size_t threads_of(const Attributes& attributes);

}  // namespace onnx2snn
