// The kernels of one instruction set, put together.
#pragma once

#include "../instruction_sets.h"
#include "../with_dtype.h"
#include "affine.h"
#include "cast.h"
#include "microscaling.h"

namespace mlxconvert::MLXCONVERT_ISA {

MLXCONVERT_INLINE size_t smaller(size_t a, size_t b) { return a < b ? a : b; }

template <DType dtype, int bits>
void quantize_affine(const uint8_t* w, size_t count, size_t group_size, uint8_t* packed, uint8_t* scales, uint8_t* biases) {
  for (size_t done = 0; done < count; done += stretch) {
    const size_t scales_done = done / group_size * size_of(dtype);
    quantize_affine_stretch<dtype, bits>(w + done * size_of(dtype), smaller(stretch, count - done), group_size,
                                         packed + done / 8 * bits, scales + scales_done, biases + scales_done);
  }
}

template <DType dtype, Mode mode>
void quantize_microscaling(const uint8_t* w, size_t count, uint8_t* packed, uint8_t* scales) {
  constexpr size_t group_size = mode == Mode::nvfp4 ? 16 : 32;
  constexpr size_t bits = mode == Mode::mxfp8 ? 8 : 4;
  for (size_t done = 0; done < count; done += stretch) {
    quantize_microscaling_stretch<dtype, mode>(w + done * size_of(dtype), smaller(stretch, count - done),
                                               packed + done / 8 * bits, scales + done / group_size);
  }
}

template <DType scales_dtype, DType out, int bits>
void dequantize_affine(
    const uint8_t* packed, size_t count, size_t group_size, const uint8_t* scales, const uint8_t* biases, uint8_t* w) {
  for (size_t done = 0; done < count; done += stretch) {
    const size_t scales_done = done / group_size * size_of(scales_dtype);
    dequantize_affine_stretch<scales_dtype, out, bits>(packed + done / 8 * bits, smaller(stretch, count - done),
                                                       group_size, scales + scales_done, biases + scales_done,
                                                       w + done * size_of(out));
  }
}

template <DType out, Mode mode>
void dequantize_microscaling(const uint8_t* packed, size_t count, const uint8_t* scales, uint8_t* w) {
  constexpr size_t group_size = mode == Mode::nvfp4 ? 16 : 32;
  constexpr size_t bits = mode == Mode::mxfp8 ? 8 : 4;
  for (size_t done = 0; done < count; done += stretch) {
    dequantize_microscaling_stretch<out, mode>(packed + done / 8 * bits, smaller(stretch, count - done),
                                               scales + done / group_size, w + done * size_of(out));
  }
}

inline void quantize(
    const void* w, DType dtype, size_t count, const Quantization& q, void* packed, void* scales, void* biases) {
  auto* from = static_cast<const uint8_t*>(w);
  auto* to = static_cast<uint8_t*>(packed);
  auto* scale = static_cast<uint8_t*>(scales);
  auto* bias = static_cast<uint8_t*>(biases);
  with_dtype(dtype, [&](auto tag) {
    constexpr DType type = decltype(tag)::value;
    switch (q.mode) {
      case Mode::affine:
        return with_bits(q.bits, [&]<int bits>() {
          quantize_affine<type, bits>(from, count, static_cast<size_t>(q.group_size), to, scale, bias);
        });
      case Mode::mxfp4:
        return quantize_microscaling<type, Mode::mxfp4>(from, count, to, scale);
      case Mode::mxfp8:
        return quantize_microscaling<type, Mode::mxfp8>(from, count, to, scale);
      case Mode::nvfp4:
        return quantize_microscaling<type, Mode::nvfp4>(from, count, to, scale);
    }
  });
}

inline void dequantize(
    const void* packed,
    const void* scales,
    const void* biases,
    DType scales_dtype,
    DType out_dtype,
    size_t count,
    const Quantization& q,
    void* out) {
  auto* from = static_cast<const uint8_t*>(packed);
  auto* scale = static_cast<const uint8_t*>(scales);
  auto* bias = static_cast<const uint8_t*>(biases);
  auto* to = static_cast<uint8_t*>(out);
  with_dtype(out_dtype, [&](auto out_tag) {
    constexpr DType out_type = decltype(out_tag)::value;
    switch (q.mode) {
      case Mode::affine:
        return with_dtype(scales_dtype, [&](auto tag) {
          with_bits(q.bits, [&]<int bits>() {
            dequantize_affine<decltype(tag)::value, out_type, bits>(from, count, static_cast<size_t>(q.group_size), scale,
                                                                    bias, to);
          });
        });
      case Mode::mxfp4:
        return dequantize_microscaling<out_type, Mode::mxfp4>(from, count, scale, to);
      case Mode::mxfp8:
        return dequantize_microscaling<out_type, Mode::mxfp8>(from, count, scale, to);
      case Mode::nvfp4:
        return dequantize_microscaling<out_type, Mode::nvfp4>(from, count, scale, to);
    }
  });
}

inline void cast(const void* in, DType from, void* out, DType to, size_t count) {
  auto* source = static_cast<const uint8_t*>(in);
  auto* target = static_cast<uint8_t*>(out);
  size_t done = 0;
  if (from != to && to != DType::float64) {
    with_any_dtype(from, [&](auto from_tag) {
      with_dtype(to, [&](auto to_tag) {
        done = cast_registers<decltype(from_tag)::value, decltype(to_tag)::value>(source, target, count);
      });
    });
  }
  portable_kernels.cast(source + done * size_of(from), from, target + done * size_of(to), to, count - done);
}

}  // namespace mlxconvert::MLXCONVERT_ISA
