// Registers of numbers: read from and written to memory in any dtype.
#pragma once

#include "lanes.h"

namespace mlxconvert::MLXCONVERT_ISA {

template <DType dtype>
MLXCONVERT_INLINE Float read(const uint8_t* from) {
  if constexpr (dtype == DType::float32) {
    return load<Float>(from);
  } else if constexpr (dtype == DType::bfloat16) {
    return float_of(widen(load<Half>(from)) << 16);
  } else {
    return widen_float16(load<Half>(from));
  }
}

// To the nearest that the dtype has, ties to even. NaN is the caller's business.
MLXCONVERT_INLINE Word round_to_bfloat16(Float x) {
  const Word bits = bits_of(x);
  return bits + 0x7FFF + (bits >> 16 & 1);
}
template <DType dtype>
MLXCONVERT_INLINE Float round(Float x) {
  if constexpr (dtype == DType::float32) {
    return x;
  } else if constexpr (dtype == DType::bfloat16) {
    return float_of(round_to_bfloat16(x) & 0xFFFF0000);
  } else {
    return widen_float16(narrow_float16(x));
  }
}
template <DType dtype>
MLXCONVERT_INLINE void write(uint8_t* to, Float x) {
  if constexpr (dtype == DType::float32) {
    store(to, x);
  } else if constexpr (dtype == DType::bfloat16) {
    store(to, low_halves(round_to_bfloat16(x) >> 16));
  } else {
    store(to, narrow_float16(x));
  }
}

}  // namespace mlxconvert::MLXCONVERT_ISA
