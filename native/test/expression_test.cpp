// Any range of any expression is what a plain loop over the whole tensors gives.
#include <algorithm>

#include "expressions.h"

using namespace mlxconvert;

namespace {

constexpr DType all_dtypes[] = {DType::float32, DType::float16, DType::bfloat16, DType::float64};

struct Part {
  Bytes bytes;
  uint64_t width;  // bytes of a block
};

Bytes concat(uint64_t outer, const std::vector<Part>& parts) {
  Bytes out;
  for (uint64_t o = 0; o < outer; o++) {
    for (const auto& [bytes, width] : parts) {
      const auto block = bytes.begin() + static_cast<std::ptrdiff_t>(o * width);
      out.insert(out.end(), block, block + static_cast<std::ptrdiff_t>(width));
    }
  }
  return out;
}

// `combine` of the elements of a and b, as float.
template <class Combine>
Bytes elementwise(DType dtype, const Bytes& a, const Bytes& b, Combine combine) {
  Bytes out(a.size());
  with_dtype(dtype, [&](auto tag) {
    using N = Number<decltype(tag)::value>;
    for (size_t i = 0; i < a.size(); i += size_of(dtype)) {
      N::write(out.data() + i, combine(N::read(a.data() + i), N::read(b.data() + i)));
    }
  });
  return out;
}

float rounded(DType dtype, float x) {
  float result = 0;
  with_dtype(dtype, [&](auto tag) { result = Number<decltype(tag)::value>::round(x); });
  return result;
}

}  // namespace

TEST(concat_along_any_axis) {
  constexpr unsigned seed = 11;
  std::mt19937 random(seed);
  for (int i = 0; i < 300; i++) {
    const uint64_t outer = 1 + random() % 6;
    const size_t item = size_t{1} << random() % 5;
    Inputs inputs;
    std::vector<Part> parts;
    std::vector<ExpressionPtr> expressions;
    for (uint64_t left = 1 + random() % 4; left > 0; left--) {
      const uint64_t width = random() % 8 == 0 ? random() % 300 : random() % 6;
      const Bytes bytes = random_bytes(outer * width * item, random());
      const bool turned = width > 0 && random() % 3 == 0;
      parts.push_back({turned ? transpose(bytes, item, width) : bytes, width * item});
      expressions.push_back(turned ? inputs.transposed(bytes, item, width) : inputs.array(bytes, item));
    }
    const ExpressionPtr joined = make_concat(outer, std::move(expressions));
    check_ranges(*joined, concat(outer, parts), "seed " + std::to_string(seed) + ", case " + std::to_string(i), random);
  }
}

TEST(concat_of_concats) {
  std::mt19937 random(12);
  Inputs inputs;
  const Bytes a = random_bytes(6 * 5 * 2, 1), b = random_bytes(6 * 3 * 2, 2), c = random_bytes(6 * 8 * 2, 3);
  std::vector<ExpressionPtr> ab, abc;
  ab.push_back(inputs.array(a, 2));
  ab.push_back(inputs.array(b, 2));
  abc.push_back(inputs.array(c, 2));
  abc.push_back(make_concat(6, std::move(ab)));
  // (6, 5) and (6, 3) side by side are (6, 8), which as (2, 24) go to the right of another (2, 24).
  const Bytes expected = concat(2, {{c, 48}, {concat(6, {{a, 10}, {b, 6}}), 48}});
  check_ranges(*make_concat(2, std::move(abc)), expected, "(6, 5) | (6, 3), below (6, 8)", random);
}

TEST(concat_of_nothing) {
  Inputs inputs;
  Scratch scratch;
  for (const uint64_t outer : {0, 3}) {
    std::vector<ExpressionPtr> parts;
    parts.push_back(inputs.array({}, 4));
    const ExpressionPtr nothing = make_concat(outer, std::move(parts));
    CHECK(nothing->count == 0);
    nothing->prefetch(0, 0);
    nothing->evaluate(0, 0, nullptr, scratch);
  }
}

TEST(cast_of_any_range) {
  std::mt19937 random(13);
  for (const DType from : all_dtypes) {
    for (const DType to : all_dtypes) {
      for (const Bytes& in : all_kinds(from, 50, 14)) {
        Inputs inputs;
        Bytes expected = in;
        if (from != to) {
          expected.resize(50 * size_of(to));
          with_any_dtype(from, [&](auto from_tag) {
            with_any_dtype(to, [&](auto to_tag) {
              using From = Number<decltype(from_tag)::value>;
              using To = Number<decltype(to_tag)::value>;
              for (size_t i = 0; i < 50; i++) {
                To::write(expected.data() + i * size_of(to), From::read(in.data() + i * size_of(from)));
              }
            });
          });
        }
        const ExpressionPtr cast = make_cast(inputs.array(in, size_of(from)), from, to);
        check_ranges(*cast, expected, describe({Mode::affine, 0, 0}, from), random);
      }
    }
  }
}

TEST(add_rounds_once) {
  std::mt19937 random(15);
  for (const DType dtype : weight_dtypes) {
    const Bytes a = normal_weights(dtype, 300, 16), b = normal_weights(dtype, 300, 17);
    const Bytes huge = numbers(dtype, 300, [](size_t i) { return i % 2 ? 6e4f : 3e38f; });
    for (const auto& [left, right] : {std::pair{a, b}, {huge, huge}}) {
      Inputs inputs;
      const Bytes expected = elementwise(dtype, left, right, [](float x, float y) { return x + y; });
      const ExpressionPtr sum =
          make_add(inputs.array(left, size_of(dtype)),
                   inputs.transposed(transpose(right, size_of(dtype), 20), size_of(dtype), 15), dtype);
      check_ranges(*sum, expected, "add", random);
    }
  }
}

TEST(scale_rounds_after_each_step) {
  std::mt19937 random(18);
  for (const DType dtype : weight_dtypes) {
    for (const auto& [factor, offset] :
         {std::pair{1.1f, 0.3f}, {1.0f, 1.0f}, {0.0625f, 0.0f}, {1.0f, 0.0f}, {-3.3f, 1e-3f}}) {
      const Bytes in = normal_weights(dtype, 300, 19);
      const auto step_by_step = [&, f = factor, o = offset](float x, float) { return rounded(dtype, x * f) + o; };
      const auto at_once = [&, f = factor, o = offset](float x, float) {
        return static_cast<float>(static_cast<double>(x) * f + o);
      };
      const Bytes expected = elementwise(dtype, in, in, step_by_step);
      if (factor != 1 && offset != 0) CHECK(expected != elementwise(dtype, in, in, at_once));  // or nothing is tested
      Inputs inputs;
      const ExpressionPtr scaled = make_scale(inputs.array(in, size_of(dtype)), dtype, factor, offset);
      check_ranges(*scaled, expected, "scale by " + std::to_string(factor), random);
    }
  }
}

TEST(dequantize_of_any_range) {
  std::mt19937 random(20);
  for (const Quantization& q : all_quantizations()) {
    for (const DType dtype : weight_dtypes) {
      for (const DType out : weight_dtypes) {
        const bool affine = q.mode == Mode::affine;
        const Quantized in = quantize(*kernels_by_name("portable"), normal_weights(dtype, 5 * 128, 21), dtype, q);
        const Bytes expected = dequantize(*kernels_by_name("portable"), in, dtype, out, q);
        Inputs inputs;
        const size_t scale = affine ? size_of(dtype) : 1;
        const ExpressionPtr values = make_dequantize(inputs.array(in.packed, 4), inputs.array(in.scales, scale),
                                                     affine ? inputs.array(in.biases, scale) : nullptr, dtype, out, q);
        check_ranges(*values, expected, describe(q, dtype), random);
      }
    }
  }
}

// What the road makes of a checkpoint: a cast of a concatenation of sums, slices and transposes.
TEST(expressions_nest) {
  std::mt19937 random(22);
  Inputs inputs;
  const Bytes a = normal_weights(DType::bfloat16, 9 * 40, 23), b = normal_weights(DType::bfloat16, 9 * 40, 24);
  const Bytes c = normal_weights(DType::bfloat16, 9 * 17, 25);
  std::vector<ExpressionPtr> parts;
  parts.push_back(make_add(inputs.transposed(a, 2, 40), inputs.array(b, 2), DType::bfloat16));
  parts.push_back(make_scale(inputs.array(c, 2), DType::bfloat16, 0.7f, 1.0f));
  const ExpressionPtr whole = make_cast(make_concat(9, std::move(parts)), DType::bfloat16, DType::float32);

  const Bytes sum = elementwise(DType::bfloat16, transpose(a, 2, 40), b, [](float x, float y) { return x + y; });
  const Bytes scaled =
      elementwise(DType::bfloat16, c, c, [](float x, float) { return rounded(DType::bfloat16, x * 0.7f) + 1.0f; });
  const Bytes joined = concat(9, {{sum, 80}, {scaled, 34}});
  Bytes expected(joined.size() * 2);
  for (size_t i = 0; i < joined.size() / 2; i++) {
    store(expected.data() + i * 4, Number<DType::bfloat16>::read(joined.data() + i * 2));
  }
  check_ranges(*whole, expected, "cast(concat(add, scale))", random);
}
