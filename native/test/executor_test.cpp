// Jobs give the same bytes on any number of threads, report what they did, and stop at errors and when asked.
// Built with ThreadSanitizer too.
#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <functional>
#include <new>
#include <thread>

#include "../convert/executor.h"
#include "expressions.h"

using namespace mlxconvert;

namespace {

const unsigned thread_counts[] = {1, 2, 7};

// Runs jobs and holds what JavaScript would see.
struct Run {
  int64_t done = 0, cancelled = 0;
  std::vector<Comparison> comparisons;

  bool operator()(const std::vector<Job>& jobs, unsigned threads) {
    return run(jobs, threads, {&done, &cancelled}, comparisons);
  }
  FileError error(const std::vector<Job>& jobs, unsigned threads) {
    try {
      (*this)(jobs, threads);
    } catch (const FileError& error) {
      return error;
    }
    throw Failure{"no error"};
  }
};

// Zeros, and a word with the test whenever a tile of them is computed.
class Watched final : public Expression {
 public:
  Watched(uint64_t elements, std::function<void()> on_tile) : on_tile_(std::move(on_tile)) {
    count = elements;
    item_bytes = 1;
  }
  void evaluate(uint64_t, uint64_t wanted, std::byte* out, Scratch&) const override {
    std::memset(out, 0, wanted);
    on_tile_();
  }
  void prefetch(uint64_t, uint64_t) const override {}

 private:
  std::function<void()> on_tile_;
};

Job write_job(ExpressionPtr input, uint64_t tile, std::vector<Place> places) {
  return {std::move(input), tile, {}, {}, std::move(places), nullptr};
}

std::vector<Job> jobs_of(Job job) {
  std::vector<Job> jobs;
  jobs.push_back(std::move(job));
  return jobs;
}

std::vector<Job> watched_jobs(const File& out, uint64_t elements, uint64_t tile, std::function<void()> on_tile) {
  return jobs_of(write_job(std::make_unique<Watched>(elements, std::move(on_tile)), tile, {{&out, 0}}));
}

// 10000 tiles of 10 bytes, of which those after the third take so long that what happens in the third is noticed before
// all are begun.
constexpr int many = 10'000;

std::vector<Job> slow_jobs(const File& out, std::atomic<int>& begun, std::function<void()> in_third) {
  return watched_jobs(out, many * 10, 10, [&begun, in_third = std::move(in_third)] {
    const int tile = ++begun;
    if (tile == 3) in_third();
    if (tile > 3) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  });
}

// Tensors of every kind that are written to one file with a gap after each part, and that file as it has to be.
class Model {
 public:
  explicit Model(const File& out) : out_(out) {
    constexpr DType bf16 = DType::bfloat16;
    const Bytes w = normal_weights(bf16, 60 * 128, 1), v = random_bytes(5000, 2);
    copy(inputs_.array(v, 1), 777, v);
    copy(inputs_.transposed(w, 2, 60), 500, transpose(w, 2, 60));
    Bytes wide(w.size() * 2);
    best_kernels().cast(w.data(), bf16, wide.data(), DType::float32, w.size() / 2);
    copy(make_cast(inputs_.array(w, 2), bf16, DType::float32), 1000, wide);
    copy(inputs_.array({}, 4), 64, {});
    for (const Quantization& q : all_quantizations()) quantized(w, q);
  }

  const std::vector<Job>& jobs() const { return jobs_; }
  const Bytes& expected() const { return expected_; }
  int64_t bytes() const { return bytes_; }

 private:
  Place place(const Bytes& part) {
    const Place place = {&out_, expected_.size()};
    expected_.insert(expected_.end(), part.begin(), part.end());
    expected_.insert(expected_.end(), 3, 0);
    return place;
  }
  void copy(ExpressionPtr input, uint64_t tile, const Bytes& expected) {
    bytes_ += static_cast<int64_t>(expected.size());
    jobs_.push_back(write_job(std::move(input), tile, {place(expected)}));
  }
  void quantized(const Bytes& w, const Quantization& q) {
    const Quantized parts = quantize(best_kernels(), w, DType::bfloat16, q);
    Job job = write_job(inputs_.array(w, 2), 7 * 128, {place(parts.packed), place(parts.scales)});
    if (q.mode == Mode::affine) job.places.push_back(place(parts.biases));
    job.dtype = DType::bfloat16;
    job.quantization = q;
    bytes_ += static_cast<int64_t>(w.size());
    jobs_.push_back(std::move(job));
  }

  const File& out_;
  Inputs inputs_;
  std::vector<Job> jobs_;
  Bytes expected_;
  int64_t bytes_ = 0;
};

std::vector<Job> compare_jobs(Inputs& inputs, const Bytes& actual, const Bytes& expected, std::optional<DType> dtype,
                              size_t item, uint64_t tile) {
  return jobs_of({inputs.array(actual, item), tile, dtype, {}, {}, inputs.array(expected, item)});
}

}  // namespace

TEST(every_number_of_threads_writes_the_same) {
  for (const unsigned threads : thread_counts) {
    const TemporaryFile out;
    const Model model(out);
    allocate(out, model.expected().size());
    Run run;
    CHECK(run(model.jobs(), threads));
    const std::string where = difference(model.expected(), out.content());
    CHECK_THAT(where.empty(), std::to_string(threads) + " threads: " + where);
    CHECK(run.done == model.bytes());
    CHECK(run.comparisons.size() == model.jobs().size());
  }
}

TEST(no_jobs_are_done_at_once) {
  Run run;
  CHECK(run({}, 7));
  CHECK(run.done == 0);
  CHECK(run.comparisons.empty());
}

// Multiples of 1/8, whose squares and their sums are exact: the order of the additions does not matter.
TEST(comparisons_are_what_a_plain_loop_finds) {
  std::mt19937 random(3);
  const float special[] = {NAN, INFINITY, -INFINITY, -0.0f, 0.0f};
  const auto any = [&] {
    return random() % 9 == 0 ? special[random() % 5] : static_cast<float>(random() % 129) / 8 - 8;
  };
  constexpr size_t count = 2000;
  for (const DType dtype : {DType::float32, DType::float16, DType::bfloat16, DType::float64}) {
    std::vector<float> e(count), a(count);
    for (size_t i = 0; i < count; i++) {
      e[i] = any();
      a[i] = random() % 3 == 0 ? any() : e[i];
    }
    Comparison expected;
    for (size_t i = 0; i < count; i++) {
      const bool same = a[i] == e[i] || (std::isnan(a[i]) && std::isnan(e[i]));
      expected.differing += !same;
      expected.non_finite += std::isfinite(e[i]) && !std::isfinite(a[i]);
      if (!std::isfinite(e[i]) || !std::isfinite(a[i])) continue;
      const double error = double{a[i]} - double{e[i]};
      expected.expected_energy += double{e[i]} * double{e[i]};
      expected.error_energy += error * error;
      expected.max_error = std::max(expected.max_error, std::abs(error));
    }
    CHECK(expected.differing > expected.non_finite && expected.non_finite > 0);
    Inputs inputs;
    const auto jobs = compare_jobs(inputs, numbers(dtype, count, [&](size_t i) { return a[i]; }),
                                   numbers(dtype, count, [&](size_t i) { return e[i]; }), dtype, size_of(dtype), 77);
    for (const unsigned threads : thread_counts) {
      Run run;
      CHECK(run(jobs, threads));
      CHECK(run.comparisons.size() == 1);
      CHECK(run.comparisons[0] == expected);
      CHECK(run.done == static_cast<int64_t>(count * size_of(dtype)));
    }
  }
}

TEST(comparisons_do_not_depend_on_the_threads) {
  const Bytes actual = normal_weights(DType::float32, 50'000, 4), expected = normal_weights(DType::float32, 50'000, 5);
  Inputs inputs;
  const auto jobs = compare_jobs(inputs, actual, expected, DType::float32, 4, 512);
  Run one;
  one(jobs, 1);
  CHECK(one.comparisons[0].error_energy > 0);
  for (const unsigned threads : thread_counts) {
    Run many;
    many(jobs, threads);
    CHECK(many.comparisons[0] == one.comparisons[0]);
  }
}

TEST(a_difference_of_float64_that_float32_cannot_hold_is_found) {
  const double one = 1, next = 1 + 0x1p-40;
  Bytes expected(16), actual(16);
  std::memcpy(expected.data() + 8, &one, 8);
  std::memcpy(actual.data() + 8, &next, 8);
  Inputs inputs;
  Run run;
  run(compare_jobs(inputs, actual, expected, DType::float64, 8, 2), 1);
  CHECK(run.comparisons[0] == (Comparison{0x1p-40, 0x1p-80, 1, 1, 0}));
}

TEST(what_is_not_float_is_compared_by_its_bytes) {
  std::mt19937 random(6);
  for (const size_t item : {1, 2, 4, 8, 16}) {
    const Bytes expected = random_bytes(500 * item, 7);
    Bytes actual = expected;
    double differing = 0;
    for (size_t i = 0; i < 500; i++) {
      if (random() % 50 != 0) continue;
      actual[i * item + random() % item] ^= 0x80;
      differing++;
    }
    Inputs inputs;
    for (const unsigned threads : thread_counts) {
      Run run;
      CHECK(run(compare_jobs(inputs, actual, expected, {}, item, 64), threads));
      CHECK(run.comparisons[0] == (Comparison{0, 0, 0, differing, 0}));
    }
  }
}

TEST(cancelled_before_the_start_nothing_is_written) {
  for (const unsigned threads : thread_counts) {
    const TemporaryFile out;
    const Model model(out);
    Run run;
    run.cancelled = 1;
    CHECK(!run(model.jobs(), threads));
    CHECK(run.done == 0);
    CHECK(out.content().empty());
  }
}

TEST(cancelled_in_between_no_tile_is_begun) {
  for (const unsigned threads : thread_counts) {
    const TemporaryFile out;
    std::atomic<int> begun{0};
    Run run;
    const auto jobs = slow_jobs(out, begun, [&] { __atomic_store_n(&run.cancelled, 1, __ATOMIC_RELAXED); });
    CHECK(!run(jobs, threads));
    CHECK(threads == 1 ? begun == 3 : begun < many);
    CHECK(run.done == begun * 10);
  }
}

TEST(cancelled_during_the_last_tile_all_is_done) {
  const TemporaryFile out;
  Run run;
  int begun = 0;
  const auto jobs = watched_jobs(out, 30, 10, [&] { run.cancelled = ++begun == 3; });
  CHECK(run(jobs, 1));
  CHECK(run.done == 30);
}

TEST(a_file_that_became_shorter_is_named) {
  for (const unsigned threads : thread_counts) {
    const TemporaryFile in(random_bytes(100'000, 8)), out;
    const auto jobs = jobs_of(write_job(make_source(in, 0, 4, {{25'000, 1}}), 100, {{&out, 0}}));
    CHECK(ftruncate(in.fd, 50'001) == 0);
    Run run;
    const FileError error = run.error(jobs, threads);
    CHECK(error.path == "model.bin");
    CHECK(std::string(error.what()) == "the file became shorter while it was read");
    CHECK(error.number == 0);
    CHECK(run.done <= 50'000);
  }
}

TEST(a_file_that_cannot_be_written_is_named) {
  const File out{open("/dev/null", O_RDONLY | O_CLOEXEC), "out.safetensors"};
  const Model model(out);
  for (const unsigned threads : thread_counts) {
    Run run;
    const FileError error = run.error(model.jobs(), threads);
    CHECK(error.path == "out.safetensors");
    CHECK(error.number == EBADF);
    CHECK(run.done == 0);
  }
  close(out.fd);
}

TEST(any_exception_of_any_thread_arrives_and_stops_the_others) {
  for (const unsigned threads : thread_counts) {
    const TemporaryFile out;
    std::atomic<int> begun{0};
    const auto jobs = slow_jobs(out, begun, [] { throw std::bad_alloc(); });
    Run run;
    bool arrived = false;
    try {
      run(jobs, threads);
    } catch (const std::bad_alloc&) {
      arrived = true;
    }
    CHECK(arrived);
    CHECK(threads == 1 ? begun == 3 : begun < many);
  }
}

#if defined(__GLIBC__)
// No address space holds such a stack, so that the system refuses every thread.
TEST(where_no_thread_can_be_had_the_caller_does_the_work) {
  const TemporaryFile out;
  const Model model(out);
  allocate(out, model.expected().size());
  pthread_attr_t usual, huge;
  pthread_getattr_default_np(&usual);
  pthread_getattr_default_np(&huge);
  pthread_attr_setstacksize(&huge, size_t{1} << 50);
  CHECK(pthread_setattr_default_np(&huge) == 0);
  Run run;
  bool finished = false;
  try {
    finished = run(model.jobs(), 7);
  } catch (const std::system_error&) {
  }
  pthread_setattr_default_np(&usual);
  pthread_attr_destroy(&huge);
  pthread_attr_destroy(&usual);
  CHECK(finished);
  CHECK(out.content() == model.expected());
}
#endif
