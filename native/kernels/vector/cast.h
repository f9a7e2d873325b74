// Casts between float dtypes, a register at a time.
#pragma once

#include "numbers.h"

namespace mlxconvert::MLXCONVERT_ISA {

template <DType from>
MLXCONVERT_INLINE Float read_any(const uint8_t* in) {
  if constexpr (from == DType::float64) {
    alignas(64) float narrowed[lanes];
    for (int i = 0; i < lanes; i++) narrowed[i] = static_cast<float>(load<double>(in + i * sizeof(double)));
    return load<Float>(narrowed);
  } else {
    return read<from>(in);
  }
}

// `write` of numbers.h, and for a NaN what MLX makes of it.
template <DType to>
MLXCONVERT_INLINE void write_any(uint8_t* out, Float x) {
  if constexpr (to == DType::float32) {
    store(out, x);
  } else if constexpr (to == DType::bfloat16) {
    store(out, low_halves(x == x ? round_to_bfloat16(x) >> 16 : splat(0x7FC0u)));
  } else {
    const Half half = narrow_float16(x);
    store(out, (half & 0x7FFF) > 0x7C00 ? (half & 0x8000) | 0x7D00 : half);
  }
}

template <DType from, DType to>
MLXCONVERT_INLINE size_t cast_registers(const uint8_t* in, uint8_t* out, size_t count) {
  size_t done = 0;
  for (; done + lanes <= count; done += lanes) {
    write_any<to>(out + done * size_of(to), read_any<from>(in + done * size_of(from)));
  }
  return done;
}

}  // namespace mlxconvert::MLXCONVERT_ISA
