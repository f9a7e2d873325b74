// Reads and writes are whole or errors that name the file; hints never fail.
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <filesystem>
#include <fstream>

#include "expressions.h"

using namespace mlxconvert;

namespace {

// The error that `body` ends with.
template <class Body>
FileError error_of(Body body) {
  try {
    body();
  } catch (const FileError& error) {
    return error;
  }
  throw Failure{"no error"};
}

std::string text(const std::filesystem::path& path) {
  std::string line;
  std::getline(std::ifstream(path), line);
  return line;
}

}  // namespace

TEST(what_is_written_is_read_again) {
  const TemporaryFile file;
  const Bytes bytes = random_bytes(5000, 1);
  write_at(file, 300, bytes.data(), bytes.size());
  Bytes got(bytes.size());
  read_at(file, 300, got.data(), got.size());
  CHECK(got == bytes);
  CHECK(file.content().size() == 5300);
}

TEST(reading_past_the_end_is_an_error) {
  const TemporaryFile file(random_bytes(100, 1));
  char data[64];
  read_at(file, 36, data, 64);
  read_at(file, 100, data, 0);
  const FileError error = error_of([&] { read_at(file, 37, data, 64); });
  CHECK(error.path == "model.bin");
  CHECK(std::string(error.what()) == "the file became shorter while it was read");
  CHECK(error_of([&] { read_at(file, uint64_t{1} << 63, data, 64); }).number == EINVAL);
}

TEST(a_descriptor_that_cannot_be_used_is_an_error) {
  char data[64] = {};
  const FileError closed = error_of([&] { read_at({-1, "gone.bin"}, 0, data, 64); });
  CHECK(closed.number == EBADF);
  CHECK(closed.path == "gone.bin");
  const File readable{open("/dev/null", O_RDONLY | O_CLOEXEC), "out.safetensors"};
  const FileError refused = error_of([&] { write_at(readable, 0, data, 64); });
  CHECK(refused.number == EBADF);
  CHECK(refused.path == "out.safetensors");
  CHECK(std::string(refused.what()) == std::strerror(EBADF));
  error_of([&] { allocate(readable, 10); });
  close(readable.fd);
}

// The system writes what still fits, and says what is wrong only when asked to write the rest.
TEST(a_write_that_is_cut_short_is_an_error) {
  const TemporaryFile file;
  const Bytes bytes = random_bytes(3000, 1);
  struct rlimit before = {};
  getrlimit(RLIMIT_FSIZE, &before);
  struct rlimit low = before;
  low.rlim_cur = 1000;
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  setrlimit(RLIMIT_FSIZE, &low);
  int number = 0;
  try {
    write_at(file, 0, bytes.data(), bytes.size());
  } catch (const FileError& error) {
    number = error.number;
  }
  setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  CHECK(number == EFBIG);
  CHECK(file.content() == Bytes(bytes.begin(), bytes.begin() + 1000));
}

TEST(hints_never_fail) {
  const TemporaryFile file(random_bytes(100, 1));
  will_read(file, 0, 100);
  will_read(file, 0, 0);
  will_read(file, 50, 1000);
  will_read(file, uint64_t{1} << 63, uint64_t{1} << 63);
  will_read({-1, "gone.bin"}, 0, 100);
}

TEST(allocate_gives_a_file_its_size) {
  const TemporaryFile file;
  for (const size_t size : {100'000, 0, 7}) {
    allocate(file, size);
    CHECK(file.content() == Bytes(size));
  }
  CHECK(error_of([&] { allocate(file, uint64_t{1} << 63); }).path == "model.bin");
  CHECK(file.content().size() == 7);
}

TEST(exchange_swaps_both_or_changes_nothing) {
  std::string name = std::filesystem::temp_directory_path() / "mlx-convert-XXXXXX";
  CHECK(mkdtemp(name.data()) != nullptr);
  const std::filesystem::path directory = name, a = directory / "a", b = directory / "b";
  std::ofstream(a) << "first";
  std::ofstream(b) << "second";
  const bool swapped = exchange_paths(a, b);
  const std::string texts = text(a) + " " + text(b);
  const bool imagined = exchange_paths(a, directory / "c");
  const bool kept = exists(a) && !exists(directory / "c");
  remove_all(directory);
  CHECK_THAT(texts == (swapped ? "second first" : "first second"), texts);
  CHECK(!imagined && kept);
}
