// Compiled with the flags that native/binding.gyp and native/test/Makefile give it.
#include "avx512.h"
#include "../instruction_sets.h"
#include "kernels.h"

namespace mlxconvert {

const Kernels avx512_kernels = {"avx512", avx512::quantize, avx512::dequantize, avx512::cast};

}  // namespace mlxconvert
