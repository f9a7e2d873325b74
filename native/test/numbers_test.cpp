// The parts that the kernels are made of, against values worked out by hand and against each other.
#include <cmath>

#include "../kernels/packing.h"
#include "../kernels/small_floats.h"
#include "check.h"
#include "random.h"

using namespace mlxconvert;

using Half = Number<DType::float16>;
using Brain = Number<DType::bfloat16>;

TEST(float16_round_trips_and_rounds_to_even) {
  for (uint32_t bits = 0; bits < 0x10000; bits++) {
    const auto half = static_cast<uint16_t>(bits);
    const bool nan = (bits & 0x7FFF) > 0x7C00;
    CHECK(Half::narrow(Half::widen(half)) == (nan ? ((bits & 0x8000) | 0x7D00) : bits));
  }
  CHECK(Half::widen(0x0001) == 0x1p-24f);
  CHECK(Half::widen(0x7BFF) == 65504.0f);
  CHECK(Half::narrow(65519.9f) == 0x7BFF);
  CHECK(Half::narrow(65520.0f) == 0x7C00);
  CHECK(Half::narrow(0x1p-25f) == 0x0000);  // a tie, to even
  CHECK(Half::narrow(0x1.8p-24f) == 0x0002);
  CHECK(Half::narrow(-1.00048828125f) == 0xBC00);
}

TEST(bfloat16_round_trips_and_rounds_to_even) {
  for (uint32_t bits = 0; bits < 0x10000; bits++) {
    const auto brain = static_cast<uint16_t>(bits);
    CHECK(Brain::narrow(Brain::widen(brain)) == ((bits & 0x7FFF) > 0x7F80 ? 0x7FC0 : bits));
  }
  CHECK(Brain::narrow(float_of(0x3F808000)) == 0x3F80);
  CHECK(Brain::narrow(float_of(0x3F818000)) == 0x3F82);
  CHECK(Brain::narrow(3.4e38f) == 0x7F80);
}

TEST(fp8_round_trips_and_saturates) {
  for (int code = 0; code < 256; code++) {
    const float x = from_fp8(static_cast<uint8_t>(code));
    if ((code & 0x7F) == 0x7F) {
      CHECK(is_nan(x));
    } else {
      CHECK(to_fp8(x) == code);
    }
  }
  CHECK(from_fp8(0x7E) == 448.0f);
  CHECK(to_fp8(449.0f) == 0x7E);
  CHECK(to_fp8(-INFINITY) == 0xFE);
  CHECK(to_fp8(NAN) == 0x7E);
  CHECK(to_fp8(0x1p-10f) == 0x00);   // a tie, to even
  CHECK(to_fp8(0x1.8p-9f) == 0x02);  // a tie, to even
  CHECK(to_fp8(1.0625f) == 0x38);    // a tie, to even
  CHECK(to_fp8(1.0625001f) == 0x39);
}

TEST(fp4_ties_go_to_zero) {
  const float ties[] = {0.25f, 0.75f, 1.25f, 1.75f, 2.5f, 3.5f, 5.0f};
  for (uint8_t i = 0; i < 7; i++) {
    CHECK(to_fp4(ties[i]) == i);
    CHECK(to_fp4(std::nextafter(ties[i], 10.0f)) == i + 1);
    CHECK(to_fp4(-ties[i]) == (i == 0 ? 0 : i + 8));
    CHECK(to_fp4(-std::nextafter(ties[i], 10.0f)) == i + 9);
  }
  CHECK(to_fp4(-0.0f) == 0);
  CHECK(to_fp4(1e6f) == 7);
  CHECK(to_fp4(1e12f) == 0);  // every distance rounds to 1e12
  CHECK(to_fp4(INFINITY) == 0);
  CHECK(to_fp4(NAN) == 0);
}

TEST(e8m0_rounds_up) {
  for (int exponent = -149; exponent < 128; exponent++) {
    const float power = power_of_two(exponent);
    CHECK(power == std::ldexp(1.0f, exponent));
    CHECK(e8m0_exponent(power) == exponent);
    if (exponent < 127) CHECK(e8m0_exponent(std::nextafter(power, INFINITY)) == exponent + 1);
  }
  CHECK(power_of_two(128) == INFINITY);
}

TEST(packing_is_a_little_endian_stream_of_bits) {
  for (const int bits : {1, 2, 3, 4, 5, 6, 8}) {
    Bytes codes = random_bytes(64, 3), packed(8 * static_cast<size_t>(bits)), back(64);
    for (uint8_t& code : codes) code &= static_cast<uint8_t>((1 << bits) - 1);
    pack(codes.data(), 64, bits, packed.data());
    for (size_t i = 0; i < packed.size() * 8; i++) {
      const size_t width = static_cast<size_t>(bits);
      CHECK((packed[i / 8] >> (i % 8) & 1) == (codes[i / width] >> (i % width) & 1));
    }
    unpack(packed.data(), 64, bits, back.data());
    CHECK(back == codes);
  }
}
