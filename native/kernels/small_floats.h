// The small float formats of the microscaling modes: e2m1 (fp4), e4m3 (fp8) and the power-of-two scale e8m0.
// https://www.opencompute.org/documents/ocp-microscaling-formats-mx-v1-0-spec-final-pdf, rounded as MLX rounds
#pragma once

#include "number.h"

namespace mlxconvert {

constexpr float fp4_values[8] = {0.0f, 0.5f, 1.0f, 1.5f, 2.0f, 3.0f, 4.0f, 6.0f};

// The code of the nearest fp4 value, by the very search MLX makes, in which the first of equals wins: a tie goes
// towards zero, nothing becomes -0, and where |x| is so large that all distances round to one float, or x is infinite
// or NaN, the code is 0.
MLXCONVERT_INLINE uint8_t to_fp4(float x) {
  float nearest = absolute(x);
  uint8_t code = 0;
  for (uint8_t i = 1; i < 16; i++) {
    const float distance = absolute(x - (i < 8 ? fp4_values[i] : -fp4_values[i - 8]));
    if (distance < nearest) {
      nearest = distance;
      code = i;
    }
  }
  return code;
}

// e4m3 with ties to even. 448 and above, infinity and NaN all saturate, and the sign stays.
MLXCONVERT_INLINE uint8_t to_fp8(float x) {
  const uint32_t sign = bits_of(x) >> 24 & 0x80;
  const uint32_t magnitude = bits_of(x) & ~sign_bit;
  uint32_t code;
  if (magnitude >= bits_of(448.0f)) {
    code = 0x7E;
  } else if (magnitude >= bits_of(0x1p-6f)) {
    code = (magnitude - (120u << 23) + 0x7FFFF + (magnitude >> 20 & 1)) >> 20;
  } else {  // adding 2^14 rounds to a multiple of 2^-9 and leaves it in the low bits
    code = bits_of(float_of(magnitude) + 0x1p14f) - bits_of(0x1p14f);
  }
  return static_cast<uint8_t>(code | sign);
}

// 0x7F and 0xFF are NaN, as float32 with a payload that MLX's own decoder gives it.
MLXCONVERT_INLINE float from_fp8(uint8_t code) {
  const uint32_t sign = uint32_t{code & 0x80u} << 24;
  const uint32_t magnitude = code & 0x7F;
  if (magnitude == 0x7F) return float_of(0x7FF00000 | sign);
  const float small = Number<DType::float16>::widen(static_cast<uint16_t>(magnitude << 7));
  return float_of(bits_of(small * 256.0f) | sign);
}

// 2^exponent for -149 <= exponent <= 128, where 128 gives infinity.
MLXCONVERT_INLINE float power_of_two(int exponent) {
  return exponent < -126 ? float_of(1u << (exponent + 149)) : float_of(static_cast<uint32_t>(exponent + 127) << 23);
}

// The smallest n with 2^n >= scale, for a finite scale > 0. Up to 0.32.2 MLX rounded to the nearest n, so that the
// largest elements saturated. https://github.com/ml-explore/mlx/pull/4353
MLXCONVERT_INLINE int e8m0_exponent(float scale) {
  int denormal = 0;
  if (bits_of(scale) < 0x800000) {
    scale *= 0x1p23f;
    denormal = 23;
  }
  return static_cast<int>((bits_of(scale) + 0x7FFFFF) >> 23) - 127 - denormal;
}

}  // namespace mlxconvert
