/** The JSON documents of the commands. Fields that have no value are null; names are those that docs promise. */
import type { InspectReport, PlanReport, Quantization, ScanReport, VerifyReport } from "../index.ts";

const quantizationJson = (q: Quantization | undefined): object | null =>
  q === undefined ? null : { mode: q.mode, bits: q.bits, group_size: q.groupSize };

export const planJson = (report: PlanReport): object => ({
  source: report.source,
  output: report.output ?? null,
  format: report.format,
  architecture: report.architecture ?? null,
  tensors: report.tensors.map(({ name, dtype, shape, from, operations, quantization }) => ({
    name,
    dtype,
    shape,
    from,
    operations,
    quantization: quantizationJson(quantization),
  })),
  dropped: report.dropped,
  kept_float: report.keptFloat,
  files: report.files,
  parameters: report.parameters,
  bits_per_weight: report.bitsPerWeight,
  bytes: report.bytes,
  disk_bytes: report.diskBytes,
  read_bytes: report.readBytes,
  peak_memory_bytes: report.peakMemoryBytes,
  threads: report.threads,
  seconds: report.seconds,
  warnings: report.warnings,
});

export const inspectJson = (report: InspectReport): object => ({
  source: report.source,
  format: report.format,
  architecture: report.architecture ?? null,
  parameters: report.parameters,
  bytes: report.bytes,
  files: report.files,
  tensors: report.tensors.map(({ name, dtype, shape, layer, quantization }) => ({
    name,
    dtype,
    shape,
    layer: layer ?? null,
    quantization: quantizationJson(quantization),
  })),
  metadata: report.metadata,
  globals: report.globals,
  warnings: report.warnings,
});

export const scanJson = ({ source, pickles }: ScanReport): object => ({
  source,
  pickles: pickles.map(({ file, globals, problem }) => ({ file, globals, problem: problem ?? null })),
});

/** A signal-to-noise ratio without noise has no number in JSON: null. */
export const verifyJson = (report: VerifyReport): object => ({
  ok: report.ok,
  checked: report.checked,
  failures: report.failures,
  tensors: report.tensors.map(({ name, quantization, maxAbsError, sqnrDb }) => ({
    name,
    quantization: quantizationJson(quantization),
    max_abs_error: maxAbsError,
    sqnr_db: Number.isFinite(sqnrDb) ? sqnrDb : null,
  })),
});
