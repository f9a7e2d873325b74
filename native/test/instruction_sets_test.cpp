// Every instruction set of this machine gives the bits of the portable kernels.
#include "cases.h"
#include "check.h"

using namespace mlxconvert;

namespace {

// More than a stretch of the vector kernels, and not a whole number of them; a multiple of every group size.
constexpr size_t count = 1024 + 3 * 128;

const Kernels& portable() { return *kernels_by_name("portable"); }

template <class Body>
void for_all(Body body) {
  for (const Kernels* kernels : available_kernels()) {
    for (const Quantization& q : all_quantizations()) {
      for (const DType dtype : weight_dtypes) body(*kernels, q, dtype);
    }
  }
}

}  // namespace

TEST(the_best_instruction_set_is_one_that_runs_here) {
  CHECK(kernels_by_name(best_kernels().name) == &best_kernels());
  CHECK(kernels_by_name("portable") != nullptr);
  CHECK(kernels_by_name("mmx") == nullptr);
}

TEST(quantize_agrees) {
  for_all([](const Kernels& kernels, const Quantization& q, DType dtype) {
    for (const Bytes& w : all_kinds(dtype, count, 7)) {
      const Quantized expected = quantize(portable(), w, dtype, q), got = quantize(kernels, w, dtype, q);
      CHECK_THAT(expected == got, std::string(kernels.name) + " " + describe(q, dtype) + ": packed " +
                                      difference(expected.packed, got.packed) + "; scales " +
                                      difference(expected.scales, got.scales) + "; biases " +
                                      difference(expected.biases, got.biases));
    }
  });
}

TEST(dequantize_agrees) {
  for_all([](const Kernels& kernels, const Quantization& q, DType dtype) {
    for (const Bytes& w : all_kinds(dtype, count, 8)) {
      Quantized in = quantize(portable(), w, dtype, q);
      in.packed = random_bytes(in.packed.size(), 9);
      if (q.mode != Mode::affine) in.scales = random_bytes(in.scales.size(), 10);
      for (const DType out : weight_dtypes) {
        const std::string where =
            difference(dequantize(portable(), in, dtype, out, q), dequantize(kernels, in, dtype, out, q));
        CHECK_THAT(where.empty(), std::string(kernels.name) + " " + describe(q, dtype) + ": " + where);
      }
    }
  });
}

TEST(cast_agrees) {
  for (const Kernels* kernels : available_kernels()) {
    for (const DType from : {DType::float32, DType::float16, DType::bfloat16, DType::float64}) {
      for (const DType to : {DType::float32, DType::float16, DType::bfloat16, DType::float64}) {
        for (const Bytes& in : all_kinds(from, 67, 11)) {
          Bytes expected(67 * size_of(to)), got(67 * size_of(to));
          portable().cast(in.data(), from, expected.data(), to, 67);
          kernels->cast(in.data(), from, got.data(), to, 67);
          CHECK_THAT(expected == got, std::string(kernels->name) + ": " + difference(expected, got));
        }
      }
    }
  }
}

TEST(nothing_needs_to_be_aligned) {
  for_all([](const Kernels& kernels, const Quantization& q, DType dtype) {
    const Bytes w = normal_weights(dtype, 128);
    const Quantized expected = quantize(portable(), w, dtype, q);
    Bytes in(w.size() + 1), packed(expected.packed.size() + 1), scales(expected.scales.size() + 1),
        biases(scales.size());
    memcpy(in.data() + 1, w.data(), w.size());
    kernels.quantize(in.data() + 1, dtype, 128, q, packed.data() + 1, scales.data() + 1, biases.data() + 1);
    CHECK(memcmp(packed.data() + 1, expected.packed.data(), expected.packed.size()) == 0);
    CHECK(memcmp(scales.data() + 1, expected.scales.data(), expected.scales.size()) == 0);

    const Bytes values = dequantize(portable(), expected, dtype, dtype, q);
    Bytes out(values.size() + 1);
    kernels.dequantize(packed.data() + 1, scales.data() + 1, biases.data() + 1, dtype, dtype, 128, q, out.data() + 1);
    CHECK(memcmp(out.data() + 1, values.data(), values.size()) == 0);
  });
}

// Threads write neighbouring parts of one array: a kernel may not touch a byte beyond its own.
TEST(nothing_is_written_beyond_the_end) {
  for_all([](const Kernels& kernels, const Quantization& q, DType dtype) {
    const Bytes w = normal_weights(dtype, count);
    for (size_t some = 0; some <= count; some += 128) {
      Quantized out = quantize(portable(), w, dtype, q);
      const size_t groups = some / static_cast<size_t>(q.group_size);
      const size_t packed = some / 8 * static_cast<size_t>(q.bits);
      const size_t scales = groups * (q.mode == Mode::affine ? size_of(dtype) : 1);
      std::fill(out.packed.begin(), out.packed.end(), 0xA5);
      std::fill(out.scales.begin(), out.scales.end(), 0xA5);
      kernels.quantize(w.data(), dtype, some, q, out.packed.data(), out.scales.data(), out.biases.data());
      for (size_t i = packed; i < out.packed.size(); i++) CHECK(out.packed[i] == 0xA5);
      for (size_t i = scales; i < out.scales.size(); i++) CHECK(out.scales[i] == 0xA5);
    }
  });
}
