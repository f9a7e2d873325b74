#include "executor.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>

namespace mlxconvert {

void Comparison::add(const Comparison& other) {
  max_error = std::max(max_error, other.max_error);
  error_energy += other.error_energy;
  expected_energy += other.expected_energy;
  differing += other.differing;
  non_finite += other.non_finite;
}

namespace {

struct Tile {
  uint32_t job;
  uint64_t start;
  uint64_t count;
};

void write_tile(const Job& job, const Tile& tile, Scratch& scratch) {
  const size_t item = job.input->item_bytes;
  Scratch::Buffer values(scratch, tile.count * item);
  job.input->evaluate(tile.start, tile.count, values.data(), scratch);
  const auto put = [&job](size_t place, uint64_t at, const void* data, uint64_t size) {
    write_at(*job.places[place].file, job.places[place].offset + at, data, size);
    // Packed weights are nearly all of it, and the disk would have little to do until the end.
    if (place == 0) will_sync(*job.places[place].file, job.places[place].offset + at, size);
  };
  if (!job.quantization) {
    put(0, tile.start * item, values.data(), tile.count * item);
    return;
  }
  const Quantization& q = *job.quantization;
  const auto bits = static_cast<uint64_t>(q.bits), group = static_cast<uint64_t>(q.group_size);
  const uint64_t packed_bytes = tile.count * bits / 8, groups = tile.count / group;
  const bool affine = q.mode == Mode::affine;
  const size_t scale_bytes = affine ? item : 1;
  Scratch::Buffer packed(scratch, packed_bytes), scales(scratch, groups * scale_bytes);
  Scratch::Buffer biases(scratch, affine ? groups * scale_bytes : 0);
  best_kernels().quantize(values.data(), *job.dtype, tile.count, q, packed.data(), scales.data(), biases.data());
  put(0, tile.start * bits / 8, packed.data(), packed_bytes);
  put(1, tile.start / group * scale_bytes, scales.data(), groups * scale_bytes);
  if (affine) put(2, tile.start / group * scale_bytes, biases.data(), groups * scale_bytes);
}

Comparison compare_bytes(const std::byte* a, const std::byte* b, uint64_t count, size_t item) {
  Comparison result;
  if (std::memcmp(a, b, count * item) == 0) return result;
  for (uint64_t i = 0; i < count; ++i) result.differing += std::memcmp(a + i * item, b + i * item, item) != 0;
  return result;
}

template <typename Float>
Comparison compare_floats(const std::byte* actual_bytes, const std::byte* expected_bytes, uint64_t count) {
  const auto* actual = reinterpret_cast<const Float*>(actual_bytes);
  const auto* expected = reinterpret_cast<const Float*>(expected_bytes);
  Comparison result;
  for (uint64_t i = 0; i < count; ++i) {
    const double a = actual[i], e = expected[i];
    if (a == e || (std::isnan(a) && std::isnan(e))) {
      if (std::isfinite(e)) result.expected_energy += e * e;
      continue;
    }
    ++result.differing;
    if (!std::isfinite(e)) continue;
    if (!std::isfinite(a)) {
      ++result.non_finite;
      continue;
    }
    result.expected_energy += e * e;
    result.error_energy += (a - e) * (a - e);
    result.max_error = std::max(result.max_error, std::abs(a - e));
  }
  return result;
}

Comparison compare_tile(const Job& job, const Tile& tile, Scratch& scratch) {
  const size_t item = job.input->item_bytes;
  Scratch::Buffer actual(scratch, tile.count * item), expected(scratch, tile.count * item);
  job.input->evaluate(tile.start, tile.count, actual.data(), scratch);
  job.expected->evaluate(tile.start, tile.count, expected.data(), scratch);
  if (!job.dtype) return compare_bytes(actual.data(), expected.data(), tile.count, item);
  if (job.dtype == DType::float64) return compare_floats<double>(actual.data(), expected.data(), tile.count);
  Scratch::Buffer a(scratch, tile.count * sizeof(float)), e(scratch, tile.count * sizeof(float));
  best_kernels().cast(actual.data(), *job.dtype, a.data(), DType::float32, tile.count);
  best_kernels().cast(expected.data(), *job.dtype, e.data(), DType::float32, tile.count);
  return compare_floats<float>(a.data(), e.data(), tile.count);
}

}  // namespace

bool run(const std::vector<Job>& jobs, unsigned threads, const Control& control, std::vector<Comparison>& comparisons) {
  std::vector<Tile> tiles;
  for (uint32_t j = 0; j < jobs.size(); ++j) {
    for (uint64_t at = 0; at < jobs[j].input->count; at += jobs[j].tile) {
      tiles.push_back({j, at, std::min(jobs[j].tile, jobs[j].input->count - at)});
    }
  }
  std::vector<Comparison> parts(tiles.size());
  std::atomic<size_t> next{0};
  std::atomic<bool> stop{false};
  std::exception_ptr failure;
  std::mutex failing;

  const auto work = [&] {
    Scratch scratch;
    try {
      for (size_t t; !stop && (t = next++) < tiles.size();) {
        if (__atomic_load_n(control.cancelled, __ATOMIC_RELAXED) != 0) stop = true;
        if (stop) return;
        if (t + threads < tiles.size()) {
          const Tile& later = tiles[t + threads];
          jobs[later.job].input->prefetch(later.start, later.count);
          if (jobs[later.job].expected) jobs[later.job].expected->prefetch(later.start, later.count);
        }
        const Tile& tile = tiles[t];
        const Job& job = jobs[tile.job];
        if (job.expected) {
          parts[t] = compare_tile(job, tile, scratch);
        } else {
          write_tile(job, tile, scratch);
        }
        __atomic_add_fetch(control.done, static_cast<int64_t>(tile.count * job.input->item_bytes), __ATOMIC_RELAXED);
      }
    } catch (...) {
      const std::lock_guard lock(failing);
      if (!failure) failure = std::current_exception();
      stop = true;
    }
  };

  std::vector<std::thread> pool;
  try {
    for (unsigned i = 1; i < threads && i < tiles.size(); ++i) pool.emplace_back(work);
  } catch (const std::system_error&) {
    // The system allows no more threads: those that there are do the work.
  }
  work();
  for (std::thread& thread : pool) thread.join();
  if (failure) std::rethrow_exception(failure);

  // Summed in the order of the tiles, so that the result does not depend on who computed what.
  comparisons.assign(jobs.size(), {});
  for (size_t t = 0; t < tiles.size(); ++t) comparisons[tiles[t].job].add(parts[t]);
  return !stop;
}

}  // namespace mlxconvert
