// What the vector kernels need beyond plain operators, in AVX-512 (F, BW, DQ, VL).
#pragma once

#define MLXCONVERT_ISA avx512
#define MLXCONVERT_LANES 16

// GCC 12 takes the undefined registers of its own header for mistakes:
// https://gcc.gnu.org/bugzilla/show_bug.cgi?id=105593
#if !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <immintrin.h>
#if !defined(__clang__)
#pragma GCC diagnostic pop
#endif

#include "lanes.h"

namespace mlxconvert::MLXCONVERT_ISA {

// a > b ? a : b, so b where one of them is NaN.
MLXCONVERT_INLINE Float maximum(Float a, Float b) { return _mm512_max_ps(a, b); }
MLXCONVERT_INLINE Float minimum(Float a, Float b) { return _mm512_min_ps(a, b); }
MLXCONVERT_INLINE Float fused_multiply_add(Float a, Float b, Float c) { return _mm512_fmadd_ps(a, b, c); }
MLXCONVERT_INLINE float largest(Float x) { return _mm512_reduce_max_ps(x); }
MLXCONVERT_INLINE float smallest(Float x) { return _mm512_reduce_min_ps(x); }
MLXCONVERT_INLINE Word maximum(Word a, Word b) {
  return __builtin_bit_cast(Word, _mm512_max_epu32(__builtin_bit_cast(__m512i, a), __builtin_bit_cast(__m512i, b)));
}
MLXCONVERT_INLINE uint32_t largest(Word x) { return _mm512_reduce_max_epu32(__builtin_bit_cast(__m512i, x)); }

// float16 to and from float32; a NaN's payload is the processor's.
MLXCONVERT_INLINE Float widen_float16(Half x) { return _mm512_cvtph_ps(__builtin_bit_cast(__m256i, x)); }
MLXCONVERT_INLINE Half narrow_float16(Float x) {
  return __builtin_bit_cast(Half, _mm512_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}

MLXCONVERT_INLINE Word widen(Half x) {
  return __builtin_bit_cast(Word, _mm512_cvtepu16_epi32(__builtin_bit_cast(__m256i, x)));
}
MLXCONVERT_INLINE Word widen(Byte x) {
  return __builtin_bit_cast(Word, _mm512_cvtepu8_epi32(__builtin_bit_cast(__m128i, x)));
}

// The low part of each lane.
MLXCONVERT_INLINE Half low_halves(Word x) {
  return __builtin_bit_cast(Half, _mm512_cvtepi32_epi16(__builtin_bit_cast(__m512i, x)));
}
MLXCONVERT_INLINE Byte low_bytes(Word x) {
  return __builtin_bit_cast(Byte, _mm512_cvtepi32_epi8(__builtin_bit_cast(__m512i, x)));
}

}  // namespace mlxconvert::MLXCONVERT_ISA
