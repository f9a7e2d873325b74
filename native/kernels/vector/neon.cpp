// Compiled with the flags that native/binding.gyp and native/test/Makefile give it.
#include "neon.h"
#include "../instruction_sets.h"
#include "kernels.h"

namespace mlxconvert {

const Kernels neon_kernels = {"neon", neon::quantize, neon::dequantize, neon::cast};

}  // namespace mlxconvert
