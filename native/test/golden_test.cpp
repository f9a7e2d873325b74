// What the real MLX gave, kept in fixtures/quantize/golden.bin; fixtures/quantize/make.py describes the file.
#include <cstdio>

#include "cases.h"
#include "check.h"

using namespace mlxconvert;

namespace {

class Reader {
 public:
  explicit Reader(const char* path) {
    FILE* file = fopen(path, "rb");
    CHECK_THAT(file != nullptr, std::string("cannot open ") + path);
    for (int byte; (byte = fgetc(file)) != EOF;) bytes_.push_back(static_cast<uint8_t>(byte));
    fclose(file);
  }
  bool at_end() const { return position_ == bytes_.size(); }
  size_t number() {
    const Bytes four = bytes(4);
    return load<uint32_t>(four.data());
  }
  Bytes array() { return bytes(number()); }

 private:
  Bytes bytes(size_t count) {
    CHECK_THAT(count <= bytes_.size() - position_, "golden.bin ends early");
    const auto begin = bytes_.begin() + static_cast<std::ptrdiff_t>(position_);
    position_ += count;
    return {begin, begin + static_cast<std::ptrdiff_t>(count)};
  }
  Bytes bytes_;
  size_t position_ = 0;
};

}  // namespace

TEST(quantize_and_dequantize_give_what_mlx_gives) {
  Reader golden(MLXCONVERT_FIXTURES "/quantize/golden.bin");
  Bytes inputs[3];
  for (Bytes& input : inputs) input = golden.array();
  int cases = 0;
  while (!golden.at_end()) {
    Quantization q = {};
    q.mode = static_cast<Mode>(golden.number());
    q.bits = static_cast<int>(golden.number());
    q.group_size = static_cast<int>(golden.number());
    const auto dtype = static_cast<DType>(golden.number());
    Quantized expected;
    expected.packed = golden.array();
    expected.scales = golden.array();
    expected.biases = golden.array();
    const Bytes values = golden.array();
    for (const Kernels* kernels : available_kernels()) {
      const Quantized got = quantize(*kernels, inputs[static_cast<int>(dtype)], dtype, q);
      const std::string what = std::string(kernels->name) + " " + describe(q, dtype);
      CHECK_THAT(got.packed == expected.packed, what + ": packed " + difference(expected.packed, got.packed));
      CHECK_THAT(got.scales == expected.scales, what + ": scales " + difference(expected.scales, got.scales));
      CHECK_THAT(got.biases == expected.biases, what + ": biases " + difference(expected.biases, got.biases));
      const Bytes out = dequantize(*kernels, expected, dtype, dtype, q);
      CHECK_THAT(out == values, what + ": dequantized " + difference(values, out));
    }
    cases++;
  }
  CHECK(cases == 72);  // 24 quantizations of three dtypes
}

TEST(cast_gives_what_mlx_gives) {
  Reader golden(MLXCONVERT_FIXTURES "/quantize/casts.bin");
  int cases = 0;
  while (!golden.at_end()) {
    const auto from = static_cast<DType>(golden.number()), to = static_cast<DType>(golden.number());
    const Bytes in = golden.array(), expected = golden.array();
    for (const Kernels* kernels : available_kernels()) {
      Bytes out(expected.size());
      kernels->cast(in.data(), from, out.data(), to, in.size() / size_of(from));
      CHECK_THAT(out == expected, std::string(kernels->name) + ": " + difference(expected, out));
    }
    cases++;
  }
  CHECK(cases == 16);
}
