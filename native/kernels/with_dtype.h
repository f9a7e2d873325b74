// From a dtype known at run time to code made for it: with_dtype(dtype, [&](auto tag) { … decltype(tag)::value … }).
#pragma once

#include "number.h"

namespace mlxconvert {

template <DType dtype>
struct DTypeTag {
  static constexpr DType value = dtype;
};

// The dtypes that are quantized from. Callers have checked that it is one of them.
template <class Body>
MLXCONVERT_INLINE void with_dtype(DType dtype, Body body) {
  switch (dtype) {
    case DType::float16:
      return body(DTypeTag<DType::float16>{});
    case DType::bfloat16:
      return body(DTypeTag<DType::bfloat16>{});
    default:
      return body(DTypeTag<DType::float32>{});
  }
}

template <class Body>
MLXCONVERT_INLINE void with_any_dtype(DType dtype, Body body) {
  if (dtype == DType::float64) return body(DTypeTag<DType::float64>{});
  with_dtype(dtype, body);
}

}  // namespace mlxconvert
