export type Shape = readonly number[];

/** Number of elements; Infinity or an unsafe integer where the product overflows, which callers check. */
export const elementCount = (shape: Shape): number => shape.reduce((product, size) => product * size, 1);

/** Row-major strides in elements. */
export function contiguousStrides(shape: Shape): number[] {
  const strides = [...shape];
  let step = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    strides[axis] = step;
    step *= Math.max(shape[axis] ?? 1, 1);
  }
  return strides;
}

/** `(1536, 576)`, as Python writes a shape. */
export const showShape = (shape: Shape): string =>
  shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(", ")})`;

export const sameShape = (a: Shape, b: Shape): boolean =>
  a.length === b.length && a.every((size, axis) => size === b[axis]);
