// Prints what each kernel reads (quantize, cast) or writes (dequantize) in GB/s, on one thread, best of several runs.
// `make -C native/test bench`, or with names: `make -C native/test bench ARGS="avx512 quantize"`.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include "../kernels/kernels.h"
#include "random.h"

using namespace mlxconvert;

namespace {

constexpr size_t elements = size_t{1} << 22;  // beyond the caches that a core has to itself

const char* dtype_name(DType dtype) {
  static const char* const names[] = {"float32", "float16", "bfloat16", "float64"};
  return names[static_cast<int>(dtype)];
}

double best_seconds(const std::function<void()>& body) {
  double best = 1e9;
  for (int run = 0; run < 7; run++) {
    const auto start = std::chrono::steady_clock::now();
    body();
    best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  return best;
}

void report(const char* kernel, const std::string& what, const char* set, size_t bytes,
            const std::function<void()>& body) {
  printf("%-10s %-34s %-8s %6.2f GB/s\n", kernel, what.c_str(), set,
         static_cast<double>(bytes) / best_seconds(body) / 1e9);
  fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  const auto wanted = [&](const std::string& line) {
    for (int i = 1; i < argc; i++) {
      if (line.find(argv[i]) == std::string::npos) return false;
    }
    return true;
  };
  const struct {
    const char* name;
    Quantization q;
  } modes[] = {
      {"affine 2 g64", {Mode::affine, 2, 64}},   {"affine 3 g64", {Mode::affine, 3, 64}},
      {"affine 4 g32", {Mode::affine, 4, 32}},   {"affine 4 g64", {Mode::affine, 4, 64}},
      {"affine 4 g128", {Mode::affine, 4, 128}}, {"affine 5 g64", {Mode::affine, 5, 64}},
      {"affine 6 g64", {Mode::affine, 6, 64}},   {"affine 8 g64", {Mode::affine, 8, 64}},
      {"mxfp4", {Mode::mxfp4, 4, 32}},           {"mxfp8", {Mode::mxfp8, 8, 32}},
      {"nvfp4", {Mode::nvfp4, 4, 16}},
  };
  const DType dtypes[] = {DType::bfloat16, DType::float16, DType::float32};
  std::vector<uint8_t> packed(elements), scales(elements / 4), biases(elements / 4);
  std::vector<uint8_t> out(elements * 8), target(elements * 8);

  {
    const double seconds = best_seconds([&] { memcpy(target.data(), out.data(), out.size()); });
    printf("%-54s %6.2f GB/s\n", "memcpy", static_cast<double>(out.size()) / seconds / 1e9);
  }
  for (const char* set : {"avx512", "avx2", "neon", "portable"}) {
    const Kernels* kernels = kernels_by_name(set);
    if (kernels == nullptr) continue;
    for (const DType dtype : dtypes) {
      const std::vector<uint8_t> w = normal_weights(dtype, elements);
      for (const auto& mode : modes) {
        const std::string what = std::string(mode.name) + " " + dtype_name(dtype);
        const auto run = [&] {
          kernels->quantize(w.data(), dtype, elements, mode.q, packed.data(), scales.data(), biases.data());
        };
        if (wanted("quantize " + what + " " + set)) report("quantize", what, set, w.size(), run);
        run();
        if (wanted("dequantize " + what + " " + set)) {
          report("dequantize", what, set, w.size(), [&] {
            kernels->dequantize(packed.data(), scales.data(), biases.data(), dtype, dtype, elements, mode.q,
                                out.data());
          });
        }
      }
      for (const DType to : {DType::float32, DType::float16, DType::bfloat16}) {
        const std::string what = std::string(dtype_name(dtype)) + " to " + dtype_name(to);
        if (to != dtype && wanted("cast " + what + " " + set)) {
          report("cast", what, set, w.size(), [&] { kernels->cast(w.data(), dtype, out.data(), to, elements); });
        }
      }
    }
  }
}
