// A register of floats as GCC's and Clang's vector extensions see it, in the width that the including file chose.
// Everything here and in the files above it is compiled once for each instruction set, in a namespace of its own, so
// that the linker never mixes code of two.
#pragma once

#include "../number.h"

#if !defined(MLXCONVERT_ISA) || !defined(MLXCONVERT_LANES)
#error "include this from avx2.cpp, avx512.cpp or neon.cpp"
#endif

namespace mlxconvert::MLXCONVERT_ISA {

constexpr int lanes = MLXCONVERT_LANES;

typedef float Float __attribute__((vector_size(4 * lanes)));
typedef uint32_t Word __attribute__((vector_size(4 * lanes)));
typedef uint16_t Half __attribute__((vector_size(2 * lanes)));  // as many as floats, so half a register
typedef uint8_t Byte __attribute__((vector_size(lanes)));
typedef uint64_t Quad __attribute__((vector_size(4 * lanes)));  // a full register, so half as many as floats

MLXCONVERT_INLINE Float splat(float x) { return x - Float{}; }
MLXCONVERT_INLINE Word splat(uint32_t x) { return x - Word{}; }

// Elements that are worked on at a time: their codes stay in the nearest cache.
constexpr size_t stretch = 1024;
constexpr size_t stretch_groups = stretch / 16;  // of the smallest groups

// The same bits under another type.
MLXCONVERT_INLINE Word bits_of(Float x) { return __builtin_bit_cast(Word, x); }
MLXCONVERT_INLINE Float float_of(Word x) { return __builtin_bit_cast(Float, x); }
MLXCONVERT_INLINE Float absolute(Float x) { return float_of(bits_of(x) & 0x7FFFFFFF); }

MLXCONVERT_INLINE Float
to_float(Word x) {  // for x < 2^31, where the signed conversion, one instruction everywhere, does
  typedef int32_t Signed __attribute__((vector_size(4 * lanes)));
  return __builtin_convertvector(__builtin_bit_cast(Signed, x), Float);
}

}  // namespace mlxconvert::MLXCONVERT_ISA
