/** Holds an output against its source: names, shapes, dtypes, and what quantization cost each weight. */
import { availableParallelism } from "node:os";
import type { Weights } from "../architectures/apply.ts";
import type { ModelConfig } from "../architectures/config.ts";
import { type RunOptions, run } from "../execute.ts";
import { arrange } from "../plan/arrange.ts";
import { cast, dequantize, type Expression, source } from "../expressions/expression.ts";
import { compareJob, numberFiles } from "../plan/jobs.ts";
import type { PlanOptions } from "../plan/options.ts";
import type { Comparison } from "../native.ts";
import { findQuantization, type Quantization } from "../quantization/modes.ts";
import type { Checkpoint } from "../readers/checkpoint.ts";
import { isCastable, isFloatDType } from "../tensor/dtype.ts";
import type { StoredTensor } from "../tensor/info.ts";
import { tensorBytes } from "../tensor/size.ts";
import { sameShape, showShape } from "../tensor/shape.ts";

export interface VerifyOptions extends Pick<PlanOptions, "architecture" | "layout" | "threads">, RunOptions {
  /** A quantized tensor with less signal to noise (dB) fails; default: what its bits and group size guarantee. */
  readonly minSqnr?: number;
  /** Largest absolute error of an unquantized tensor; default 0: equal after the cast. */
  readonly atol?: number;
}

export interface VerifiedTensor {
  readonly name: string;
  readonly quantization: Quantization | undefined;
  readonly maxAbsError: number;
  /** 10 log10(energy of the source / energy of the error); Infinity where they are equal. */
  readonly sqnrDb: number;
}

export interface VerifyReport {
  readonly ok: boolean;
  /** Weights that were compared. */
  readonly checked: number;
  readonly failures: readonly { readonly name: string; readonly reason: string }[];
  readonly tensors: readonly VerifiedTensor[];
}

interface Pair {
  readonly name: string;
  readonly expected: Expression;
  readonly actual: Expression;
  readonly quantization: Quantization | undefined;
}

/** @throws MlxConvertError where something cannot be read; what is wrong with the output is in the report */
export async function compareModels(
  original: { readonly checkpoint: Checkpoint; readonly config: ModelConfig | undefined },
  converted: Checkpoint,
  options: VerifyOptions = {},
): Promise<VerifyReport> {
  const { weights } = arrange(original.checkpoint, original.config, options);
  const { pairs, failures } = pairUp(weights, converted);
  const files = numberFiles(pairs.flatMap(({ expected, actual }) => [expected, actual]));
  const comparisons = await run(
    {
      inputs: files.paths,
      jobs: pairs.map(({ expected, actual, quantization }) =>
        compareJob(expected, actual, quantization, files.number),
      ),
      threads: options.threads ?? availableParallelism(),
      totalBytes: pairs.reduce((sum, { actual }) => sum + tensorBytes(actual), 0),
    },
    options,
  );
  const tensors = pairs.map((pair, i): VerifiedTensor => {
    const comparison = comparisons[i] as Comparison;
    const sqnrDb = 10 * Math.log10(comparison.expectedEnergy / comparison.errorEnergy);
    const result = {
      name: pair.name,
      quantization: pair.quantization,
      maxAbsError: comparison.maxError,
      sqnrDb: comparison.errorEnergy === 0 ? Infinity : sqnrDb,
    };
    const reason = judge(pair, comparison, result, options);
    if (reason !== undefined) failures.push({ name: pair.name, reason });
    return result;
  });
  return { ok: failures.length === 0, checked: pairs.length, failures, tensors };
}

/** What each weight of the source became in the output. */
function pairUp(
  weights: Weights,
  converted: Checkpoint,
): { pairs: Pair[]; failures: { name: string; reason: string }[] } {
  const pairs: Pair[] = [];
  const failures: { name: string; reason: string }[] = [];
  const left = new Set(converted.tensors.keys());
  for (const [name, value] of weights) {
    const prefix = name.replace(/weight$/, "");
    const stored = converted.tensors.get(name);
    const parts = [
      stored,
      converted.tensors.get(`${prefix}scales`),
      converted.tensors.get(`${prefix}biases`),
    ].filter((tensor) => tensor !== undefined);
    for (const part of parts) left.delete(part.name);
    const quantized = name.endsWith("weight") && parts.length > 1;
    const pair =
      stored === undefined
        ? "missing from the output"
        : quantized
          ? quantizedPair(name, value, parts)
          : plainPair(name, value, stored);
    if (typeof pair === "string") failures.push({ name, reason: pair });
    else pairs.push(pair);
  }
  for (const name of left) failures.push({ name, reason: "the source has nothing that it comes from" });
  return { pairs, failures };
}

function plainPair(name: string, value: Expression, stored: StoredTensor): Pair | string {
  if (!sameShape(value.shape, stored.shape))
    return `shape: expected ${showShape(value.shape)}, got ${showShape(stored.shape)}`;
  const castable = isCastable(value.dtype) && isFloatDType(stored.dtype);
  if (!castable && value.dtype !== stored.dtype) return `dtype: expected ${value.dtype}, got ${stored.dtype}`;
  const expected = castable ? cast(value, stored.dtype) : value;
  return { name, expected, actual: source(stored), quantization: undefined };
}

function quantizedPair(name: string, value: Expression, parts: readonly StoredTensor[]): Pair | string {
  const [weight, scales, biases] = parts as [StoredTensor, StoredTensor, StoredTensor | undefined];
  const quantization = quantizationOf(value, weight, scales);
  const fits =
    quantization?.mode === "affine"
      ? biases?.dtype === scales.dtype && sameShape(biases.shape, scales.shape)
      : biases === undefined;
  if (quantization === undefined || !fits) {
    const shapes = parts.map(({ dtype, shape }) => `${dtype} ${showShape(shape)}`).join(", ");
    return `no quantization of ${showShape(value.shape)} has these parts: ${shapes}`;
  }
  const dtype = isFloatDType(scales.dtype)
    ? scales.dtype
    : isFloatDType(value.dtype)
      ? value.dtype
      : "float32";
  const actual = dequantize(parts.map(source), quantization, dtype);
  return { name, expected: cast(value, dtype), actual, quantization };
}

/** Mode, bits and group size as the shapes and dtypes of the parts say them. */
function quantizationOf(
  value: Expression,
  weight: StoredTensor,
  scales: StoredTensor,
): Quantization | undefined {
  const last = value.shape.at(-1) ?? 0;
  const [words, groups] = [weight.shape.at(-1) ?? 0, scales.shape.at(-1) ?? 0];
  const bits = (words * 32) / last;
  const groupSize = last / groups;
  const outer = (shape: readonly number[]): readonly number[] => shape.slice(0, -1);
  if (weight.dtype !== "uint32" || !sameShape(outer(weight.shape), outer(value.shape))) return undefined;
  if (!sameShape(outer(scales.shape), outer(value.shape))) return undefined;
  return findQuantization(bits, groupSize, scales.dtype);
}

function judge(
  pair: Pair,
  c: Comparison,
  result: VerifiedTensor,
  options: VerifyOptions,
): string | undefined {
  if (c.nonFinite > 0) return `${c.nonFinite} elements are not finite, but the source's are`;
  const { quantization } = pair;
  if (quantization === undefined) {
    const atol = options.atol ?? 0;
    const close = c.differing === 0 || (atol > 0 && isCastable(pair.expected.dtype) && c.maxError <= atol);
    return close ? undefined : `${c.differing} elements differ, by up to ${c.maxError} (atol ${atol})`;
  }
  const least = options.minSqnr ?? guaranteedSqnr(quantization);
  return result.sqnrDb >= least
    ? undefined
    : `signal to noise ${result.sqnrDb.toFixed(1)} dB, less than ${least.toFixed(1)} dB`;
}

/**
 * What quantization can cost at the worst. Affine rounds to 2^bits levels over a group's range, and at the worst one outlier is
 * all the group's energy: (2^bits - 1)^2 / group_size, less 1 dB for rounded scales. In the other modes the largest element
 * may be cut by a factor of the square root of 2, and what is small beside it becomes 0: 8 dB remain. A weight that is no
 * closer than 1 dB is not the same weight.
 */
function guaranteedSqnr({ mode, bits, groupSize }: Quantization): number {
  return mode === "affine" ? Math.max(1, 10 * Math.log10((2 ** bits - 1) ** 2 / groupSize) - 1) : 8;
}
