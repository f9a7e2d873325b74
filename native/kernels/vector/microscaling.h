// mxfp4, mxfp8 and nvfp4, a stretch of groups at a time, as affine.h does it. Groups with infinities or NaN, and those
// whose scale is a denormal or does not fit, are done over by the reference.
#pragma once

#include "../reference.h"
#include "../small_floats.h"
#include "numbers.h"
#include "packing.h"

namespace mlxconvert::MLXCONVERT_ISA {

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

// The code of the fp4 value nearest to |x|, of which a tie goes to the smaller. The quotient x was to be rounded to
// `dtype` first, and what then becomes a tie lies up to half a unit of that dtype above it: the ties are moved up by as
// much.
template <DType dtype>
constexpr uint32_t tie_shift = 0;  // in units of float32
template <>
constexpr inline uint32_t tie_shift<DType::bfloat16> = 1 << 15;
template <>
constexpr inline uint32_t tie_shift<DType::float16> = 1 << 12;

template <DType dtype>
MLXCONVERT_INLINE Word to_fp4_with_sign(Float x, Word sign_source) {
  constexpr uint32_t shift = tie_shift<dtype>;
  const Float size = minimum(absolute(x), splat(6.0f));
  const Word bits = bits_of(size);
  const auto above_quarter = bits > mlxconvert::bits_of(0.25f) + shift;
  const auto above_three_quarters = bits > mlxconvert::bits_of(0.75f) + shift;
  // From 0.75 on the codes count half binades of float32, beginning with 2 at 1.
  const Word large = (bits + 0x1FFFFF - shift) >> 22;
  const Word code =
      above_three_quarters ? maximum(large - 252, splat(2u)) : __builtin_bit_cast(Word, above_quarter) & 1;
  const Word sign = sign_source >> 28 & 8;
  return code | (__builtin_bit_cast(Word, above_quarter) & sign);  // nothing becomes -0
}

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
    const Float divisor = byte == 0 ? splat(__builtin_inff()) : from_fp8_magnitude(byte);
    // Far above what the largest scale reaches, MLX's search for the nearest value sees rounding errors.
    return {byte, divisor, __builtin_bit_cast(Word, largest_bits > mlxconvert::bits_of(0x1p20f))};
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
  constexpr size_t group_size = mode == Mode::nvfp4 ? 16 : 32;
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
  alignas(64) float factor[stretch_groups];
  alignas(64) uint32_t special[stretch_groups];
  for (size_t group = 0; group < groups; group += lanes) {
    const Scales found = scales_of<dtype, mode>(load<Word>(largest_bits + group));
    store(scale_bytes + group, low_bytes(found.byte));
    store(factor + group, found.factor);
    store(special + group, found.special);
  }

  alignas(64) uint8_t codes[stretch];
  for (size_t group = 0; group < groups; group++) {
    for (size_t i = group * group_size; i < (group + 1) * group_size; i += lanes) {
      const Float x = read<dtype>(w + i * element);
      Word code;
      if constexpr (mode == Mode::mxfp8) {
        code = to_fp8_magnitude(x * factor[group]) | (bits_of(x) >> 24 & 0x80);
      } else if constexpr (mode == Mode::mxfp4) {  // by a power of two: there is nothing to round
        code = to_fp4_with_sign<DType::float32>(x * factor[group], bits_of(x));
      } else {
        code = to_fp4_with_sign<dtype>(x / factor[group], bits_of(x));
      }
      store(codes + i, low_bytes(code));
    }
    if (special[group]) [[unlikely]] {
      const size_t at = group * group_size;
      reference::quantize_microscaling<dtype>(w + at * element, group_size, mode, codes + at, scale_bytes + group);
    }
  }
  memcpy(scales, scale_bytes, groups);
  pack<mode == Mode::mxfp8 ? 8 : 4>(codes, count, packed);
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
  constexpr size_t group_size = mode == Mode::nvfp4 ? 16 : 32;
  alignas(64) uint8_t codes[stretch];
  unpack<mode == Mode::mxfp8 ? 8 : 4>(packed, count, codes);
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
