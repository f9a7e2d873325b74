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
void quantize_affine(const uint8_t* w, size_t count, size_t group_size, uint8_t* packed, uint8_t* scales,
                     uint8_t* biases) {
  for (size_t done = 0; done < count; done += stretch) {
    const size_t scales_done = done / group_size * size_of(dtype);
    quantize_affine_stretch<dtype, bits>(w + done * size_of(dtype), smaller(stretch, count - done), group_size,
                                         packed + done / 8 * bits, scales + scales_done, biases + scales_done);
  }
}

template <DType dtype, Mode mode>
void quantize_microscaling(const uint8_t* w, size_t count, uint8_t* packed, uint8_t* scales) {
  for (size_t done = 0; done < count; done += stretch) {
    quantize_microscaling_stretch<dtype, mode>(w + done * size_of(dtype), smaller(stretch, count - done),
                                               packed + done / 8 * microscaling_bits<mode>,
                                               scales + done / microscaling_group<mode>);
  }
}

template <DType dtype, int bits>
void dequantize_affine(const uint8_t* packed, size_t count, size_t group_size, const uint8_t* scales,
                       const uint8_t* biases, uint8_t* w) {
  for (size_t done = 0; done < count; done += stretch) {
    const size_t scales_done = done / group_size * size_of(dtype);
    dequantize_affine_stretch<dtype, bits>(packed + done / 8 * bits, smaller(stretch, count - done), group_size,
                                           scales + scales_done, biases + scales_done, w + done * size_of(dtype));
  }
}

template <DType dtype, Mode mode>
void dequantize_microscaling(const uint8_t* packed, size_t count, const uint8_t* scales, uint8_t* w) {
  for (size_t done = 0; done < count; done += stretch) {
    dequantize_microscaling_stretch<dtype, mode>(packed + done / 8 * microscaling_bits<mode>,
                                                 smaller(stretch, count - done),
                                                 scales + done / microscaling_group<mode>, w + done * size_of(dtype));
  }
}

inline void quantize(const void* w, DType dtype, size_t count, const Quantization& q, void* packed, void* scales,
                     void* biases) {
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

inline void dequantize(const void* packed, const void* scales, const void* biases, DType scales_dtype, DType out_dtype,
                       size_t count, const Quantization& q, void* out) {
  auto* from = static_cast<const uint8_t*>(packed);
  auto* scale = static_cast<const uint8_t*>(scales);
  auto* bias = static_cast<const uint8_t*>(biases);
  auto* to = static_cast<uint8_t*>(out);
  if (q.mode == Mode::affine && scales_dtype != out_dtype) {
    alignas(64) uint8_t part[stretch * sizeof(float)];
    const size_t group_size = static_cast<size_t>(q.group_size);
    for (size_t done = 0; done < count; done += stretch) {
      const size_t some = smaller(stretch, count - done);
      const size_t scales_done = done / group_size * size_of(scales_dtype);
      dequantize(from + done / 8 * static_cast<size_t>(q.bits), scale + scales_done, bias + scales_done, scales_dtype,
                 scales_dtype, some, q, part);
      cast(part, scales_dtype, to + done * size_of(out_dtype), out_dtype, some);
    }
    return;
  }
  with_dtype(out_dtype, [&](auto tag) {
    constexpr DType type = decltype(tag)::value;
    switch (q.mode) {
      case Mode::affine:
        return with_bits(q.bits, [&]<int bits>() {
          dequantize_affine<type, bits>(from, count, static_cast<size_t>(q.group_size), scale, bias, to);
        });
      case Mode::mxfp4:
        return dequantize_microscaling<type, Mode::mxfp4>(from, count, scale, to);
      case Mode::mxfp8:
        return dequantize_microscaling<type, Mode::mxfp8>(from, count, scale, to);
      case Mode::nvfp4:
        return dequantize_microscaling<type, Mode::nvfp4>(from, count, scale, to);
    }
  });
}

}  // namespace mlxconvert::MLXCONVERT_ISA
