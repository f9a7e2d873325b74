// The kernels: plain functions over arrays, no Node, no MLX, no threads of their own. Every instruction set gives the
// same bits.
#pragma once

#include "dtype.h"

namespace mlxconvert {

// The numbers are those of src/quantization/modes.ts.
enum class Mode : int { affine = 0, mxfp4 = 1, mxfp8 = 2, nvfp4 = 3 };

struct Quantization {
  Mode mode;
  int bits;
  int group_size;
};

// One implementation of every kernel for one instruction set.
struct Kernels {
  const char* name;  // "portable", "avx2", "avx512", "neon"

  // What `mx.quantize` gives on MLX's CPU backend. `w` has `count` elements of float32, float16 or bfloat16, a multiple
  // of the group size. Writes count * bits / 8 bytes to `packed`; one scale a group to `scales` (of `dtype` for affine,
  // one byte otherwise); one bias a group of `dtype` to `biases` for affine, which the other modes leave alone.
  void (*quantize)(const void* w, DType dtype, size_t count, const Quantization& q, void* packed, void* scales,
                   void* biases);

  // What `mx.dequantize` gives on MLX's CPU backend. `scales_dtype` is that of scales and biases for affine, where MLX
  // computes in that dtype and casts to `out_dtype` afterwards; the other modes ignore it and compute in `out_dtype`.
  void (*dequantize)(const void* packed, const void* scales, const void* biases, DType scales_dtype, DType out_dtype,
                     size_t count, const Quantization& q, void* out);

  // What `array.astype` gives between float dtypes: round to nearest even; a NaN becomes MLX's NaN of that dtype.
  void (*cast)(const void* in, DType from, void* out, DType to, size_t count);
};

// The best implementation this processor can run, or the one that is named; null when the name is unknown or cannot run
// here.
const Kernels& best_kernels();
const Kernels* kernels_by_name(const char* name);

}  // namespace mlxconvert
