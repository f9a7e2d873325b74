// What the tests of the kernels go through: every mode, the instruction sets of this machine, and inputs of every kind.
#pragma once

#include <string>
#include <vector>

#include "../kernels/kernels.h"
#include "random.h"

namespace mlxconvert {

inline std::vector<const Kernels*> available_kernels() {
  std::vector<const Kernels*> found;
  for (const char* name : {"portable", "avx2", "avx512", "neon"}) {
    if (const Kernels* kernels = kernels_by_name(name)) found.push_back(kernels);
  }
  return found;
}

inline std::vector<Quantization> all_quantizations() {
  std::vector<Quantization> all = {{Mode::mxfp4, 4, 32}, {Mode::mxfp8, 8, 32}, {Mode::nvfp4, 4, 16}};
  for (const int bits : {1, 2, 3, 4, 5, 6, 8}) {
    for (const int group_size : {32, 64, 128}) all.push_back({Mode::affine, bits, group_size});
  }
  return all;
}

constexpr DType weight_dtypes[] = {DType::float32, DType::float16, DType::bfloat16};

inline std::string describe(const Quantization& q, DType dtype) {
  static const char* const modes[] = {"affine", "mxfp4", "mxfp8", "nvfp4"};
  static const char* const dtypes[] = {"float32", "float16", "bfloat16", "float64"};
  return std::string(modes[static_cast<int>(q.mode)]) + " bits " + std::to_string(q.bits) + " group size " +
         std::to_string(q.group_size) + " " + dtypes[static_cast<int>(dtype)];
}

struct Quantized {
  Bytes packed, scales, biases;
  bool operator==(const Quantized&) const = default;
};

inline Quantized quantize(const Kernels& kernels, const Bytes& w, DType dtype, const Quantization& q) {
  const size_t count = w.size() / size_of(dtype);
  const size_t groups = count / static_cast<size_t>(q.group_size);
  const bool affine = q.mode == Mode::affine;
  Quantized out;
  out.packed.resize(count / 8 * static_cast<size_t>(q.bits));
  out.scales.resize(groups * (affine ? size_of(dtype) : 1));
  out.biases.resize(affine ? out.scales.size() : 0);
  kernels.quantize(w.data(), dtype, count, q, out.packed.data(), out.scales.data(), out.biases.data());
  return out;
}

inline Bytes dequantize(const Kernels& kernels, const Quantized& in, DType scales, DType dtype, const Quantization& q) {
  const size_t count = in.packed.size() * 8 / static_cast<size_t>(q.bits);
  Bytes out(count * size_of(dtype));
  kernels.dequantize(in.packed.data(), in.scales.data(), in.biases.data(), scales, dtype, count, q, out.data());
  return out;
}

// Where two arrays first differ, for a failure's text; empty where they are equal.
inline std::string difference(const Bytes& expected, const Bytes& got) {
  if (expected.size() != got.size()) {
    return "expected " + std::to_string(expected.size()) + " bytes, got " + std::to_string(got.size());
  }
  for (size_t i = 0; i < expected.size(); i++) {
    if (expected[i] != got[i]) {
      return "byte " + std::to_string(i) + ": expected " + std::to_string(expected[i]) + ", got " +
             std::to_string(got[i]);
    }
  }
  return "";
}

}  // namespace mlxconvert
