// mxfp4, mxfp8 and nvfp4, a stretch of groups at a time, as affine.h does it. Groups with infinities or NaN, and those
// whose scale is a denormal or does not fit, are done over by the reference.
#pragma once

#include "../reference.h"
#include "../small_floats.h"
#include "division.h"
#include "numbers.h"
#include "packing.h"

namespace mlxconvert::MLXCONVERT_ISA {

template <Mode mode>
constexpr size_t microscaling_group = mode == Mode::nvfp4 ? 16 : 32;
template <Mode mode>
constexpr int microscaling_bits = mode == Mode::mxfp8 ? 8 : 4;

// The code of |x|, x finite. See mlxconvert::to_fp8.
MLXCONVERT_INLINE Word to_fp8_magnitude(Float x) {
  const Float size = minimum(absolute(x), splat(448.0f));
  const Word bits = bits_of(size);
  const Word normal = (bits - (120u << 23) + 0x7FFFF + (bits >> 20 & 1)) >> 20;
  const Word denormal = bits_of(size + 0x1p14f) - mlxconvert::bits_of(0x1p14f);
  return size < 0x1p-6f ? denormal : normal;
}

MLXCONVERT_INLINE Float from_fp8_magnitude(Word code) {
  const Float normal = float_of((code << 20) + (120u << 23));
  return code < 8 ? to_float(code) * 0x1p-9f : normal;
}

// The code of the fp4 value nearest to x, a tie going towards zero; see mlxconvert::to_fp4. MLX rounds x, a quotient by
// the scale, to the weights' dtype first, which changes nothing: a tie times the scale has so few bits that the dtype
// has it, and its neighbour there gives a quotient that is more than half a unit above the tie.
MLXCONVERT_INLINE Word to_fp4(Float x, Word sign_source) {
  const Float size = minimum(absolute(x), splat(6.0f));
  const auto above_quarter = size > 0.25f;
  // From 1 on the codes count half binades of float32, beginning with 2; below, what is above 0.75 has code 2 as well.
  const Word large = maximum((bits_of(size) + 0x1FFFFF) >> 22, splat(254u)) - 252;
  const Word code = size > 0.75f ? large : __builtin_bit_cast(Word, above_quarter) & 1;
  const Word sign = sign_source >> 28 & 8;
  return code | (__builtin_bit_cast(Word, above_quarter) & sign);  // nothing becomes -0
}

MLXCONVERT_INLINE Word to_fp8(Float x, Word sign_source) { return to_fp8_magnitude(x) | (sign_source >> 24 & 0x80); }

struct Scales {
  Word byte;
  Float factor;  // what elements are multiplied with, or divided by for nvfp4
  Word special;
};

template <DType dtype, Mode mode>
MLXCONVERT_INLINE Scales scales_of(Word largest_bits) {
  const Float largest_element = float_of(largest_bits);
  if constexpr (mode == Mode::nvfp4) {
    const Float scale = round<dtype>(largest_element / 6.0f);
    const Word byte = to_fp8_magnitude(scale);
    // Far above what the largest scale reaches, MLX's search for the nearest value sees rounding errors.
    return {byte, from_fp8_magnitude(byte), __builtin_bit_cast(Word, largest_bits > mlxconvert::bits_of(0x1p20f))};
  } else {
    const Float scale = round<dtype>(largest_element / (mode == Mode::mxfp8 ? 448.0f : 6.0f));
    const auto is_zero = scale == 0.0f;
    const Word byte = is_zero ? splat(127u) : (bits_of(scale) + 0x7FFFFF) >> 23;
    const auto is_plain = (is_zero | (bits_of(scale) >= 0x800000)) & (largest_bits < infinity_bits);
    return {byte, float_of((254 - byte) << 23), __builtin_bit_cast(Word, ~is_plain)};
  }
}

template <DType dtype, Mode mode>
MLXCONVERT_INLINE void quantize_microscaling_stretch(const uint8_t* w, size_t count, uint8_t* packed, uint8_t* scales) {
  constexpr size_t element = size_of(dtype);
  constexpr size_t group_size = microscaling_group<mode>;
  const size_t groups = count / group_size;
  if (groups > stretch_groups) __builtin_unreachable();

  alignas(64) uint32_t largest_bits[stretch_groups];
  for (size_t group = 0; group < groups; group++) {
    Word most = {};
    for (size_t i = 0; i < group_size; i += lanes) {
      most = maximum(most, bits_of(absolute(read<dtype>(w + (group * group_size + i) * element))));
    }
    largest_bits[group] = largest(most);
  }
  for (size_t group = groups; group % lanes != 0; group++) largest_bits[group] = 0;

  alignas(64) uint8_t scale_bytes[stretch_groups];
  alignas(64) float factors[stretch_groups];
  Divisors divisors;
  alignas(64) uint32_t special[stretch_groups];
  for (size_t group = 0; group < groups; group += lanes) {
    const Scales found = scales_of<dtype, mode>(load<Word>(largest_bits + group));
    store(scale_bytes + group, low_bytes(found.byte));
    if constexpr (mode == Mode::nvfp4) {
      divisors.set(group, found.factor);
    } else {
      store(factors + group, found.factor);
    }
    store(special + group, found.special);
  }

  alignas(64) uint8_t codes[stretch];
  for (size_t group = 0; group < groups; group++) {
    for (size_t i = group * group_size; i < (group + 1) * group_size; i += lanes) {
      const Float x = read<dtype>(w + i * element);
      Float scaled;
      if constexpr (mode == Mode::nvfp4) {
        scaled = divisors[group].divide(x);
      } else {
        scaled = x * factors[group];
      }
      const Word code = mode == Mode::mxfp8 ? to_fp8(scaled, bits_of(x)) : to_fp4(scaled, bits_of(x));
      store(codes + i, low_bytes(code));
    }
    if (special[group]) [[unlikely]] {
      const size_t at = group * group_size;
      reference::quantize_microscaling<dtype>(w + at * element, group_size, mode, codes + at, scale_bytes + group);
    }
  }
  memcpy(scales, scale_bytes, groups);
  pack<microscaling_bits<mode>>(codes, count, packed);
}

// Whether one of eight fp8 codes is 0x7F or 0xFF.
MLXCONVERT_INLINE bool has_nan_code(uint64_t codes) {
  return (((codes & 0x7F7F7F7F7F7F7F7F) + 0x0101010101010101) & 0x8080808080808080) != 0;
}

// The small formats are float16 with fewer bits: put in their place there, they only lack a power of two.
template <Mode mode>
MLXCONVERT_INLINE Float from_code(Byte code) {
  const Half wide = __builtin_convertvector(code, Half);
  if constexpr (mode == Mode::mxfp8) return widen_float16((wide & 0x80) << 8 | (wide & 0x7F) << 7) * 0x1p8f;
  return widen_float16((wide & 8) << 12 | (wide & 7) << 9) * 0x1p14f;
}

template <DType dtype, Mode mode>
MLXCONVERT_INLINE void dequantize_microscaling_stretch(const uint8_t* packed, size_t count, const uint8_t* scales,
                                                       uint8_t* w) {
  constexpr size_t group_size = microscaling_group<mode>;
  alignas(64) uint8_t codes[stretch];
  unpack<microscaling_bits<mode>>(packed, count, codes);
  for (size_t at = 0; at < count; at += group_size, scales++) {
    const float factor = mode == Mode::nvfp4 ? from_fp8(*scales) : Number<dtype>::round(power_of_two(*scales - 127));
    bool plain = is_finite(factor);
    if constexpr (mode == Mode::mxfp8) {
      for (size_t i = at; i < at + group_size; i += 8) plain &= !has_nan_code(load<uint64_t>(codes + i));
    }
    if (!plain) [[unlikely]] {
      reference::dequantize_microscaling<dtype>(codes + at, group_size, mode, *scales, w + at * size_of(dtype));
      continue;
    }
    for (size_t i = at; i < at + group_size; i += lanes) {
      write<dtype>(w + i * size_of(dtype), from_code<mode>(load<Byte>(codes + i)) * factor);
    }
  }
}

}  // namespace mlxconvert::MLXCONVERT_ISA
