/** The road of the data: read headers, plan, execute, verify. docs/architecture.md walks along it. */
import { basename } from "node:path";
import { type RunOptions, run } from "./execute.ts";
import { type OpenedModel, openModel } from "./open.ts";
import { writeJobs } from "./plan/jobs.ts";
import type { PlanOptions } from "./plan/options.ts";
import type { Plan } from "./plan/plan.ts";
import { makePlan } from "./plan/planner.ts";
import { type PlanReport, reportPlan } from "./plan/report.ts";
import { compareModels, type VerifyOptions, type VerifyReport } from "./verify/compare.ts";
import { checkWritten } from "./verify/written.ts";
import { createOutput, isOneFile, type OutputOptions } from "./writer/output.ts";

export interface ConvertOptions extends PlanOptions, RunOptions, OutputOptions {
  /** The model directory that is made; a name that ends in `.safetensors` makes that one file. */
  readonly output: string;
  /** Called once, when everything is decided and nothing is written yet. */
  readonly onPlan?: (plan: PlanReport) => void;
}

/**
 * Converts a checkpoint to an MLX model. Nothing of it appears at `output` before all of it is there.
 * @param source a file or a directory
 * @throws MlxConvertError for bad input, an output that exists, a full disk; the reason of `signal` when it aborts
 */
export async function convert(source: string, options: ConvertOptions): Promise<PlanReport> {
  const started = performance.now();
  const model = openModel(source);
  const decided = planFor(model, options);
  const output = createOutput(decided, model, options);
  try {
    options.onPlan?.(reportPlan(decided, options.output, (performance.now() - started) / 1000));
    const shards = output.createShards();
    await run(
      { ...writeJobs(decided), outputs: shards, threads: decided.threads, totalBytes: decided.workBytes },
      options,
    );
    output.writeRest();
    checkWritten(decided, shards);
    await output.commit(options.signal);
  } catch (error) {
    output.abort();
    throw error;
  }
  return reportPlan(decided, options.output, (performance.now() - started) / 1000);
}

/** What `convert` would do, without a byte written. Takes milliseconds, whatever the size. */
export function plan(source: string, options: PlanOptions & { readonly output?: string } = {}): PlanReport {
  const started = performance.now();
  const made = planFor(openModel(source), options);
  return reportPlan(made, options.output, (performance.now() - started) / 1000);
}

/** Holds a converted model against its source, tensor by tensor. */
export async function verify(
  source: string,
  output: string,
  options: VerifyOptions = {},
): Promise<VerifyReport> {
  return compareModels(openModel(source), openModel(output).checkpoint, options);
}

function planFor(model: OpenedModel, options: PlanOptions & { readonly output?: string }): Plan {
  const { output } = options;
  const singleFile = output !== undefined && isOneFile(output) ? { singleFile: basename(output) } : {};
  return makePlan(model.checkpoint, model.config, { ...options, ...singleFile });
}
