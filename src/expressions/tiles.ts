/** How much is computed at a time, and how much memory that takes. */
import type { Quantization } from "../quantization/modes.ts";
import { dtypeBits } from "../tensor/dtype.ts";
import { elementCount } from "../tensor/shape.ts";
import { type Expression, inputsOf } from "./expression.ts";
import { isContiguous } from "./lower.ts";

/** Small enough that a tile stays in the second-level cache from read to write, large enough that a system call costs nothing. */
const tileBytes = 512 * 1024;
/** A transposed tensor is read in stretches of a tile's rows: more rows, longer stretches. */
const transposedTileBytes = 8 * 1024 * 1024;
const smallestTileBytes = 16 * 1024;

/** Node itself with this program loaded, measured. */
export const baseMemoryBytes = 80 * 1024 * 1024;
/** What a tensor's plan takes: names, expressions, the addon's tree; measured on 100,000 tensors. */
export const bytesPerTensor = 6 * 1024;

const itemBytes = (expression: Expression): number => Math.max(dtypeBits(expression.dtype) / 8, 1);

/**
 * Elements of a tile: a multiple of the group size, and whole rows where rows are gathered from afar.
 * @param scale 1, or less where memory is short
 */
export function tileElements(
  expression: Expression,
  quantization: Quantization | undefined,
  scale: number,
): number {
  const contiguous = isContiguous(expression);
  const bytes = Math.max((contiguous ? tileBytes : transposedTileBytes) * scale, smallestTileBytes);
  const wanted = bytes / itemBytes(expression);
  const row = contiguous ? 1 : Math.max(1, elementCount(expression.shape.slice(1)));
  const quantum =
    row <= wanted && row % (quantization?.groupSize ?? 1) === 0 ? row : (quantization?.groupSize ?? 1);
  return Math.max(1, Math.floor(wanted / quantum)) * quantum;
}

/** Most bytes of buffers that a thread holds while it computes a tile. */
export function tileMemory(
  expression: Expression,
  quantization: Quantization | undefined,
  elements: number,
): number {
  const visit = (node: Expression): number => {
    const below = inputsOf(node).map(visit);
    const deepest = Math.max(0, ...below);
    switch (node.op) {
      case "source": // a gather reads up to four times what it wants
        return isContiguous(node) ? 0 : 4 * elements * itemBytes(node);
      case "transpose":
      case "slice":
        return Math.max(deepest, 4 * elements * itemBytes(node));
      case "cast":
        return deepest + elements * itemBytes(node.input);
      case "add":
      case "scale":
        return deepest + elements * 8;
      case "dequantize":
        return deepest + elements * (itemBytes(node) + 2);
      case "concat":
        return deepest + elements * itemBytes(node);
      case "stack":
      case "reshape":
        return deepest;
    }
  };
  const packed =
    quantization === undefined ? 0 : elements * (quantization.bits / 8 + 8 / quantization.groupSize);
  return visit(expression) + elements * itemBytes(expression) + packed;
}
