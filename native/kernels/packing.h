// Codes of a few bits in a row: code i takes bits [i * bits, (i + 1) * bits) of a little-endian stream. Eight codes
// fill `bits` whole bytes, for every width.
// https://github.com/ml-explore/mlx/blob/846d176227a0ac13d2667e58d2bb68b322109ab0/mlx/backend/cpu/quantized.cpp#L1149
#pragma once

#include "number.h"

namespace mlxconvert {

// `codes`: one a byte, `count` a multiple of 8. Writes count * bits / 8 bytes.
MLXCONVERT_INLINE void pack(const uint8_t* codes, size_t count, int bits, uint8_t* packed) {
  for (size_t i = 0; i < count; i += 8) {
    uint64_t word = 0;
    for (int k = 0; k < 8; k++) word |= uint64_t{codes[i + k]} << (k * bits);
    for (int byte = 0; byte < bits; byte++) *packed++ = static_cast<uint8_t>(word >> (8 * byte));
  }
}

MLXCONVERT_INLINE void unpack(const uint8_t* packed, size_t count, int bits, uint8_t* codes) {
  for (size_t i = 0; i < count; i += 8) {
    uint64_t word = 0;
    for (int byte = 0; byte < bits; byte++) word |= uint64_t{*packed++} << (8 * byte);
    for (int k = 0; k < 8; k++) codes[i + k] = static_cast<uint8_t>(word >> (k * bits) & ((1u << bits) - 1));
  }
}

}  // namespace mlxconvert
