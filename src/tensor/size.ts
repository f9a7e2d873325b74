import { type DType, dtypeBits } from "./dtype.ts";
import { elementCount, type Shape } from "./shape.ts";

/** Bytes of a tensor's elements, dense. */
export const tensorBytes = ({ dtype, shape }: { readonly dtype: DType; readonly shape: Shape }): number =>
  (elementCount(shape) * dtypeBits(dtype)) / 8;
