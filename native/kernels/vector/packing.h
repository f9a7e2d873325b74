// packing.h of the directory above, a register at a time: eight codes in the bytes of a Quad are pushed together to
// pairs, fours and eights.
#pragma once

#include "lanes.h"

namespace mlxconvert::MLXCONVERT_ISA {

constexpr int quads = lanes / 2;
constexpr size_t block = 8 * quads;  // codes in a register

// At most a stretch of codes, which is read in whole registers: `codes` has room for a stretch.
template <int bits>
MLXCONVERT_INLINE void pack(const uint8_t* codes, size_t count, uint8_t* packed) {
  uint8_t padded[stretch / 8 * bits + 8];  // each store is 8 bytes, and the next one overwrites what is too much
  for (size_t done = 0; done < count; done += block) {
    Quad x = load<Quad>(codes + done);
    x = (x & 0x00FF00FF00FF00FF) | (x & 0xFF00FF00FF00FF00) >> (8 - bits);
    x = (x & 0x0000FFFF0000FFFF) | (x & 0xFFFF0000FFFF0000) >> (16 - 2 * bits);
    x = (x & 0x00000000FFFFFFFF) | (x & 0xFFFFFFFF00000000) >> (32 - 4 * bits);
    for (int i = 0; i < quads; i++) store(padded + (done / 8 + i) * bits, x[i]);
  }
  memcpy(packed, padded, count / 8 * bits);
}
template <>
MLXCONVERT_INLINE void pack<8>(const uint8_t* codes, size_t count, uint8_t* packed) {
  memcpy(packed, codes, count);
}

template <int bits>
MLXCONVERT_INLINE void unpack(const uint8_t* packed, size_t count, uint8_t* codes) {
  uint8_t padded[stretch / 8 * bits + 8];
  memcpy(padded, packed, count / 8 * bits);
  for (size_t done = 0; done < count; done += block) {
    Quad x;
    for (int i = 0; i < quads; i++) x[i] = load<uint64_t>(padded + (done / 8 + i) * bits);
    constexpr uint64_t four = (uint64_t{1} << 4 * bits) - 1, two = (1u << 2 * bits) - 1, one = (1u << bits) - 1;
    x = (x & four) | (x & four << 4 * bits) << (32 - 4 * bits);
    x = (x & two * 0x0000000100000001) | (x & (two << 2 * bits) * 0x0000000100000001) << (16 - 2 * bits);
    x = (x & one * 0x0001000100010001) | (x & (one << bits) * 0x0001000100010001) << (8 - bits);
    store(codes + done, x);
  }
}
template <>
MLXCONVERT_INLINE void unpack<8>(const uint8_t* packed, size_t count, uint8_t* codes) {
  memcpy(codes, packed, count);
}

// From bits known at run time to code made for them.
template <class Body>
MLXCONVERT_INLINE void with_bits(int bits, Body body) {
  switch (bits) {
    case 1:
      return body.template operator()<1>();
    case 2:
      return body.template operator()<2>();
    case 3:
      return body.template operator()<3>();
    case 4:
      return body.template operator()<4>();
    case 5:
      return body.template operator()<5>();
    case 6:
      return body.template operator()<6>();
    default:
      return body.template operator()<8>();
  }
}

}  // namespace mlxconvert::MLXCONVERT_ISA
