// What a tensor is made of, as src/expressions/lower.ts sends it: a tree over strided views of source files. Any range
// of the result, in row-major order, can be computed alone; nothing larger than that range is held in memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "../kernels/kernels.h"
#include "files.h"

namespace mlxconvert {

// One axis of a view: `size` steps of `stride` elements.
struct Axis {
  uint64_t size;
  uint64_t stride;
};

// Memory for intermediate results, kept between tiles so that a thread allocates only while it warms up.
class Scratch {
  struct Block {
    std::unique_ptr<std::byte[]> bytes;
    size_t size = 0;
  };

 public:
  class Buffer {
   public:
    Buffer(Scratch& owner, size_t size) : owner_(owner), block_(owner.take(size)) {}
    ~Buffer() { owner_.free_.push_back(std::move(block_)); }
    Buffer(const Buffer&) = delete;
    Buffer& operator=(const Buffer&) = delete;
    std::byte* data() { return block_.bytes.get(); }

   private:
    Scratch& owner_;
    Block block_;
  };

 private:
  Block take(size_t size);

  std::vector<Block> free_;
};

class Expression {
 public:
  virtual ~Expression() = default;
  // Elements [start, start + count) of the result.
  virtual void evaluate(uint64_t start, uint64_t count, std::byte* out, Scratch& scratch) const = 0;
  // Tells the system which bytes a later `evaluate` will read.
  virtual void prefetch(uint64_t start, uint64_t count) const = 0;

  uint64_t count = 0;     // elements of the result
  size_t item_bytes = 0;  // bytes of one element
};

using ExpressionPtr = std::unique_ptr<Expression>;

// The bytes of a file: element [i, j, …] lies at offset + (i * stride_i + j * stride_j + …) * item_bytes.
ExpressionPtr make_source(const File& file, uint64_t offset, size_t item_bytes, std::vector<Axis> axes);

// `outer` times a block of each part in turn: a concatenation along any axis.
ExpressionPtr make_concat(uint64_t outer, std::vector<ExpressionPtr> parts);

ExpressionPtr make_cast(ExpressionPtr input, DType from, DType to);

// input * factor + offset, rounded to `dtype` after each step.
ExpressionPtr make_scale(ExpressionPtr input, DType dtype, float factor, float offset);

ExpressionPtr make_add(ExpressionPtr a, ExpressionPtr b, DType dtype);

// `biases` is null for modes without.
ExpressionPtr make_dequantize(ExpressionPtr packed, ExpressionPtr scales, ExpressionPtr biases, DType scales_dtype,
                              DType out_dtype, const Quantization& quantization);

}  // namespace mlxconvert
