// Reads any range of a strided view. A contiguous view is one read; others are cut into boxes, and a box is read in the
// order of the file: a stretch of it at once where most of the stretch is wanted, piece by piece where not.
#include <algorithm>
#include <cstring>

#include "expression.h"

namespace mlxconvert {

namespace {

// A stretch is read whole when it is small or no more than this many times what is wanted of it.
constexpr uint64_t small_stretch = 64 * 1024;
constexpr uint64_t waste = 4;

// One axis of a box: where it steps in the file and where in the result, in elements.
struct Step {
  uint64_t size;
  uint64_t from;
  uint64_t to;
};

// Rows of the file become columns of the result, in squares whose lines on both sides stay in the first-level cache.
template <size_t item>
void copy_turned(const std::byte* from, std::byte* to, const Step& rows, const Step& columns) {
  constexpr uint64_t square = 32;
  for (uint64_t top = 0; top < rows.size; top += square) {
    for (uint64_t left = 0; left < columns.size; left += square) {
      const uint64_t bottom = std::min(top + square, rows.size), right = std::min(left + square, columns.size);
      for (uint64_t column = left; column < right; ++column) {
        for (uint64_t row = top; row < bottom; ++row) {
          std::memcpy(to + (row + column * columns.to) * item, from + (row * rows.from + column) * item, item);
        }
      }
    }
  }
}

template <size_t item>
void copy_strided(const std::byte* from, std::byte* to, const Step* steps, size_t axes) {
  if (axes == 0) {
    std::memcpy(to, from, item);
    return;
  }
  const Step step = steps[0];
  if (axes == 1) {
    if (step.from == 1 && step.to == 1) {
      std::memcpy(to, from, step.size * item);
      return;
    }
    for (uint64_t i = 0; i < step.size; ++i) std::memcpy(to + i * step.to * item, from + i * step.from * item, item);
    return;
  }
  if (axes == 2 && step.to == 1 && steps[1].from == 1) return copy_turned<item>(from, to, step, steps[1]);
  for (uint64_t i = 0; i < step.size; ++i) {
    copy_strided<item>(from + i * step.from * item, to + i * step.to * item, steps + 1, axes - 1);
  }
}

void copy_strided(size_t item, const std::byte* from, std::byte* to, const Step* steps, size_t axes) {
  switch (item) {
    case 1:
      return copy_strided<1>(from, to, steps, axes);
    case 2:
      return copy_strided<2>(from, to, steps, axes);
    case 4:
      return copy_strided<4>(from, to, steps, axes);
    case 8:
      return copy_strided<8>(from, to, steps, axes);
    default:
      return copy_strided<16>(from, to, steps, axes);
  }
}

class Source final : public Expression {
 public:
  Source(const File& file, uint64_t offset, size_t item, std::vector<Axis> axes)
      : file_(file), offset_(offset), axes_(std::move(axes)) {
    item_bytes = item;
    count = 1;
    for (const Axis& axis : axes_) count *= axis.size;
  }

  void evaluate(uint64_t start, uint64_t wanted, std::byte* out, Scratch& scratch) const override {
    if (wanted == 0) return;
    if (contiguous()) {
      read_at(file_, offset_ + start * item_bytes, out, wanted * item_bytes);
      return;
    }
    read_range(0, offset_, start, start + wanted, out, scratch);
  }

  void prefetch(uint64_t start, uint64_t wanted) const override {
    if (contiguous()) will_read(file_, offset_ + start * item_bytes, wanted * item_bytes);
  }

 private:
  bool contiguous() const { return axes_.empty() || (axes_.size() == 1 && axes_[0].stride == 1); }

  uint64_t inner_count(size_t axis) const {
    uint64_t product = 1;
    for (size_t i = axis + 1; i < axes_.size(); ++i) product *= axes_[i].size;
    return product;
  }

  // Elements [begin, end) of the view that starts at `axis` and `offset`: whole boxes, and what sticks out at both
  // ends.
  void read_range(size_t axis, uint64_t offset, uint64_t begin, uint64_t end, std::byte* out, Scratch& scratch) const {
    const uint64_t inner = inner_count(axis), step = axes_[axis].stride * item_bytes;
    const uint64_t first = (begin + inner - 1) / inner, last = end / inner;
    if (first > last) {  // inside one inner view
      const uint64_t base = last * inner;
      read_range(axis + 1, offset + last * step, begin - base, end - base, out, scratch);
      return;
    }
    if (begin < first * inner) {
      const uint64_t base = (first - 1) * inner, size = first * inner - begin;
      read_range(axis + 1, offset + (first - 1) * step, begin - base, begin - base + size, out, scratch);
      out += size * item_bytes;
    }
    if (first < last) {
      read_box(axis, last - first, offset + first * step, out, scratch);
      out += (last - first) * inner * item_bytes;
    }
    if (last * inner < end) read_range(axis + 1, offset + last * step, 0, end - last * inner, out, scratch);
  }

  // `size` steps of `axis` and everything inside it.
  void read_box(size_t axis, uint64_t size, uint64_t offset, std::byte* out, Scratch& scratch) const {
    std::vector<Step> steps;
    uint64_t to = size * inner_count(axis);
    for (size_t i = axis; i < axes_.size(); ++i) {
      const uint64_t length = i == axis ? size : axes_[i].size;
      to /= length;
      steps.push_back({length, axes_[i].stride, to});
    }
    std::stable_sort(steps.begin(), steps.end(), [](const Step& a, const Step& b) { return a.from > b.from; });
    read_steps(steps.data(), steps.size(), offset, out, scratch);
  }

  // Steps in the order of the file, the widest first.
  void read_steps(const Step* steps, size_t axes, uint64_t offset, std::byte* out, Scratch& scratch) const {
    uint64_t stretch = 1, wanted = 1;
    for (size_t i = 0; i < axes; ++i) {
      stretch += (steps[i].size - 1) * steps[i].from;
      wanted *= steps[i].size;
    }
    const uint64_t bytes = stretch * item_bytes;
    if (bytes <= small_stretch || stretch / waste <= wanted) {
      Scratch::Buffer buffer(scratch, bytes);
      read_at(file_, offset, buffer.data(), bytes);
      std::vector<Step> inner(steps, steps + axes);
      // The axis that is dense in the result next to the one that is dense in the file: the two are copied in squares.
      const auto dense = std::find_if(inner.begin(), inner.end(), [](const Step& step) { return step.to == 1; });
      if (inner.end() - dense > 2) std::rotate(dense, dense + 1, inner.end() - 1);
      copy_strided(item_bytes, buffer.data(), out, inner.data(), axes);
      return;
    }
    // As many steps at a time as make a small stretch, and if that is one, what is inside it.
    std::vector<Step> part(steps, steps + axes);
    const uint64_t some = std::clamp<uint64_t>(small_stretch * steps[0].size / bytes, 1, steps[0].size);
    for (uint64_t i = 0; i < steps[0].size; i += some) {
      part[0].size = std::min(some, steps[0].size - i);
      const bool one = part[0].size == 1;
      read_steps(part.data() + one, axes - one, offset + i * steps[0].from * item_bytes,
                 out + i * steps[0].to * item_bytes, scratch);
    }
  }

  const File& file_;
  uint64_t offset_;
  std::vector<Axis> axes_;
};

}  // namespace

ExpressionPtr make_source(const File& file, uint64_t offset, size_t item_bytes, std::vector<Axis> axes) {
  return std::make_unique<Source>(file, offset, item_bytes, std::move(axes));
}

}  // namespace mlxconvert
