// Compiled with the flags that native/binding.gyp and native/test/Makefile give it.
#include "avx2.h"
#include "../instruction_sets.h"
#include "kernels.h"

namespace mlxconvert {

const Kernels avx2_kernels = {"avx2", avx2::quantize, avx2::dequantize, avx2::cast};

}  // namespace mlxconvert
