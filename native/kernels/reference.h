// One group at a time, in plain C++, step by step as MLX 0.32.4 does it on its CPU backend, special values included.
// The portable kernels are loops over these; the vector kernels hand them the groups that their fast path is not made
// for.
// https://github.com/ml-explore/mlx/blob/846d176227a0ac13d2667e58d2bb68b322109ab0/mlx/backend/cpu/quantized.cpp#L1149
// https://github.com/ml-explore/mlx/blob/846d176227a0ac13d2667e58d2bb68b322109ab0/mlx/ops.cpp#L5101
// These are 0.32.2, which still had other e8m0 scales, no affine codes of one bit, and no NaN among the fp8 codes.
#pragma once

#include "kernels.h"

namespace mlxconvert::reference {

constexpr int max_group_size = 128;

// `w`: group_size elements of `dtype`. Writes one code a byte, and the scale and bias as one element of `dtype` each.
template <DType dtype>
void quantize_affine(const uint8_t* w, int group_size, int bits, uint8_t* codes, uint8_t* scale, uint8_t* bias);

// The same for mxfp4, mxfp8 and nvfp4, whose scale is a byte.
template <DType dtype>
void quantize_microscaling(const uint8_t* w, int group_size, Mode mode, uint8_t* codes, uint8_t* scale);

// `codes` to group_size elements of `dtype`, which is also that of scale and bias.
template <DType dtype>
void dequantize_affine(const uint8_t* codes, int group_size, const uint8_t* scale, const uint8_t* bias, uint8_t* w);

template <DType dtype>
void dequantize_microscaling(const uint8_t* codes, int group_size, Mode mode, uint8_t scale, uint8_t* w);

}  // namespace mlxconvert::reference
