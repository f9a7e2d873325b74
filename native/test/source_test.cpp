// Any range of any strided view is what one finds by going to each element.
#include <unistd.h>

#include <algorithm>
#include <numeric>

#include "expressions.h"

using namespace mlxconvert;

namespace {

struct View {
  uint64_t offset;
  size_t item;
  std::vector<Axis> axes;
};

std::string describe(const View& view) {
  std::string text = "offset " + std::to_string(view.offset) + ", items of " + std::to_string(view.item) + ", axes";
  for (const Axis& axis : view.axes) text += " " + std::to_string(axis.size) + ":" + std::to_string(axis.stride);
  return text;
}

Bytes gather(const Bytes& file, const View& view) {
  uint64_t count = 1;
  for (const Axis& axis : view.axes) count *= axis.size;
  Bytes out;
  for (uint64_t i = 0; i < count; i++) {
    uint64_t element = 0, rest = i;
    for (size_t a = view.axes.size(); a-- > 0; rest /= view.axes[a].size) {
      element += rest % view.axes[a].size * view.axes[a].stride;
    }
    const auto at = file.begin() + static_cast<std::ptrdiff_t>(view.offset + element * view.item);
    out.insert(out.end(), at, at + static_cast<std::ptrdiff_t>(view.item));
  }
  return out;
}

constexpr size_t file_bytes = size_t{3} << 20;

void check_view(const Bytes& bytes, const File& file, const View& view, const std::string& what, std::mt19937& random) {
  const ExpressionPtr source = make_source(file, view.offset, view.item, view.axes);
  CHECK_THAT(source->item_bytes == view.item, what);
  check_ranges(*source, gather(bytes, view), what + ": " + describe(view), random);
}

}  // namespace

TEST(views_of_every_kind_are_read) {
  const Bytes bytes = random_bytes(file_bytes, 1);
  const TemporaryFile file(bytes);
  std::mt19937 random(2);
  const struct {
    const char* what;
    View view;
  } cases[] = {
      {"one element", {40, 4, {}}},
      {"one element of 16 bytes at the end", {file_bytes - 16, 16, {}}},
      {"one element along two axes", {3, 2, {{1, 7}, {1, 1}}}},
      {"no element", {0, 4, {{0, 1}}}},
      {"no element inside", {0, 4, {{5, 3}, {0, 1}, {2, 1}}}},
      {"contiguous", {8, 2, {{1000, 1}}}},
      {"contiguous along two axes", {8, 2, {{50, 20}, {20, 1}}}},
      {"every third", {1, 1, {{19, 3}}}},
      {"transposed", {0, 4, {{5, 1}, {4, 5}}}},
      {"transposed, items of 16 bytes", {32, 16, {{3, 1}, {6, 3}}}},
      {"transposed, larger than a stretch", {16, 4, {{700, 1}, {900, 700}}}},
      {"a convolution's weight", {0, 2, {{12, 270}, {3, 3}, {3, 1}, {30, 9}}}},
      {"rows with gaps", {12, 8, {{40, 25}, {7, 1}}}},
      {"rows far apart", {12, 4, {{7, 100'000}, {30, 1}}}},
      {"elements far apart", {0, 1, {{30, 100'000}}}},
      {"blocks far apart, transposed inside", {5, 2, {{6, 1}, {3, 400'000}, {10, 9}}}},
      {"columns of a slice, far apart", {0, 4, {{3, 1}, {70, 10'000}}}},
      {"expanded", {4, 4, {{5, 0}, {4, 1}}}},
      {"expanded inside", {4, 4, {{4, 1}, {5, 0}}}},
      {"one element expanded", {4, 2, {{100, 0}}}},
      {"expanded, and far apart", {0, 4, {{4, 0}, {3, 200'000}, {3, 0}, {5, 1}}}},
      {"overlapping windows", {0, 1, {{17, 2}, {5, 1}}}},
  };
  for (const auto& [what, view] : cases) check_view(bytes, file, view, what, random);
}

TEST(random_views_are_read) {
  constexpr unsigned seed = 20250807;
  std::mt19937 random(seed);
  const Bytes bytes = random_bytes(file_bytes, seed);
  const TemporaryFile file(bytes);
  for (int i = 0; i < 400; i++) {
    View view = {random() % 64, size_t{1} << random() % 5, std::vector<Axis>(random() % 6)};
    for (Axis& axis : view.axes) axis.size = random() % 10 == 0 ? 1 + random() % 60 : 1 + random() % 6;
    // The axes in any order, with gaps of any width between their steps, and now and then a step that is not theirs.
    std::vector<Axis*> order(view.axes.size());
    std::iota(order.begin(), order.end(), view.axes.data());
    std::shuffle(order.begin(), order.end(), random);
    uint64_t step = 1;
    uint64_t room = (file_bytes - view.offset) / view.item - 1;  // elements to the last one that the file has
    for (Axis* axis : order) {
      if (random() % 4 == 0) step += random() % (random() % 2 ? 5 : 20'000);
      axis->stride = random() % 8 == 0 ? random() % 4 : step;
      if (axis->size > 1) axis->stride = std::min(axis->stride, room / (axis->size - 1));
      room -= (axis->size - 1) * axis->stride;
      step *= axis->size;
    }
    check_view(bytes, file, view, "seed " + std::to_string(seed) + ", case " + std::to_string(i), random);
  }
}

// In a file with holes, far larger than memory.
TEST(what_lies_between_is_not_held_in_memory) {
  constexpr uint64_t far = uint64_t{1} << 39;
  const TemporaryFile file;
  CHECK(ftruncate(file.fd, 4 * far) == 0);
  Bytes expected;
  for (const uint64_t column : {0, 1, 2}) {
    for (const uint64_t row : {0, 1, 2, 3}) {
      expected.push_back(static_cast<uint8_t>(1 + 4 * column + row));
      write_at(file, row * far + column, &expected.back(), 1);
    }
  }
  std::mt19937 random(4);
  check_ranges(*make_source(file, 0, 1, {{3, 1}, {4, far}}), expected, "columns of rows far apart", random);
}

TEST(a_view_beyond_the_end_of_its_file_is_an_error) {
  const TemporaryFile file(random_bytes(100, 1));
  Scratch scratch;
  std::byte out[64];
  for (const std::vector<Axis>& axes : {std::vector<Axis>{{16, 1}}, {{4, 1}, {4, 4}}}) {
    const ExpressionPtr source = make_source(file, 40, 4, axes);
    source->prefetch(0, 16);
    try {
      source->evaluate(0, 16, out, scratch);
      CHECK_THAT(false, "no error");
    } catch (const FileError& error) {
      CHECK(error.path == "model.bin");
      CHECK(std::string(error.what()) == "the file became shorter while it was read");
      CHECK(error.number == 0);
    }
  }
}
