// Expressions over files of the test's own, and the check that every range of one is what a plain loop gives.
#pragma once

#include <sys/stat.h>

#include <cstdio>
#include <memory>

#include "../convert/expression.h"
#include "cases.h"
#include "check.h"

namespace mlxconvert {

// A file without a name, gone when the test ends; `path` is only for messages.
class TemporaryFile : public File {
 public:
  explicit TemporaryFile(const Bytes& content = {}) : File{-1, "model.bin"}, stream_(std::tmpfile()) {
    CHECK_THAT(stream_ != nullptr, "no temporary file can be made");
    fd = fileno(stream_);
    write_at(*this, 0, content.data(), content.size());
  }
  ~TemporaryFile() { fclose(stream_); }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;

  Bytes content() const {
    struct stat status = {};
    CHECK(fstat(fd, &status) == 0);
    Bytes bytes(static_cast<size_t>(status.st_size));
    read_at(*this, 0, bytes.data(), bytes.size());
    return bytes;
  }

 private:
  FILE* stream_;
};

// Arrays in files, as the inputs of expressions.
class Inputs {
 public:
  const File& file(const Bytes& bytes) { return *files_.emplace_back(std::make_unique<TemporaryFile>(bytes)); }

  ExpressionPtr array(const Bytes& bytes, size_t item) {
    return make_source(file(bytes), 0, item, {{bytes.size() / item, 1}});
  }

  // The columns of `rows` rows, one after the other.
  ExpressionPtr transposed(const Bytes& bytes, size_t item, uint64_t rows) {
    const uint64_t columns = bytes.size() / item / rows;
    return make_source(file(bytes), 0, item, {{columns, 1}, {rows, columns}});
  }

 private:
  std::vector<std::unique_ptr<TemporaryFile>> files_;
};

inline Bytes transpose(const Bytes& bytes, size_t item, uint64_t rows) {
  const uint64_t columns = bytes.size() / item / rows;
  Bytes out;
  for (uint64_t column = 0; column < columns; column++) {
    for (uint64_t row = 0; row < rows; row++) {
      const auto at = bytes.begin() + static_cast<std::ptrdiff_t>((row * columns + column) * item);
      out.insert(out.end(), at, at + static_cast<std::ptrdiff_t>(item));
    }
  }
  return out;
}

inline void check_range(const Expression& expression, const Bytes& all, uint64_t start, uint64_t count,
                        Scratch& scratch, const std::string& what) {
  const auto from = all.begin() + static_cast<std::ptrdiff_t>(start * expression.item_bytes);
  const Bytes expected(from, from + static_cast<std::ptrdiff_t>(count * expression.item_bytes));
  Bytes got(expected.size(), 0xA5);
  expression.prefetch(start, count);  // only a hint
  expression.evaluate(start, count, reinterpret_cast<std::byte*>(got.data()), scratch);
  CHECK_THAT(got == expected, what + ": elements [" + std::to_string(start) + ", " + std::to_string(start + count) +
                                  "): " + difference(expected, got));
}

// Every range of a small expression, and of a large one the whole and some that begin and end anywhere.
inline void check_ranges(const Expression& expression, const Bytes& all, const std::string& what,
                         std::mt19937& random) {
  const uint64_t count = expression.count;
  CHECK_THAT(count * expression.item_bytes == all.size(),
             what + ": expected " + std::to_string(all.size()) + " bytes, got " + std::to_string(count) + " elements");
  Scratch scratch;  // one for all, so that what is left in it from one range meets the next
  if (count <= 20) {
    for (uint64_t start = 0; start < count; start++) {
      for (uint64_t end = start + 1; end <= count; end++) {
        check_range(expression, all, start, end - start, scratch, what);
      }
    }
    return;
  }
  check_range(expression, all, 0, count, scratch, what);
  for (int i = 0; i < 40; i++) {
    const uint64_t start = random() % count, rest = count - start;
    const uint64_t length = 1 + random() % (random() % 2 ? rest : std::min<uint64_t>(rest, 50));
    check_range(expression, all, start, length, scratch, what);
  }
}

}  // namespace mlxconvert
