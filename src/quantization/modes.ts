/**
 * The one table of quantization modes, after `mx.quantize`: flags, help, validation and the test matrix follow from it.
 * Messages are MLX's own, so that a search finds them.
 * https://github.com/ml-explore/mlx/blob/main/mlx/ops.cpp (`quantize`, `affine_quantize`, `fp_quantize`)
 */
import { MlxConvertError } from "../errors.ts";
import { type DType, type FloatDType, isFloatDType } from "../tensor/dtype.ts";
import { type Shape, showShape } from "../tensor/shape.ts";

interface Row {
  /** The number of this mode in `native/kernels/kernels.h`. */
  readonly native: number;
  readonly bits: readonly number[];
  readonly groupSizes: readonly number[];
  /** What `mx.quantize` takes when nothing is said. */
  readonly defaults: { readonly bits: number; readonly groupSize: number };
  /** Scales and biases have the weight's dtype, or scales are bytes and there are no biases. */
  readonly scales: "weight" | "uint8";
}

const table = {
  affine: {
    native: 0,
    bits: [1, 2, 3, 4, 5, 6, 8],
    groupSizes: [32, 64, 128],
    defaults: { bits: 4, groupSize: 64 },
    scales: "weight",
  },
  mxfp4: { native: 1, bits: [4], groupSizes: [32], defaults: { bits: 4, groupSize: 32 }, scales: "uint8" },
  mxfp8: { native: 2, bits: [8], groupSizes: [32], defaults: { bits: 8, groupSize: 32 }, scales: "uint8" },
  nvfp4: { native: 3, bits: [4], groupSizes: [16], defaults: { bits: 4, groupSize: 16 }, scales: "uint8" },
} as const satisfies Record<string, Row>;

export type QuantizationMode = keyof typeof table;
export const quantizationModes = Object.keys(table) as QuantizationMode[];
const rows: Readonly<Record<QuantizationMode, Row>> = table;

/** Every number of bits and every group size that some mode takes, ascending: for help texts. */
export const allBits = distinct((row) => row.bits);
export const allGroupSizes = distinct((row) => row.groupSizes);

/** How one tensor is quantized; groups run along the last axis. */
export interface Quantization {
  readonly mode: QuantizationMode;
  readonly bits: number;
  readonly groupSize: number;
}

export const isQuantizationMode = (name: string): name is QuantizationMode => Object.hasOwn(table, name);
export const modeDefaults = (mode: QuantizationMode): Row["defaults"] => rows[mode].defaults;
export const nativeMode = (mode: QuantizationMode): number => rows[mode].native;
export const groupSizesOf = (mode: QuantizationMode): readonly number[] => rows[mode].groupSizes;

/**
 * Completes and checks what the user asked for.
 * @throws MlxConvertError with MLX's message where the mode does not take these bits or this group size
 */
export function quantization(mode: QuantizationMode, bits?: number, groupSize?: number): Quantization {
  const row = rows[mode];
  const chosen = { mode, bits: bits ?? row.defaults.bits, groupSize: groupSize ?? row.defaults.groupSize };
  if (!row.groupSizes.includes(chosen.groupSize)) {
    throw new MlxConvertError(
      row.groupSizes.length > 1
        ? `[quantize] The requested group size ${chosen.groupSize} is not supported. The supported group sizes are ${list(row.groupSizes)}.`
        : `[quantize] ${mode} quantization requires group size ${row.groupSizes[0]} but got ${chosen.groupSize}.`,
      { exitStatus: 2, hint: `--group-size ${row.groupSizes.join(", or ")}` },
    );
  }
  if (!row.bits.includes(chosen.bits)) {
    throw new MlxConvertError(
      row.bits.length > 1
        ? `[quantize] The requested number of bits ${chosen.bits} is not supported. The supported bits are ${list(row.bits)}.`
        : `[quantize] ${mode} quantization requires bits to be ${row.bits[0]} but got ${chosen.bits}.`,
      { exitStatus: 2, hint: `--bits ${row.bits.join(", or ")}` },
    );
  }
  return chosen;
}

/** The mode that takes these bits and this group size and has scales of this dtype, if there is one. */
export function findQuantization(bits: number, groupSize: number, scales: DType): Quantization | undefined {
  const kind = isFloatDType(scales) ? "weight" : scales;
  const mode = quantizationModes.find(
    (name) =>
      rows[name].scales === kind &&
      rows[name].bits.includes(bits) &&
      rows[name].groupSizes.includes(groupSize),
  );
  return mode && { mode, bits, groupSize };
}

/** MLX's message for a last dimension that the group size does not divide. */
export const indivisible = (shape: Shape, groupSize: number): string =>
  "[quantize] The last dimension of the matrix needs to be divisible by the quantization group size " +
  `${groupSize}. However the provided matrix has shape ${showShape(shape)}`;

export interface QuantizedPart {
  /** What follows the layer's path: `weight`, `scales` or `biases`. */
  readonly suffix: "weight" | "scales" | "biases";
  readonly dtype: DType;
  readonly shape: Shape;
}

/** The tensors that a weight of this shape becomes: `(…, in * bits / 32)` uint32, then `(…, in / group_size)` each. */
export function quantizedParts(shape: Shape, dtype: FloatDType, q: Quantization): readonly QuantizedPart[] {
  const outer = shape.slice(0, -1);
  const last = shape.at(-1) ?? 0;
  const groups = [...outer, last / q.groupSize];
  const weight = { suffix: "weight", dtype: "uint32", shape: [...outer, (last * q.bits) / 32] } as const;
  return rows[q.mode].scales === "uint8"
    ? [weight, { suffix: "scales", dtype: "uint8", shape: groups }]
    : [weight, { suffix: "scales", dtype, shape: groups }, { suffix: "biases", dtype, shape: groups }];
}

function distinct(of: (row: Row) => readonly number[]): number[] {
  return [...new Set(Object.values(rows).flatMap(of))].toSorted((a, b) => a - b);
}

function list(values: readonly number[]): string {
  return `${values.slice(0, -1).join(", ")} and ${values.at(-1)}`;
}
