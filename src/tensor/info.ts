import type { DType } from "./dtype.ts";
import type { Shape } from "./shape.ts";

/** A tensor as its container says it: what it is and where its bytes lie. No bytes are read to make one. */
export interface StoredTensor {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: Shape;
  /** Path of the file that holds the bytes. */
  readonly file: string;
  /** Where element [0, 0, …] lies: bytes from the start of the file. */
  readonly offset: number;
  /** Steps between neighbours of each axis, in elements; row-major unless the source saved a view. Never negative. */
  readonly strides: readonly number[];
}
