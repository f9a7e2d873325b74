// Inputs for the tests and the benchmark. Seeded, so that a failure can be had again.
#pragma once

#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include "../kernels/number.h"

namespace mlxconvert {

using Bytes = std::vector<uint8_t>;

template <class Make>
Bytes numbers(DType dtype, size_t count, Make make) {
  Bytes bytes(count * size_of(dtype));
  for (size_t i = 0; i < count; i++) {
    uint8_t* to = bytes.data() + i * size_of(dtype);
    const float x = make(i);
    switch (dtype) {
      case DType::float32:
        Number<DType::float32>::write(to, x);
        break;
      case DType::float16:
        Number<DType::float16>::write(to, x);
        break;
      case DType::bfloat16:
        Number<DType::bfloat16>::write(to, x);
        break;
      case DType::float64:
        Number<DType::float64>::write(to, x);
        break;
    }
  }
  return bytes;
}

// As the weights of a network are distributed.
inline Bytes normal_weights(DType dtype, size_t count) {
  std::mt19937 random(1);
  std::normal_distribution<float> normal(0.0f, 0.02f);
  return numbers(dtype, count, [&](size_t) { return normal(random); });
}

}  // namespace mlxconvert
