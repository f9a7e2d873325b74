// The implementations that a build can have; kernels.cpp chooses among them.
#pragma once

#include "kernels.h"

namespace mlxconvert {

extern const Kernels portable_kernels;
#if defined(__x86_64__)
extern const Kernels avx2_kernels;
extern const Kernels avx512_kernels;
#elif defined(__aarch64__)
extern const Kernels neon_kernels;
#endif

}  // namespace mlxconvert
