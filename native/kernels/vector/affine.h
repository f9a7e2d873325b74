// The affine mode, a stretch of groups at a time: their ranges, then their scales side by side in registers, then the
// codes. Groups with infinities, without numbers or of an enormous range are done over by the reference.
#pragma once

#include "../reference.h"
#include "division.h"
#include "numbers.h"
#include "packing.h"

namespace mlxconvert::MLXCONVERT_ISA {

// Nearest integer, ties to even. Beyond 2^23 every float is one.
MLXCONVERT_INLINE Float round_to_integer(Float x) {
  const Float size = absolute(x);
  const Word sign = bits_of(x) & sign_bit;
  const Float rounded = float_of(bits_of((size + 0x1p23f) - 0x1p23f) | sign);
  return size < 0x1p23f ? rounded : x;
}

template <DType dtype, int bits>
MLXCONVERT_INLINE void quantize_affine_stretch(const uint8_t* w, size_t count, size_t group_size, uint8_t* packed,
                                               uint8_t* scales, uint8_t* biases) {
  constexpr size_t element = size_of(dtype);
  constexpr float bins = (1 << bits) - 1;
  const size_t groups = count / group_size;
  if (groups > stretch_groups) __builtin_unreachable();

  alignas(64) float low[stretch_groups], high[stretch_groups];
  for (size_t group = 0; group < groups; group++) {
    Float lows = splat(__builtin_inff()), highs = -lows;
    for (size_t i = 0; i < group_size; i += lanes) {
      const Float x = read<dtype>(w + (group * group_size + i) * element);
      lows = minimum(x, lows);
      highs = maximum(x, highs);
    }
    low[group] = smallest(lows);
    high[group] = largest(highs);
  }
  for (size_t group = groups; group % lanes != 0; group++) low[group] = high[group] = 0;

  Divisors divisors;
  alignas(64) float bias[stretch_groups];
  alignas(64) uint8_t scale_bytes[stretch_groups * element], bias_bytes[stretch_groups * element];
  alignas(64) uint32_t special[stretch_groups];
  for (size_t group = 0; group < groups; group += lanes) {
    const Float lows = load<Float>(low + group), highs = load<Float>(high + group);
    const auto low_is_edge = absolute(lows) > absolute(highs);
    const Float edge = low_is_edge ? lows : highs;
    const Float range = highs - lows;
    const Float size = maximum(range / bins, splat(1e-7f));
    Float s = low_is_edge ? size : -size;
    Float b = {};
    if constexpr (bits == 1) {
      s = size;
      b = lows;
    } else {
      const Float edge_code = round_to_integer(edge / s);
      const auto is_coded = edge_code != 0.0f;
      s = is_coded ? edge / edge_code : s;
      b = is_coded ? edge : b;
    }
    divisors.set(group, s);
    store(bias + group, b);
    auto plain = (range < 0x1p100f) & (absolute(edge) < 0x1p100f);
    if constexpr (bits == 1) plain &= lows != 0.0f;  // where the first zero's sign becomes the bias's
    store(special + group, __builtin_bit_cast(Word, ~plain));
    write<dtype>(scale_bytes + group * element, s);
    write<dtype>(bias_bytes + group * element, b);
  }

  alignas(64) uint8_t codes[stretch];
  for (size_t group = 0; group < groups; group++) {
    const Float b = splat(bias[group]);
    const Divisor divisor = divisors[group];
    for (size_t i = group * group_size; i < (group + 1) * group_size; i += lanes) {
      const Float code = divisor.divide(read<dtype>(w + i * element) - b);
      const Float clamped = minimum(maximum(code, Float{}), splat(bins));  // NaN becomes 0
      // Adding 1.5 * 2^23 rounds to an integer, ties to even, and leaves it in the low bits.
      store(codes + i, low_bytes(bits_of(clamped + 0x1.8p23f)));
    }
    if (special[group]) [[unlikely]] {
      const size_t at = group * group_size;
      reference::quantize_affine<dtype>(w + at * element, static_cast<int>(group_size), bits, codes + at,
                                        scale_bytes + group * element, bias_bytes + group * element);
    }
  }
  memcpy(scales, scale_bytes, groups * element);
  memcpy(biases, bias_bytes, groups * element);
  pack<bits>(codes, count, packed);
}

// To the dtype of scales and biases, each step rounded to it.
template <DType dtype, int bits>
MLXCONVERT_INLINE void dequantize_affine_stretch(const uint8_t* packed, size_t count, size_t group_size,
                                                 const uint8_t* scales, const uint8_t* biases, uint8_t* w) {
  constexpr size_t element = size_of(dtype);
  alignas(64) uint8_t codes[stretch];
  unpack<bits>(packed, count, codes);
  for (size_t at = 0; at < count; at += group_size, scales += element, biases += element) {
    const float scale = Number<dtype>::read(scales), bias = Number<dtype>::read(biases);
    if (!is_finite(scale) || !is_finite(bias)) [[unlikely]] {
      reference::dequantize_affine<dtype>(codes + at, static_cast<int>(group_size), scales, biases, w + at * element);
      continue;
    }
    for (size_t i = at; i < at + group_size; i += lanes) {
      const Float product = round<dtype>(to_float(widen(load<Byte>(codes + i))) * scale);
      write<dtype>(w + i * element, product + bias);
    }
  }
}

}  // namespace mlxconvert::MLXCONVERT_ISA
