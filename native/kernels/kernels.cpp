#include "kernels.h"

#include <cstring>

#include "instruction_sets.h"

namespace mlxconvert {
namespace {

struct Candidate {
  const Kernels& kernels;
  bool (*runs_here)();  // also asks whether the operating system keeps the registers
};

// Best first. Every processor with AVX2 and FMA has F16C, which not every compiler can ask for.
const Candidate candidates[] = {
#if defined(__x86_64__)
    {avx512_kernels,
     [] {
       return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
              __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
              __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
     }},
    {avx2_kernels, [] { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }},
#elif defined(__aarch64__)
    {neon_kernels, [] { return true; }},
#endif
    {portable_kernels, [] { return true; }},
};

}  // namespace

const Kernels& best_kernels() {
  static const Kernels& best = [&]() -> const Kernels& {
    for (const Candidate& candidate : candidates) {
      if (candidate.runs_here()) return candidate.kernels;
    }
    return portable_kernels;
  }();
  return best;
}

const Kernels* kernels_by_name(const char* name) {
  for (const Candidate& candidate : candidates) {
    if (strcmp(candidate.kernels.name, name) == 0) return candidate.runs_here() ? &candidate.kernels : nullptr;
  }
  return nullptr;
}

}  // namespace mlxconvert
