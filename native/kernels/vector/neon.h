// What the vector kernels need beyond plain operators, on any 64-bit ARM.
#pragma once

#define MLXCONVERT_ISA neon
#define MLXCONVERT_LANES 4

#include <arm_neon.h>

#include "lanes.h"

namespace mlxconvert::MLXCONVERT_ISA {

// a > b ? a : b, so b where one of them is NaN.
MLXCONVERT_INLINE Float maximum(Float a, Float b) { return vbslq_f32(vcgtq_f32(a, b), a, b); }
MLXCONVERT_INLINE Float minimum(Float a, Float b) { return vbslq_f32(vcltq_f32(a, b), a, b); }
MLXCONVERT_INLINE Float fused_multiply_add(Float a, Float b, Float c) { return vfmaq_f32(c, a, b); }
MLXCONVERT_INLINE float largest(Float x) { return vmaxvq_f32(x); }
MLXCONVERT_INLINE float smallest(Float x) { return vminvq_f32(x); }
MLXCONVERT_INLINE Word maximum(Word a, Word b) { return vmaxq_u32(a, b); }
MLXCONVERT_INLINE uint32_t largest(Word x) { return vmaxvq_u32(x); }

// float16 to and from float32; a NaN's payload is the processor's.
MLXCONVERT_INLINE Float widen_float16(Half x) { return vcvt_f32_f16(__builtin_bit_cast(float16x4_t, x)); }
MLXCONVERT_INLINE Half narrow_float16(Float x) { return __builtin_bit_cast(Half, vcvt_f16_f32(x)); }

MLXCONVERT_INLINE Word widen(Half x) { return __builtin_convertvector(x, Word); }
MLXCONVERT_INLINE Word widen(Byte x) { return __builtin_convertvector(x, Word); }

// The low part of each lane.
MLXCONVERT_INLINE Half low_halves(Word x) { return __builtin_convertvector(x, Half); }
MLXCONVERT_INLINE Byte low_bytes(Word x) { return __builtin_convertvector(x, Byte); }

}  // namespace mlxconvert::MLXCONVERT_ISA
