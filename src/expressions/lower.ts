/**
 * From expressions to what the addon runs: transposes, slices and reshapes disappear into strided views of the source, and
 * what remains are sources, concatenations, arithmetic, casts and dequantization.
 */
import { MlxConvertError } from "../errors.ts";
import { nativeMode, type Quantization } from "../quantization/modes.ts";
import { type DType, dtypeBits, nativeDType } from "../tensor/dtype.ts";
import { contiguousStrides, elementCount, type Shape } from "../tensor/shape.ts";
import { type Expression, inputsOf } from "./expression.ts";

/** The addon's tree; see `native/convert/expression.h`. Files are numbers into the list that goes with it. */
export type NativeNode =
  | {
      readonly op: "source";
      readonly file: number;
      readonly offset: number;
      readonly itemBytes: number;
      readonly sizes: readonly number[];
      readonly strides: readonly number[];
    }
  | { readonly op: "concat"; readonly outer: number; readonly inputs: readonly NativeNode[] }
  | {
      readonly op: "cast";
      readonly from: number;
      readonly to: number;
      readonly inputs: readonly NativeNode[];
    }
  | { readonly op: "add"; readonly dtype: number; readonly inputs: readonly NativeNode[] }
  | {
      readonly op: "scale";
      readonly dtype: number;
      readonly factor: number;
      readonly offset: number;
      readonly inputs: readonly NativeNode[];
    }
  | {
      readonly op: "dequantize";
      readonly dtype: number;
      readonly scalesDtype: number;
      readonly quantization: NativeQuantization;
      readonly inputs: readonly NativeNode[];
    };

export interface NativeQuantization {
  readonly mode: number;
  readonly bits: number;
  readonly groupSize: number;
}

/** @param fileNumber numbers the files that hold source tensors */
export function lower(expression: Expression, fileNumber: (path: string) => number): NativeNode {
  const visit = (node: Expression): NativeNode => {
    switch (node.op) {
      case "source":
      case "transpose":
      case "slice": {
        const moved = pushDown(node);
        return moved.op === "view" ? nativeSource(moved, fileNumber) : visit(moved);
      }
      case "reshape": // the order of the elements stays
        return visit(node.input);
      case "concat":
        return {
          op: "concat",
          outer: elementCount(node.shape.slice(0, node.axis)),
          inputs: node.inputs.map(visit),
        };
      case "stack":
        return { op: "concat", outer: 1, inputs: node.inputs.map(visit) };
      case "cast":
        return {
          op: "cast",
          from: kernelDType(node.input.dtype),
          to: kernelDType(node.dtype),
          inputs: [visit(node.input)],
        };
      case "add":
        return { op: "add", dtype: kernelDType(node.dtype), inputs: node.inputs.map(visit) };
      case "scale":
        return {
          op: "scale",
          dtype: kernelDType(node.dtype),
          factor: node.factor,
          offset: node.offset,
          inputs: [visit(node.input)],
        };
      case "dequantize":
        return {
          op: "dequantize",
          dtype: kernelDType(node.dtype),
          scalesDtype: nativeDType(node.inputs[1]?.dtype ?? node.dtype) ?? kernelDType(node.dtype),
          quantization: nativeQuantization(node.quantization),
          inputs: node.inputs.map(visit),
        };
    }
  };
  return visit(expression);
}

export const nativeQuantization = (q: Quantization): NativeQuantization => ({
  mode: nativeMode(q.mode),
  bits: q.bits,
  groupSize: q.groupSize,
});

export function kernelDType(dtype: DType): number {
  const number = nativeDType(dtype);
  if (number === undefined) throw new MlxConvertError(`there is no arithmetic for ${dtype}`);
  return number;
}

/** A strided look at one source tensor. */
interface View {
  readonly op: "view";
  readonly dtype: DType;
  readonly file: string;
  readonly offset: number;
  readonly shape: Shape;
  readonly strides: readonly number[];
}

type Moved = View | Expression;

/** Moves a transpose or slice towards the sources, where it becomes part of a view. */
function pushDown(node: Expression): Moved {
  switch (node.op) {
    case "source":
      return { ...node.tensor, op: "view" };
    case "transpose": {
      const input = pushDown(node.input);
      if (input.op === "view") {
        return {
          ...input,
          shape: node.shape,
          strides: node.axes.map((axis) => input.strides[axis] ?? 0),
        };
      }
      return through(input, (inner) => ({
        ...node,
        input: inner,
        shape: node.axes.map((a) => inner.shape[a] ?? 0),
        dtype: inner.dtype,
      }));
    }
    case "slice": {
      const input = pushDown(node.input);
      const { axis, start } = node;
      if (input.op === "view") {
        const step = (input.strides[axis] ?? 0) * (dtypeBits(input.dtype) / 8);
        return { ...input, shape: node.shape, offset: input.offset + start * step };
      }
      if (input.op === "concat" && input.axis === axis)
        return sliceConcat(input, start, node.shape[axis] ?? 0);
      return through(input, (inner) => ({
        ...node,
        input: inner,
        shape: inner.shape.with(axis, node.shape[axis] ?? 0),
        dtype: inner.dtype,
      }));
    }
    case "reshape": {
      const input = pushDown(node.input);
      if (input.op === "view") {
        const strides = reshapeStrides(input, node.shape);
        if (strides !== undefined) return { ...input, shape: node.shape, strides };
      }
      throw new MlxConvertError("a reshape of a rearranged tensor cannot be rearranged again");
    }
    default:
      return node;
  }
}

/** Applies `move` to the inputs of an elementwise node, or of a concatenation along another axis. */
function through(node: Expression, move: (inner: Expression) => Expression): Expression {
  const moved = move(node);
  switch (node.op) {
    case "cast":
    case "scale":
      return { ...node, input: move(node.input), shape: moved.shape };
    case "add":
      return { ...node, inputs: [move(node.inputs[0]), move(node.inputs[1])], shape: moved.shape };
    case "concat": {
      const axis = moved.op === "transpose" ? moved.axes.indexOf(node.axis) : node.axis;
      return { ...node, axis, inputs: node.inputs.map(move), shape: moved.shape };
    }
    default:
      throw new MlxConvertError(`${moved.op} of ${node.op} is not supported`);
  }
}

function sliceConcat(node: Expression & { op: "concat" }, start: number, length: number): Expression {
  const inputs: Expression[] = [];
  let before = 0;
  for (const input of node.inputs) {
    const size = input.shape[node.axis] ?? 0;
    const from = Math.max(start - before, 0);
    const to = Math.min(start + length - before, size);
    if (from < to) {
      inputs.push({
        op: "slice",
        input,
        axis: node.axis,
        start: from,
        shape: input.shape.with(node.axis, to - from),
        dtype: input.dtype,
      });
    }
    before += size;
  }
  return { ...node, inputs, shape: node.shape.with(node.axis, length) };
}

/** Strides of the same elements in another shape; undefined where that takes a copy. */
function reshapeStrides(view: View, shape: Shape): readonly number[] | undefined {
  const axes = collapse(view.shape, view.strides);
  if (axes.length > 1) return undefined;
  const step = axes[0]?.stride ?? 1;
  return contiguousStrides(shape).map((stride) => stride * step);
}

/** The fewest axes that visit the same elements in the same order. */
export function collapse(shape: Shape, strides: readonly number[]): { size: number; stride: number }[] {
  const axes: { size: number; stride: number }[] = [];
  for (const [axis, size] of shape.entries()) {
    if (size === 1) continue;
    const stride = strides[axis] ?? 0;
    const outer = axes.at(-1);
    if (outer !== undefined && outer.stride === stride * size) {
      outer.size *= size;
      outer.stride = stride;
    } else {
      axes.push({ size, stride });
    }
  }
  return axes;
}

function nativeSource(view: View, fileNumber: (path: string) => number): NativeNode {
  const bits = dtypeBits(view.dtype);
  const count = elementCount(view.shape);
  // Elements of less than a byte are moved in whole bytes: their containers keep them dense.
  const axes = bits < 8 ? [{ size: (count * bits) / 8, stride: 1 }] : collapse(view.shape, view.strides);
  return {
    op: "source",
    file: fileNumber(view.file),
    offset: view.offset,
    itemBytes: Math.max(bits / 8, 1),
    sizes: axes.map((axis) => axis.size),
    strides: axes.map((axis) => axis.stride),
  };
}

/** Whether a tile of the expression is read in one piece from each source. */
export function isContiguous(expression: Expression): boolean {
  if (expression.op === "source") {
    const axes = collapse(expression.shape, expression.tensor.strides);
    return axes.length === 0 || (axes.length === 1 && axes[0]?.stride === 1);
  }
  return (
    expression.op !== "transpose" && expression.op !== "slice" && inputsOf(expression).every(isContiguous)
  );
}
