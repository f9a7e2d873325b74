// The float dtypes, one number at a time: exact conversions between them and float32, as MLX makes them.
// https://github.com/ml-explore/mlx/blob/846d176227a0ac13d2667e58d2bb68b322109ab0/mlx/types/fp16.h (and bf16.h)
#pragma once

#include <cstring>

#include "dtype.h"

// This header is compiled for several instruction sets into one binary. What is always inlined leaves no shared copy
// behind that the linker could take from the wrong one.
#define MLXCONVERT_INLINE __attribute__((always_inline)) inline

namespace mlxconvert {

MLXCONVERT_INLINE uint32_t bits_of(float x) { return __builtin_bit_cast(uint32_t, x); }
MLXCONVERT_INLINE float float_of(uint32_t bits) { return __builtin_bit_cast(float, bits); }

MLXCONVERT_INLINE bool is_nan(float x) { return x != x; }
MLXCONVERT_INLINE float absolute(float x) { return float_of(bits_of(x) & 0x7FFFFFFF); }

MLXCONVERT_INLINE bool is_finite(float x) { return absolute(x) < __builtin_inff(); }

constexpr uint32_t sign_bit = 0x80000000;
constexpr uint32_t infinity_bits = 0x7F800000;

// What inf - inf, 0 * inf and 0 / 0 give on x86-64, where our references are made. Other processors give another sign,
// so the kernels write this NaN wherever such an operation can occur.
constexpr uint32_t default_nan_bits = 0xFFC00000;

template <class T>
MLXCONVERT_INLINE T load(const void* from) {
  T value;
  memcpy(&value, from, sizeof value);
  return value;
}

template <class T>
MLXCONVERT_INLINE void store(void* to, T value) {
  memcpy(to, &value, sizeof value);
}

// Number<dtype>: `read` and `write` one at an unaligned address; `round` to the nearest that the dtype has, ties to
// even.
template <DType>
struct Number;

template <>
struct Number<DType::float32> {
  using Bits = uint32_t;
  static MLXCONVERT_INLINE float read(const void* from) { return load<float>(from); }
  static MLXCONVERT_INLINE void write(void* to, float x) { store(to, x); }
  static MLXCONVERT_INLINE float round(float x) { return x; }
};

template <>
struct Number<DType::bfloat16> {
  using Bits = uint16_t;
  static MLXCONVERT_INLINE float widen(uint16_t bits) { return float_of(uint32_t{bits} << 16); }
  static MLXCONVERT_INLINE uint16_t narrow(float x) {
    if (is_nan(x)) return 0x7FC0;  // MLX drops a NaN's sign here, and keeps it for float16
    const uint32_t bits = bits_of(x);
    return static_cast<uint16_t>((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
  }
  static MLXCONVERT_INLINE float read(const void* from) { return widen(load<uint16_t>(from)); }
  static MLXCONVERT_INLINE void write(void* to, float x) { store(to, narrow(x)); }
  static MLXCONVERT_INLINE float round(float x) { return widen(narrow(x)); }
};

template <>
struct Number<DType::float16> {
  using Bits = uint16_t;
  static MLXCONVERT_INLINE float widen(uint16_t bits) {
    const uint32_t magnitude = bits & 0x7FFFu;
    const uint32_t sign = (bits & 0x8000u) << 16;
    uint32_t wide;
    if (magnitude >= 0x7C00) {  // infinity, or a NaN made quiet
      wide = infinity_bits | (magnitude & 0x3FF) << 13 | (magnitude > 0x7C00 ? 0x400000 : 0);
    } else if (magnitude >= 0x0400) {
      wide = (magnitude << 13) + (112u << 23);
    } else {  // denormal: counts 2^-24
      wide = bits_of(static_cast<float>(magnitude) * 0x1p-24f);
    }
    return float_of(wide | sign);
  }
  static MLXCONVERT_INLINE uint16_t narrow(float x) {
    const uint32_t sign = (bits_of(x) & sign_bit) >> 16;
    const uint32_t magnitude = bits_of(x) & ~sign_bit;
    uint32_t half;
    if (magnitude > infinity_bits) {
      half = 0x7D00;
    } else if (magnitude >= bits_of(65520.0f)) {  // halfway above the largest
      half = 0x7C00;
    } else if (magnitude >= bits_of(0x1p-14f)) {
      half = (magnitude - (112u << 23) + 0xFFF + (magnitude >> 13 & 1)) >> 13;
    } else {  // adding 0.5 rounds to a multiple of 2^-24 and leaves it in the low bits
      half = bits_of(float_of(magnitude) + 0.5f) - bits_of(0.5f);
    }
    return static_cast<uint16_t>(half | sign);
  }
  static MLXCONVERT_INLINE float read(const void* from) { return widen(load<uint16_t>(from)); }
  static MLXCONVERT_INLINE void write(void* to, float x) { store(to, narrow(x)); }
  static MLXCONVERT_INLINE float round(float x) { return widen(narrow(x)); }
};

// MLX has no arithmetic in float64 here: what is read goes through float32.
template <>
struct Number<DType::float64> {
  static MLXCONVERT_INLINE float read(const void* from) { return static_cast<float>(load<double>(from)); }
  static MLXCONVERT_INLINE void write(void* to, float x) { store(to, static_cast<double>(x)); }
};

}  // namespace mlxconvert
