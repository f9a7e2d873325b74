// What the vector kernels need beyond plain operators, in AVX2 with FMA and F16C.
#pragma once

#define MLXCONVERT_ISA avx2
#define MLXCONVERT_LANES 8

#include <immintrin.h>

#include "lanes.h"

namespace mlxconvert::MLXCONVERT_ISA {

// a > b ? a : b, so b where one of them is NaN.
MLXCONVERT_INLINE Float maximum(Float a, Float b) { return _mm256_max_ps(a, b); }
MLXCONVERT_INLINE Float minimum(Float a, Float b) { return _mm256_min_ps(a, b); }
MLXCONVERT_INLINE Float fused_multiply_add(Float a, Float b, Float c) { return _mm256_fmadd_ps(a, b, c); }

MLXCONVERT_INLINE float largest(Float x) {
  __m128 four = _mm_max_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
  four = _mm_max_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_max_ss(four, _mm_movehdup_ps(four)));
}
MLXCONVERT_INLINE float smallest(Float x) { return -largest(-x); }

MLXCONVERT_INLINE Word maximum(Word a, Word b) {
  return __builtin_bit_cast(Word, _mm256_max_epu32(__builtin_bit_cast(__m256i, a), __builtin_bit_cast(__m256i, b)));
}
MLXCONVERT_INLINE uint32_t largest(Word x) {
  const __m256i all = __builtin_bit_cast(__m256i, x);
  __m128i four = _mm_max_epu32(_mm256_castsi256_si128(all), _mm256_extracti128_si256(all, 1));
  four = _mm_max_epu32(four, _mm_shuffle_epi32(four, 0b01001110));
  four = _mm_max_epu32(four, _mm_shuffle_epi32(four, 0b10110001));
  return static_cast<uint32_t>(_mm_cvtsi128_si32(four));
}

// float16 to and from float32; a NaN's payload is the processor's.
MLXCONVERT_INLINE Float widen_float16(Half x) { return _mm256_cvtph_ps(__builtin_bit_cast(__m128i, x)); }
MLXCONVERT_INLINE Half narrow_float16(Float x) {
  return __builtin_bit_cast(Half, _mm256_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT));
}

MLXCONVERT_INLINE Word widen(Half x) {
  return __builtin_bit_cast(Word, _mm256_cvtepu16_epi32(__builtin_bit_cast(__m128i, x)));
}
MLXCONVERT_INLINE Word widen(Byte x) {
  return __builtin_bit_cast(Word, _mm256_cvtepu8_epi32(_mm_cvtsi64_si128(__builtin_bit_cast(int64_t, x))));
}

// The low part of each lane.
MLXCONVERT_INLINE Half low_halves(Word x) {
  const __m256i masked = __builtin_bit_cast(__m256i, x & 0xFFFF);
  return __builtin_bit_cast(Half,
                            _mm_packus_epi32(_mm256_castsi256_si128(masked), _mm256_extracti128_si256(masked, 1)));
}
MLXCONVERT_INLINE Byte low_bytes(Word x) {
  const __m128i halves = __builtin_bit_cast(__m128i, low_halves(x & 0xFF));
  return __builtin_bit_cast(Byte, _mm_cvtsi128_si64(_mm_packus_epi16(halves, halves)));
}

}  // namespace mlxconvert::MLXCONVERT_ISA
