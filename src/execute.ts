/** Carries out jobs in the addon: opens the files, reports progress, stops when asked. */
import { closeSync, openSync } from "node:fs";
import { MlxConvertError } from "./errors.ts";
import { beingWritten, systemError } from "./io/byte-source.ts";
import { addon, type Comparison } from "./native.ts";
import type { NativeJob } from "./plan/jobs.ts";

export interface Progress {
  readonly doneBytes: number;
  readonly totalBytes: number;
}

export interface RunOptions {
  readonly signal?: AbortSignal;
  /** Called about ten times a second while the work goes on, and once at its end. */
  readonly onProgress?: (progress: Progress) => void;
}

const progressInterval = 100; // ms

export interface Work {
  readonly inputs: readonly string[];
  readonly outputs?: readonly string[];
  readonly jobs: readonly NativeJob[];
  readonly threads: number;
  /** Bytes of all results before quantization: what progress counts. */
  readonly totalBytes: number;
}

/** Files are numbered as in the jobs: inputs first, then outputs, which exist already. */
export async function run(work: Work, options: RunOptions = {}): Promise<readonly Comparison[]> {
  options.signal?.throwIfAborted();
  const { totalBytes } = work;
  const control = new BigInt64Array(2);
  const stop = (): void => {
    Atomics.store(control, 1, 1n);
  };
  const report = (): void =>
    options.onProgress?.({ doneBytes: Number(Atomics.load(control, 0)), totalBytes });
  const files = openAll(work);
  const timer = setInterval(report, progressInterval);
  options.signal?.addEventListener("abort", stop);
  try {
    const { finished, comparisons } = await addon().execute(files, work.jobs, work.threads, control);
    options.signal?.throwIfAborted();
    if (!finished) throw new MlxConvertError("stopped before the end");
    report();
    return comparisons;
  } catch (error) {
    throw error === options.signal?.reason ? error : fromAddon(error);
  } finally {
    clearInterval(timer);
    options.signal?.removeEventListener("abort", stop);
    for (const { fd } of files) closeSync(fd);
  }
}

function openAll({ inputs, outputs = [] }: Work): { fd: number; path: string }[] {
  const files: { fd: number; path: string }[] = [];
  try {
    for (const path of inputs) files.push({ fd: openSync(path, "r"), path });
    for (const path of outputs) files.push({ fd: openSync(path, "r+"), path });
    return files;
  } catch (error) {
    for (const { fd } of files) closeSync(fd);
    throw systemError(error, (error as NodeJS.ErrnoException).path ?? "");
  }
}

function fromAddon(error: unknown): MlxConvertError {
  if (error instanceof MlxConvertError) return error;
  const { path, errno, message } = error as NodeJS.ErrnoException;
  if (path === undefined) return new MlxConvertError(message, { cause: error });
  return systemError(error, path, errno === undefined ? beingWritten : undefined);
}
