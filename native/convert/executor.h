// Runs jobs in tiles on all cores: a tile is read, computed and written by one thread, and memory holds no more than a
// tile a thread. What goes where is decided before, by src/expressions/lower.ts.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "expression.h"

namespace mlxconvert {

struct Place {
  const File* file;
  uint64_t offset;
};

// What `expected` and `input` of a job are apart.
struct Comparison {
  double max_error = 0;
  double error_energy = 0;     // sum of squared differences
  double expected_energy = 0;  // sum of squared expected values
  double differing = 0;        // elements that differ
  double non_finite = 0;       // elements that are not finite although the expected one is

  void add(const Comparison& other);
  bool operator==(const Comparison&) const = default;
};

// One tensor: written to its places (weight, scales, biases), or, when there is none, compared with `expected`.
struct Job {
  ExpressionPtr input;
  uint64_t tile;               // elements computed at a time, a multiple of the group size
  std::optional<DType> dtype;  // of `input`, where kernels compute with it
  std::optional<Quantization> quantization;
  std::vector<Place> places;
  ExpressionPtr expected;
};

// Shared with JavaScript while the jobs run.
struct Control {
  int64_t* done;             // bytes of input that are finished
  const int64_t* cancelled;  // not 0: stop soon
};

// Throws the first error any thread met. Returns false when cancelled.
bool run(const std::vector<Job>& jobs, unsigned threads, const Control& control, std::vector<Comparison>& comparisons);

}  // namespace mlxconvert
