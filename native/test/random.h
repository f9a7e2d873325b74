// Inputs for the tests and the benchmark. Seeded, so that a failure can be had again.
#pragma once

#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include "../kernels/small_floats.h"
#include "../kernels/with_dtype.h"

namespace mlxconvert {

using Bytes = std::vector<uint8_t>;

template <class Make>
Bytes numbers(DType dtype, size_t count, Make make) {
  Bytes bytes(count * size_of(dtype));
  with_any_dtype(dtype, [&](auto tag) {
    constexpr DType type = decltype(tag)::value;
    for (size_t i = 0; i < count; i++) Number<type>::write(bytes.data() + i * size_of(type), make(i));
  });
  return bytes;
}

// As the weights of a network are distributed.
inline Bytes normal_weights(DType dtype, size_t count, unsigned seed = 1) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0.0f, 0.02f);
  return numbers(dtype, count, [&](size_t) { return normal(random); });
}

inline Bytes random_bytes(size_t count, unsigned seed) {
  std::mt19937 random(seed);
  Bytes bytes(count);
  for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random());
  return bytes;
}

// Groups of 16 for nvfp4 whose quotients by the scale lie on and next to the ties between fp4 values.
inline Bytes near_fp4_ties(DType dtype, size_t count, unsigned seed) {
  std::mt19937 random(seed);
  const float ties[] = {0.25f, 0.75f, 1.25f, 1.75f, 2.5f, 3.5f, 5.0f};
  float scale = 0;
  Bytes bytes = numbers(dtype, count, [&](size_t i) {
    if (i % 16 == 0) scale = from_fp8(static_cast<uint8_t>(1 + random() % 0x7E));
    return i % 16 == 0 ? 6 * scale : ties[random() % 7] * scale;
  });
  for (size_t i = 0; i < count; i++) {
    if (i % 16 != 0) bytes[i * size_of(dtype)] += static_cast<uint8_t>(random() % 9);  // units in the last place
  }
  return bytes;
}

// Inputs that go wrong where something does: coarse values that lie on ties, huge and tiny ones, groups of one value,
// zeros of both signs, infinities and NaNs, among others or alone, and plain random bits.
inline std::vector<Bytes> all_kinds(DType dtype, size_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  const float special[] = {0.0f,    -0.0f, INFINITY, -INFINITY, NAN,    -NAN,    1e-45f,
                           -1e-45f, 6e-8f, 1e-38f,   3e38f,     -3e38f, 65504.0f};
  const auto any_special = [&] { return special[random() % std::size(special)]; };
  float held = 0;
  const auto hold = [&](size_t i, auto make) {  // one value for 64 elements
    if (i % 64 == 0) held = make();
    return held;
  };
  return {
      normal_weights(dtype, count, seed),
      near_fp4_ties(dtype, count, seed),
      random_bytes(count * size_of(dtype), seed),
      numbers(dtype, count, [&](size_t) { return std::round(normal(random) * 16) / 8; }),
      numbers(dtype, count,
              [&](size_t i) { return hold(i, [&] { return std::exp(normal(random) * 20); }) * normal(random); }),
      numbers(dtype, count, [&](size_t i) { return hold(i, [&] { return std::exp(normal(random) * 20); }); }),
      numbers(dtype, count, [&](size_t) { return 5 + static_cast<float>(random() % 3) * 1e-6f; }),
      numbers(dtype, count, [&](size_t) { return -1000 - std::abs(normal(random)); }),
      numbers(dtype, count, [&](size_t) { return random() % 100 == 0 ? any_special() : normal(random); }),
      numbers(dtype, count, [&](size_t) { return any_special(); }),
      numbers(dtype, count, [&](size_t i) { return hold(i, any_special); }),
      numbers(dtype, count, [&](size_t) { return random() % 2 ? 0.0f : -0.0f; }),
      numbers(dtype, count, [&](size_t) { return normal(random) * (dtype == DType::float16 ? 1e-7f : 1e-40f); }),
  };
}

}  // namespace mlxconvert
