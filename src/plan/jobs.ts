import type { Quantization } from "../quantization/modes.ts";
import { nativeDType } from "../tensor/dtype.ts";
import { type Expression, sourcesOf } from "../expressions/expression.ts";
import {
  kernelDType,
  lower,
  type NativeNode,
  nativeQuantization,
  type NativeQuantization,
} from "../expressions/lower.ts";
import type { Plan } from "./plan.ts";
import { tileElements } from "../expressions/tiles.ts";

/** One tensor's work, as the addon takes it; see `native/convert/executor.h`. */
export interface NativeJob {
  readonly input: NativeNode;
  readonly tile: number;
  readonly dtype?: number;
  readonly quantization?: NativeQuantization;
  readonly places: readonly { readonly file: number; readonly offset: number }[];
  /** Compared with `input` instead of writing. */
  readonly expected?: NativeNode;
}

export interface Jobs {
  /** Paths of the files that are read, by number. */
  readonly inputs: readonly string[];
  readonly jobs: readonly NativeJob[];
}

/** The jobs that carry out a plan; shard `i` has the number `inputs.length + i`. */
export function writeJobs(plan: Plan): Jobs {
  const inputs = numberFiles(plan.weights.map(({ expression }) => expression));
  return {
    inputs: inputs.paths,
    jobs: plan.weights.map((weight) => ({
      tile: tileElements(weight.expression, weight.quantization, plan.tileScale),
      ...(weight.quantization && {
        quantization: nativeQuantization(weight.quantization),
        dtype: kernelDType(weight.expression.dtype),
      }),
      input: lower(weight.expression, inputs.number),
      places: weight.tensors.map(({ shard, offset }) => ({
        file: inputs.paths.length + shard,
        offset: (plan.shards[shard]?.header.length ?? 0) + offset,
      })),
    })),
  };
}

/** A job that compares two expressions of one shape and dtype. */
export function compareJob(
  expected: Expression,
  actual: Expression,
  quantization: Quantization | undefined,
  fileNumber: (path: string) => number,
): NativeJob {
  const dtype = nativeDType(expected.dtype);
  return {
    tile: tileElements(expected, quantization, 1),
    input: lower(actual, fileNumber),
    expected: lower(expected, fileNumber),
    places: [],
    ...(dtype !== undefined && { dtype }),
  };
}

/** Numbers the files that hold the sources of some expressions. */
export function numberFiles(expressions: readonly Expression[]): {
  paths: string[];
  number: (path: string) => number;
} {
  const paths = [...new Set(expressions.flatMap((e) => sourcesOf(e).map(({ file }) => file)))];
  const numbers = new Map(paths.map((path, i) => [path, i]));
  return { paths, number: (path) => numbers.get(path) ?? 0 };
}
