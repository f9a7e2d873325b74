// Every kernel in plain C++: what any processor can run, and what the vector kernels are held against.
#include "instruction_sets.h"
#include "packing.h"
#include "reference.h"
#include "with_dtype.h"

namespace mlxconvert {
namespace {

size_t bytes_of(size_t count, const Quantization& q) { return count * static_cast<size_t>(q.bits) / 8; }

void quantize(const void* w, DType dtype, size_t count, const Quantization& q, void* packed, void* scales,
              void* biases) {
  const size_t group_size = static_cast<size_t>(q.group_size);
  const size_t group_bytes = bytes_of(group_size, q);
  const size_t element = size_of(dtype);
  auto* from = static_cast<const uint8_t*>(w);
  auto* to = static_cast<uint8_t*>(packed);
  auto* scale = static_cast<uint8_t*>(scales);
  auto* bias = static_cast<uint8_t*>(biases);
  with_dtype(dtype, [&](auto tag) {
    for (size_t done = 0; done < count; done += group_size) {
      uint8_t codes[reference::max_group_size];
      if (q.mode == Mode::affine) {
        reference::quantize_affine<decltype(tag)::value>(from, q.group_size, q.bits, codes, scale, bias);
        scale += element;
        bias += element;
      } else {
        reference::quantize_microscaling<decltype(tag)::value>(from, q.group_size, q.mode, codes, scale);
        scale += 1;
      }
      pack(codes, group_size, q.bits, to);
      from += group_size * element;
      to += group_bytes;
    }
  });
}

void cast(const void* in, DType from, void* out, DType to, size_t count) {
  if (from == to) {
    memcpy(out, in, count * size_of(from));
    return;
  }
  auto* source = static_cast<const uint8_t*>(in);
  auto* target = static_cast<uint8_t*>(out);
  with_any_dtype(from, [&](auto from_tag) {
    with_any_dtype(to, [&](auto to_tag) {
      for (size_t i = 0; i < count; i++) {
        const float x = Number<decltype(from_tag)::value>::read(source + i * size_of(decltype(from_tag)::value));
        Number<decltype(to_tag)::value>::write(target + i * size_of(decltype(to_tag)::value), x);
      }
    });
  });
}

void dequantize(const void* packed, const void* scales, const void* biases, DType scales_dtype, DType out_dtype,
                size_t count, const Quantization& q, void* out) {
  const size_t group_size = static_cast<size_t>(q.group_size);
  const size_t group_bytes = bytes_of(group_size, q);
  const bool affine = q.mode == Mode::affine;
  auto* from = static_cast<const uint8_t*>(packed);
  auto* scale = static_cast<const uint8_t*>(scales);
  auto* bias = static_cast<const uint8_t*>(biases);
  auto* to = static_cast<uint8_t*>(out);
  with_dtype(affine ? scales_dtype : out_dtype, [&](auto tag) {
    constexpr DType dtype = decltype(tag)::value;
    for (size_t done = 0; done < count; done += group_size) {
      uint8_t codes[reference::max_group_size], group[reference::max_group_size * size_of(dtype)];
      unpack(from, group_size, q.bits, codes);
      if (affine) {
        reference::dequantize_affine<dtype>(codes, q.group_size, scale, bias, group);
        scale += size_of(dtype);
        bias += size_of(dtype);
      } else {
        reference::dequantize_microscaling<dtype>(codes, q.group_size, q.mode, *scale, group);
        scale += 1;
      }
      cast(group, dtype, to, out_dtype, group_size);
      from += group_bytes;
      to += group_size * size_of(out_dtype);
    }
  });
}

}  // namespace

const Kernels portable_kernels = {"portable", quantize, dequantize, cast};

}  // namespace mlxconvert
