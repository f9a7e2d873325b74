#include "expression.h"

#include <algorithm>
#include <cstring>

namespace mlxconvert {

// The smallest block that is large enough; where there is none the largest gives way to a new one, so that blocks do
// not all grow to the size of the largest.
Scratch::Block Scratch::take(size_t size) {
  const auto smaller = [](const Block& a, const Block& b) { return a.size < b.size; };
  std::sort(free_.begin(), free_.end(), smaller);
  auto fit = std::lower_bound(free_.begin(), free_.end(), size, [](const Block& b, size_t s) { return b.size < s; });
  if (fit == free_.end() && !free_.empty()) --fit;
  Block block;
  if (fit != free_.end()) {
    block = std::move(*fit);
    free_.erase(fit);
  }
  if (block.size < size) {
    block.bytes.reset();
    block = {std::make_unique_for_overwrite<std::byte[]>(size), size};
  }
  return block;
}

namespace {

class Concat final : public Expression {
 public:
  Concat(uint64_t outer, std::vector<ExpressionPtr> parts) : outer_(outer), parts_(std::move(parts)) {
    item_bytes = parts_.front()->item_bytes;
    for (const auto& part : parts_) row_ += width_of(*part);
    count = outer_ * row_;
  }

  void evaluate(uint64_t start, uint64_t wanted, std::byte* out, Scratch& scratch) const override {
    for_each(start, wanted, [&](const Expression& part, const Pieces& pieces) {
      if (pieces.blocks == 1) {
        part.evaluate(pieces.start, pieces.count, out + (pieces.at - start) * item_bytes, scratch);
        return;
      }
      Scratch::Buffer buffer(scratch, pieces.count * item_bytes);
      part.evaluate(pieces.start, pieces.count, buffer.data(), scratch);
      // Element p of the part belongs to block p / width; blocks lie a row apart.
      const std::byte* from = buffer.data();
      for (uint64_t p = pieces.start; p < pieces.start + pieces.count;) {
        const uint64_t size = std::min(pieces.width - p % pieces.width, pieces.start + pieces.count - p);
        const uint64_t at = p / pieces.width * row_ + pieces.before + p % pieces.width;
        std::memcpy(out + (at - start) * item_bytes, from, size * item_bytes);
        from += size * item_bytes;
        p += size;
      }
    });
  }

  void prefetch(uint64_t start, uint64_t wanted) const override {
    for_each(start, wanted, [](const Expression& part, const Pieces& p) { part.prefetch(p.start, p.count); });
  }

 private:
  // What a range of the result takes from one part: always one range of the part.
  struct Pieces {
    uint64_t start, count;  // in the part
    uint64_t width;         // elements of the part in one block
    uint64_t before;        // elements of a row before the part's
    uint64_t blocks;        // blocks that the range touches
    uint64_t at;            // where the first element goes in the result
  };

  uint64_t width_of(const Expression& part) const { return outer_ == 0 ? 0 : part.count / outer_; }

  template <typename Use>
  void for_each(uint64_t start, uint64_t wanted, Use use) const {
    if (wanted == 0) return;
    const uint64_t end = start + wanted;
    uint64_t before = 0;
    for (const auto& part : parts_) {
      const uint64_t width = width_of(*part);
      // How many of the part's elements stand before position x of the result.
      const auto elements_before = [&](uint64_t x) {
        const uint64_t in_row = x % row_;
        return x / row_ * width + (in_row <= before ? 0 : std::min(in_row - before, width));
      };
      const uint64_t first = elements_before(start), last = elements_before(end);
      if (width > 0 && first < last) {
        const uint64_t blocks = (last - 1) / width - first / width + 1;
        use(*part, {first, last - first, width, before, blocks, first / width * row_ + before + first % width});
      }
      before += width;
    }
  }

  uint64_t outer_;
  uint64_t row_ = 0;
  std::vector<ExpressionPtr> parts_;
};

class Cast final : public Expression {
 public:
  Cast(ExpressionPtr input, DType from, DType to) : input_(std::move(input)), from_(from), to_(to) {
    count = input_->count;
    item_bytes = size_of(to);
  }

  void evaluate(uint64_t start, uint64_t wanted, std::byte* out, Scratch& scratch) const override {
    Scratch::Buffer buffer(scratch, wanted * size_of(from_));
    input_->evaluate(start, wanted, buffer.data(), scratch);
    best_kernels().cast(buffer.data(), from_, out, to_, wanted);
  }

  void prefetch(uint64_t start, uint64_t wanted) const override { input_->prefetch(start, wanted); }

 private:
  ExpressionPtr input_;
  DType from_, to_;
};

// Arithmetic on small tensors (norms, biases): in float, rounded to the dtype after each step.
class Elementwise : public Expression {
 public:
  Elementwise(ExpressionPtr input, DType dtype) : input_(std::move(input)), dtype_(dtype) {
    count = input_->count;
    item_bytes = size_of(dtype);
  }

  void prefetch(uint64_t start, uint64_t wanted) const override { input_->prefetch(start, wanted); }

 protected:
  void load(const Expression& input, uint64_t start, uint64_t wanted, std::byte* out, Scratch::Buffer& floats,
            Scratch& scratch) const {
    input.evaluate(start, wanted, out, scratch);
    best_kernels().cast(out, dtype_, floats.data(), DType::float32, wanted);
  }

  template <typename Step>
  void apply(Scratch::Buffer& floats, uint64_t wanted, std::byte* out, Step step) const {
    auto* values = reinterpret_cast<float*>(floats.data());
    for (uint64_t i = 0; i < wanted; ++i) values[i] = step(values[i], i);
    best_kernels().cast(values, DType::float32, out, dtype_, wanted);
  }

  ExpressionPtr input_;
  DType dtype_;
};

class Scale final : public Elementwise {
 public:
  Scale(ExpressionPtr input, DType dtype, float factor, float offset)
      : Elementwise(std::move(input), dtype), factor_(factor), offset_(offset) {}

  void evaluate(uint64_t start, uint64_t wanted, std::byte* out, Scratch& scratch) const override {
    Scratch::Buffer floats(scratch, wanted * sizeof(float));
    load(*input_, start, wanted, out, floats, scratch);
    if (factor_ != 1) {
      apply(floats, wanted, out, [&](float x, uint64_t) { return x * factor_; });
      best_kernels().cast(out, dtype_, floats.data(), DType::float32, wanted);
    }
    if (offset_ != 0) apply(floats, wanted, out, [&](float x, uint64_t) { return x + offset_; });
  }

 private:
  float factor_, offset_;
};

class Add final : public Elementwise {
 public:
  Add(ExpressionPtr a, ExpressionPtr b, DType dtype) : Elementwise(std::move(a), dtype), other_(std::move(b)) {}

  void evaluate(uint64_t start, uint64_t wanted, std::byte* out, Scratch& scratch) const override {
    Scratch::Buffer a(scratch, wanted * sizeof(float)), b(scratch, wanted * sizeof(float));
    load(*input_, start, wanted, out, a, scratch);
    load(*other_, start, wanted, out, b, scratch);
    const auto* others = reinterpret_cast<const float*>(b.data());
    apply(a, wanted, out, [&](float x, uint64_t i) { return x + others[i]; });
  }

  void prefetch(uint64_t start, uint64_t wanted) const override {
    input_->prefetch(start, wanted);
    other_->prefetch(start, wanted);
  }

 private:
  ExpressionPtr other_;
};

class Dequantize final : public Expression {
 public:
  Dequantize(ExpressionPtr packed, ExpressionPtr scales, ExpressionPtr biases, DType scales_dtype, DType out_dtype,
             const Quantization& quantization)
      : packed_(std::move(packed)),
        scales_(std::move(scales)),
        biases_(std::move(biases)),
        scales_dtype_(scales_dtype),
        out_dtype_(out_dtype),
        quantization_(quantization) {
    count = scales_->count * group();
    item_bytes = size_of(out_dtype);
  }

  void evaluate(uint64_t start, uint64_t wanted, std::byte* out, Scratch& scratch) const override {
    const auto [first, groups] = touched(start, wanted);
    Scratch::Buffer packed(scratch, groups * words() * 4), scales(scratch, groups * scales_->item_bytes);
    Scratch::Buffer biases(scratch, biases_ ? groups * biases_->item_bytes : 0);
    packed_->evaluate(first * words(), groups * words(), packed.data(), scratch);
    scales_->evaluate(first, groups, scales.data(), scratch);
    if (biases_) biases_->evaluate(first, groups, biases.data(), scratch);

    const bool whole = start == first * group() && wanted == groups * group();
    Scratch::Buffer values(scratch, whole ? 0 : groups * group() * item_bytes);
    std::byte* target = whole ? out : values.data();
    best_kernels().dequantize(packed.data(), scales.data(), biases.data(), scales_dtype_, out_dtype_, groups * group(),
                              quantization_, target);
    if (!whole) std::memcpy(out, target + (start - first * group()) * item_bytes, wanted * item_bytes);
  }

  void prefetch(uint64_t start, uint64_t wanted) const override {
    const auto [first, groups] = touched(start, wanted);
    packed_->prefetch(first * words(), groups * words());
  }

 private:
  struct Groups {
    uint64_t first, count;
  };
  // The groups that a range has elements of.
  Groups touched(uint64_t start, uint64_t wanted) const {
    const uint64_t first = start / group();
    return {first, (start + wanted + group() - 1) / group() - first};
  }
  uint64_t group() const { return static_cast<uint64_t>(quantization_.group_size); }
  // Packed words of a group.
  uint64_t words() const { return group() * static_cast<uint64_t>(quantization_.bits) / 32; }

  ExpressionPtr packed_, scales_, biases_;
  DType scales_dtype_, out_dtype_;
  Quantization quantization_;
};

}  // namespace

ExpressionPtr make_concat(uint64_t outer, std::vector<ExpressionPtr> parts) {
  return std::make_unique<Concat>(outer, std::move(parts));
}

ExpressionPtr make_cast(ExpressionPtr input, DType from, DType to) {
  return std::make_unique<Cast>(std::move(input), from, to);
}

ExpressionPtr make_scale(ExpressionPtr input, DType dtype, float factor, float offset) {
  return std::make_unique<Scale>(std::move(input), dtype, factor, offset);
}

ExpressionPtr make_add(ExpressionPtr a, ExpressionPtr b, DType dtype) {
  return std::make_unique<Add>(std::move(a), std::move(b), dtype);
}

ExpressionPtr make_dequantize(ExpressionPtr packed, ExpressionPtr scales, ExpressionPtr biases, DType scales_dtype,
                              DType out_dtype, const Quantization& quantization) {
  return std::make_unique<Dequantize>(std::move(packed), std::move(scales), std::move(biases), scales_dtype, out_dtype,
                                      quantization);
}

}  // namespace mlxconvert
