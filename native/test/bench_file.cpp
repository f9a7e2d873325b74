// Times one quantize kernel on an array in a file, on one thread, best of several rounds: what test/bench/quantize.py
// calls.
//   bench_file <file> <rounds> <dtype> <mode> <bits> <group size>     numbers as in kernels.h; prints JSON
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <vector>

#include "../kernels/kernels.h"

using namespace mlxconvert;

int main(int argc, char** argv) {
  if (argc != 7) return 2;
  std::ifstream file(argv[1], std::ios::binary);
  const std::vector<char> w{std::istreambuf_iterator<char>(file), {}};
  const auto dtype = static_cast<DType>(std::atoi(argv[3]));
  const Quantization q = {static_cast<Mode>(std::atoi(argv[4])), std::atoi(argv[5]), std::atoi(argv[6])};
  const size_t count = w.size() / size_of(dtype);
  std::vector<uint8_t> packed(count), scales(count), biases(count);
  const Kernels& kernels = best_kernels();
  double best = 1e9;
  for (int round = 0; round < std::atoi(argv[2]); ++round) {
    const auto start = std::chrono::steady_clock::now();
    kernels.quantize(w.data(), dtype, count, q, packed.data(), scales.data(), biases.data());
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    if (took.count() < best) best = took.count();
  }
  std::printf("{\"seconds\": %.9f, \"instruction_set\": \"%s\"}\n", best, kernels.name);
}
