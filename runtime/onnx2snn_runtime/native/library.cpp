// What the shared library shows: its registration with onnxruntime, and its instruction sets.

#include <exception>

#include "loops.h"
#include "op.h"

#define VISIBLE extern "C" __attribute__((visibility("default")))

namespace onnx2snn {
namespace {

const Api* the_api = nullptr;

// A domain with all its ops. It lives as long as the process: sessions refer to it.
OrtCustomOpDomain* make_domain(const std::string& name) {
  OrtCustomOpDomain* domain = nullptr;
  check(api().create_domain(name.c_str(), &domain), "the domain");
  for (const Op* op : ops()) {
    if (op->domain == name) check(api().add_op(domain, op), op->name);
  }
  return domain;
}

}  // namespace

const Api& api() { return *the_api; }

}  // namespace onnx2snn

// onnxruntime calls this for every session that is to have the kernels.
VISIBLE OrtStatus* RegisterCustomOps(OrtSessionOptions* options, const OrtApiBase* base) {
  using namespace onnx2snn;
  const OrtApi* raw = base->GetApi(kApiVersion);
  if (!raw) {
    const Api oldest(base->GetApi(1));
    return oldest.create_status(kFail, "the kernels need onnxruntime 1.17 or newer");
  }
  static const Api its_api(raw);
  the_api = &its_api;
  try {
    static OrtCustomOpDomain* const domains[] = {
        make_domain(kDomain), make_domain(kPackedDomain), make_domain(kCountDomain)};
    for (OrtCustomOpDomain* domain : domains) {
      if (OrtStatus* status = its_api.add_domain(options, domain)) return status;
    }
    return nullptr;
  } catch (const std::exception& error) {
    return its_api.create_status(kFail, error.what());
  }
}

// The instruction set in use: "amx", "avx512vnni", "avx512", "avx2" or "portable".
VISIBLE const char* onnx2snn_instructions() { return onnx2snn::loops().name; }

// Uses the named instruction set from now on; 0 where this processor or build has none such.
VISIBLE int onnx2snn_use_instructions(const char* name) {
  return onnx2snn::use_loops(name) ? 1 : 0;
}
