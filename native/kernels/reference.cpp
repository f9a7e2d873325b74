#include "reference.h"

#include <cmath>

#include "small_floats.h"

namespace mlxconvert::reference {
namespace {

float quiet(float nan) { return float_of(bits_of(nan) | 0x400000); }

// x86-64's choice among NaNs, which decides the sign and payload that land in the file: the first operand's, the
// second's, or the default one.
float choose_nan(float a, float b, float result) {
  if (is_nan(a)) return quiet(a);
  if (is_nan(b)) return quiet(b);
  return is_nan(result) ? float_of(default_nan_bits) : result;
}

float multiply(float a, float b) { return choose_nan(a, b, a * b); }
float add(float a, float b) { return choose_nan(a, b, a + b); }
float divide(float a, float b) { return choose_nan(a, b, a / b); }

}  // namespace

template <DType dtype>
void quantize_affine(const uint8_t* w, int group_size, int bits, uint8_t* codes, uint8_t* scale_out,
                     uint8_t* bias_out) {
  using T = Number<dtype>;
  const float bins = static_cast<float>((1 << bits) - 1);
  const float epsilon = 1e-7f;

  float low = INFINITY, high = -INFINITY;  // which they stay where every element is NaN
  for (int i = 0; i < group_size; i++) {
    const float x = T::read(w + i * sizeof(typename T::Bits));
    if (x > high) high = x;
    if (x < low) low = x;
  }

  // The scale's sign is such that the edge, the end of the range farther from 0, has code 0 exactly.
  const bool low_is_edge = absolute(low) > absolute(high);
  const float edge = low_is_edge ? low : high;
  const float range = high - low;
  float scale = range / bins < epsilon ? epsilon : range / bins;
  if (!low_is_edge) scale = -scale;
  float bias = 0;
  if (bits == 1) {  // the two codes are the ends of the range
    scale = absolute(scale);
    bias = low;
  } else if (const float edge_code = std::rint(edge / scale); edge_code != 0) {
    scale = edge / edge_code;
    bias = edge;
  }

  for (int i = 0; i < group_size; i++) {
    const float code = std::rint((T::read(w + i * sizeof(typename T::Bits)) - bias) / scale);
    codes[i] = static_cast<uint8_t>(code > 0 ? (code < bins ? code : bins) : 0);  // NaN gives 0
  }
  // A default NaN; that of inf - inf was negated above, except with one bit.
  if (is_nan(scale)) scale = float_of(is_nan(range) && bits > 1 ? default_nan_bits ^ sign_bit : default_nan_bits);
  T::write(scale_out, scale);
  T::write(bias_out, bias);
}

template <DType dtype>
void quantize_microscaling(const uint8_t* w, int group_size, Mode mode, uint8_t* codes, uint8_t* scale_out) {
  using T = Number<dtype>;
  const float largest_value = mode == Mode::mxfp8 ? 448.0f : 6.0f;

  float largest = 0;
  bool any_nan = false;
  for (int i = 0; i < group_size; i++) {
    const float x = absolute(T::read(w + i * sizeof(typename T::Bits)));
    any_nan |= is_nan(x);
    if (x > largest) largest = x;
  }
  const float scale = any_nan ? NAN : T::round(largest / largest_value);

  float divisor;
  if (mode == Mode::nvfp4) {
    *scale_out = to_fp8(absolute(scale));
    divisor = from_fp8(*scale_out);
  } else if (scale == 0) {
    *scale_out = 127;
    divisor = 1;
  } else if (is_nan(scale) || scale == INFINITY) {
    // MLX casts the exponent, NaN or infinity, to the smallest int32, and 2^-2147483648 is 0. The byte is the low one
    // of -2147483648 + 127, in float32 rounded to -2147483520.
    *scale_out = dtype == DType::float32 ? 0x80 : 0;
    divisor = 0;
  } else {
    const int exponent = e8m0_exponent(scale);
    *scale_out = static_cast<uint8_t>(exponent + 127);  // float32 denormals wrap around, as in MLX
    divisor = power_of_two(exponent);
  }

  for (int i = 0; i < group_size; i++) {
    const float x = T::round(divide(T::read(w + i * sizeof(typename T::Bits)), divisor));
    codes[i] = mode == Mode::mxfp8 ? to_fp8(x) : to_fp4(x);
  }
}

template <DType dtype>
void dequantize_affine(const uint8_t* codes, int group_size, const uint8_t* scale, const uint8_t* bias, uint8_t* w) {
  using T = Number<dtype>;
  for (int i = 0; i < group_size; i++) {
    const float product = T::round(multiply(static_cast<float>(codes[i]), T::read(scale)));
    T::write(w + i * sizeof(typename T::Bits), add(product, T::read(bias)));
  }
}

template <DType dtype>
void dequantize_microscaling(const uint8_t* codes, int group_size, Mode mode, uint8_t scale, uint8_t* w) {
  using T = Number<dtype>;
  const float factor = mode == Mode::nvfp4 ? from_fp8(scale) : T::round(power_of_two(scale - 127));
  for (int i = 0; i < group_size; i++) {
    float x = mode == Mode::mxfp8 ? from_fp8(codes[i]) : fp4_values[codes[i] & 7];
    if (mode != Mode::mxfp8 && codes[i] & 8) x = -x;
    T::write(w + i * sizeof(typename T::Bits), multiply(x, factor));
  }
}

#define INSTANTIATE(dtype)                                                                               \
  template void quantize_affine<dtype>(const uint8_t*, int, int, uint8_t*, uint8_t*, uint8_t*);          \
  template void quantize_microscaling<dtype>(const uint8_t*, int, Mode, uint8_t*, uint8_t*);             \
  template void dequantize_affine<dtype>(const uint8_t*, int, const uint8_t*, const uint8_t*, uint8_t*); \
  template void dequantize_microscaling<dtype>(const uint8_t*, int, Mode, uint8_t, uint8_t*);

INSTANTIATE(DType::float32)
INSTANTIATE(DType::float16)
INSTANTIATE(DType::bfloat16)

}  // namespace mlxconvert::reference
