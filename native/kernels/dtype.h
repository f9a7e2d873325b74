// The dtypes that the kernels compute with; the numbers are those of src/tensor/dtype.ts.
#pragma once

#include <cstddef>
#include <cstdint>

namespace mlxconvert {

enum class DType : int { float32 = 0, float16 = 1, bfloat16 = 2, float64 = 3 };

constexpr size_t size_of(DType dtype) {
  switch (dtype) {
    case DType::float64:
      return 8;
    case DType::float32:
      return 4;
    default:
      return 2;
  }
}

}  // namespace mlxconvert
