/**
 * What an output tensor is made of: a tree over source tensors. Building a node checks it and infers its shape and dtype,
 * so that whatever the tree says can be computed.
 */
import { MlxConvertError } from "../errors.ts";
import type { Quantization } from "../quantization/modes.ts";
import type { DType, FloatDType } from "../tensor/dtype.ts";
import type { StoredTensor } from "../tensor/info.ts";
import { elementCount, sameShape, type Shape, showShape } from "../tensor/shape.ts";

interface Typed {
  readonly shape: Shape;
  readonly dtype: DType;
}

export type Expression = Typed &
  (
    | { readonly op: "source"; readonly tensor: StoredTensor }
    | { readonly op: "transpose"; readonly input: Expression; readonly axes: readonly number[] }
    | { readonly op: "reshape"; readonly input: Expression }
    | { readonly op: "slice"; readonly input: Expression; readonly axis: number; readonly start: number }
    | { readonly op: "concat"; readonly inputs: readonly Expression[]; readonly axis: number }
    | { readonly op: "stack"; readonly inputs: readonly Expression[] }
    | { readonly op: "add"; readonly inputs: readonly [Expression, Expression] }
    | { readonly op: "scale"; readonly input: Expression; readonly factor: number; readonly offset: number }
    | { readonly op: "cast"; readonly input: Expression }
    | {
        readonly op: "dequantize";
        /** weight, scales and, for affine, biases */
        readonly inputs: readonly Expression[];
        readonly quantization: Quantization;
      }
  );

export const source = (tensor: StoredTensor): Expression => ({
  op: "source",
  tensor,
  shape: tensor.shape,
  dtype: tensor.dtype,
});

/** Axis `i` of the result is axis `axes[i]` of the input. */
export function transpose(input: Expression, axes: readonly number[]): Expression {
  require(axes.length === input.shape.length &&
    axes
      .toSorted((a, b) => a - b)
      .every(
        (axis, i) => axis === i,
      ), `transpose: (${axes.join(", ")}) does not permute the axes of ${showShape(input.shape)}`);
  return {
    op: "transpose",
    input,
    axes,
    shape: axes.map((axis) => input.shape[axis] ?? 0),
    dtype: input.dtype,
  };
}

export function reshape(input: Expression, shape: Shape): Expression {
  require(elementCount(shape) ===
    elementCount(
      input.shape,
    ), `reshape: ${showShape(input.shape)} has not the elements of ${showShape(shape)}`);
  return { op: "reshape", input, shape, dtype: input.dtype };
}

export function slice(input: Expression, axis: number, start: number, length: number): Expression {
  const size = input.shape[axis];
  require(size !== undefined &&
    start >= 0 &&
    length >= 0 &&
    start + length <=
      size, `slice: [${start}, ${start + length}) is not inside axis ${axis} of ${showShape(input.shape)}`);
  return { op: "slice", input, axis, start, shape: input.shape.with(axis, length), dtype: input.dtype };
}

export function concat(inputs: readonly Expression[], axis: number): Expression {
  const first = firstOf(inputs, "concat");
  const rest = (shape: Shape): Shape => shape.toSpliced(axis, 1);
  for (const input of inputs) {
    require(axis < input.shape.length && sameShape(rest(input.shape), rest(first.shape)), mismatch(
      "concat",
      first,
      input,
    ));
    require(input.dtype === first.dtype, mismatch("concat", first, input));
  }
  const size = inputs.reduce((sum, input) => sum + (input.shape[axis] ?? 0), 0);
  return { op: "concat", inputs, axis, shape: first.shape.with(axis, size), dtype: first.dtype };
}

/** Puts equal shapes on a new first axis. */
export function stack(inputs: readonly Expression[]): Expression {
  const first = firstOf(inputs, "stack");
  for (const input of inputs) {
    require(sameShape(input.shape, first.shape) && input.dtype === first.dtype, mismatch(
      "stack",
      first,
      input,
    ));
  }
  return { op: "stack", inputs, shape: [inputs.length, ...first.shape], dtype: first.dtype };
}

/** Elementwise sum in the inputs' dtype. */
export function add(a: Expression, b: Expression): Expression {
  require(sameShape(a.shape, b.shape) && a.dtype === b.dtype, mismatch("add", a, b));
  return { op: "add", inputs: [a, b], shape: a.shape, dtype: a.dtype };
}

/** `input * factor + offset` in the input's dtype, one rounding after each step, as MLX does it. */
export const scale = (input: Expression, factor: number, offset = 0): Expression => ({
  op: "scale",
  input,
  factor,
  offset,
  shape: input.shape,
  dtype: input.dtype,
});

export const cast = (input: Expression, dtype: FloatDType): Expression =>
  input.dtype === dtype ? input : { op: "cast", input, shape: input.shape, dtype };

/** The inverse of quantization: `weight` (…, in * bits / 32), `scales` and `biases` (…, in / group_size). */
export function dequantize(inputs: readonly Expression[], q: Quantization, dtype: FloatDType): Expression {
  const [weight, scales] = inputs;
  require(weight !== undefined && scales !== undefined, "dequantize: no scales");
  const outer = scales.shape.slice(0, -1);
  const size = (scales.shape.at(-1) ?? 0) * q.groupSize;
  require(sameShape(weight.shape, [
    ...outer,
    (size * q.bits) / 32,
  ]), `dequantize: scales of ${showShape(scales.shape)} do not fit a weight of ${showShape(weight.shape)} with ` +
    `group_size ${q.groupSize} and bits ${q.bits}`);
  return { op: "dequantize", inputs, quantization: q, shape: [...outer, size], dtype };
}

export function inputsOf(expression: Expression): readonly Expression[] {
  if ("inputs" in expression) return expression.inputs;
  return "input" in expression ? [expression.input] : [];
}

/** The source tensors of a tree, each once, in order. */
export function sourcesOf(expression: Expression): StoredTensor[] {
  const found = new Set<StoredTensor>();
  const visit = (node: Expression): void => {
    if (node.op === "source") found.add(node.tensor);
    else inputsOf(node).forEach(visit);
  };
  visit(expression);
  return [...found];
}

/** The operations of a tree from the sources up, each once: what `plan` shows. */
export function operationsOf(expression: Expression): string[] {
  const found = new Set<string>();
  const visit = (node: Expression): void => {
    inputsOf(node).forEach(visit);
    if (node.op !== "source") found.add(node.op);
  };
  visit(expression);
  return [...found];
}

function firstOf(inputs: readonly Expression[], op: string): Expression {
  const first = inputs[0];
  require(first !== undefined, `${op}: no inputs`);
  return first;
}

const describe = (e: Expression): string =>
  `${e.op === "source" ? JSON.stringify(e.tensor.name) : e.op} ${e.dtype} ${showShape(e.shape)}`;

const mismatch = (op: string, a: Expression, b: Expression): string =>
  `${op}: ${describe(b)} does not fit ${describe(a)}`;

function require(condition: boolean, message: string): asserts condition {
  if (!condition)
    throw new MlxConvertError(message, { hint: "--architecture none keeps the tensors as they are" });
}
