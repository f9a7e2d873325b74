// Divisions of many numbers by few.
#pragma once

#include "lanes.h"

namespace mlxconvert::MLXCONVERT_ISA {

// x / scale to the nearest float, as a division gives it, but without one for each x: a quotient good to one unit in
// the last place, corrected once by its own remainder. That this is exact is Markstein's theorem (Computation of
// elementary functions on the IBM RISC System/6000 processor, 1990). It wants 1 / scale to nearest and nothing to over-
// or underflow, which the limits on a group's range see to; a quotient too small for them has code 0 in any case.
struct Divisor {
  Float scale;
  Float inverse;      // 1 / scale, rounded
  Float inverse_low;  // what the rounding left, again rounded

  MLXCONVERT_INLINE Float divide(Float x) const {
    const Float quotient = fused_multiply_add(x, inverse, x * inverse_low);
    const Float remainder = fused_multiply_add(-quotient, scale, x);
    return fused_multiply_add(remainder, inverse, quotient);
  }
};

// The divisors of a stretch of groups. Whatever is divided by 0 gives 0.
class Divisors {
 public:
  // As many groups as there are lanes, from `group` on.
  MLXCONVERT_INLINE void set(size_t group, Float scale) {
    const Float inverse = scale == 0.0f ? Float{} : 1.0f / scale;
    store(scale_ + group, scale);
    store(inverse_ + group, inverse);
    store(inverse_low_ + group, fused_multiply_add(-inverse, scale, splat(1.0f)) * inverse);
  }
  MLXCONVERT_INLINE Divisor operator[](size_t group) const {
    return {splat(scale_[group]), splat(inverse_[group]), splat(inverse_low_[group])};
  }

 private:
  alignas(64) float scale_[stretch_groups], inverse_[stretch_groups], inverse_low_[stretch_groups];
};

}  // namespace mlxconvert::MLXCONVERT_ISA
