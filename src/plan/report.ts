import type { Dropped } from "../architectures/apply.ts";
import type { Quantization } from "../quantization/modes.ts";
import type { DType } from "../tensor/dtype.ts";
import type { Shape } from "../tensor/shape.ts";
import { operationsOf, sourcesOf } from "../expressions/expression.ts";
import type { Plan } from "./plan.ts";

/** What `plan` and `convert` say of their work. */
export interface PlanReport {
  readonly source: string;
  readonly output: string | undefined;
  /** The source's container. */
  readonly format: string;
  readonly architecture: string | undefined;
  /** The output's tensors in its order. */
  readonly tensors: readonly ReportedTensor[];
  readonly dropped: readonly Dropped[];
  readonly keptFloat: readonly Dropped[];
  readonly files: readonly { readonly name: string; readonly bytes: number }[];
  readonly parameters: number;
  readonly bitsPerWeight: number;
  /** Bytes of the output's tensors; files have headers besides. */
  readonly bytes: number;
  readonly diskBytes: number;
  readonly readBytes: number;
  readonly peakMemoryBytes: number;
  readonly threads: number;
  readonly seconds: number;
  readonly warnings: readonly string[];
}

export interface ReportedTensor {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: Shape;
  /** Source tensors it is made of. */
  readonly from: readonly string[];
  /** What is done to them, in order. */
  readonly operations: readonly string[];
  /** The dtype that the source has, and the shape before quantization packs it. */
  readonly before: { readonly dtype: DType; readonly shape: Shape };
  readonly quantization: Quantization | undefined;
}

export function reportPlan(plan: Plan, output: string | undefined, seconds: number): PlanReport {
  return {
    source: plan.source,
    output,
    format: plan.format,
    architecture: plan.architecture,
    tensors: plan.weights.flatMap((weight) => {
      const sources = sourcesOf(weight.expression);
      const from = sources.map(({ name }) => name);
      const before = { dtype: sources[0]?.dtype ?? weight.expression.dtype, shape: weight.expression.shape };
      const operations = [...operationsOf(weight.expression), ...(weight.quantization ? ["quantize"] : [])];
      return weight.tensors.map(({ name, dtype, shape }) => ({
        name,
        dtype,
        shape,
        from,
        operations,
        before,
        quantization: weight.quantization,
      }));
    }),
    dropped: plan.dropped,
    keptFloat: plan.keptFloat,
    files: plan.shards.map(({ file, header, dataBytes }) => ({
      name: file,
      bytes: header.length + dataBytes,
    })),
    parameters: plan.parameters,
    bitsPerWeight: plan.bitsPerWeight,
    bytes: plan.bytes,
    diskBytes: plan.diskBytes,
    readBytes: plan.readBytes,
    peakMemoryBytes: plan.peakMemoryBytes,
    threads: plan.threads,
    seconds,
    warnings: plan.warnings,
  };
}
