/** Makes the output: shards of the planned size, what stands beside them, and the moment when all of it appears. */
import { closeSync, openSync, writeSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { MlxConvertError } from "../errors.ts";
import { AtomicOutput } from "../io/atomic-output.ts";
import { systemError } from "../io/byte-source.ts";
import { freeBytes } from "../io/paths.ts";
import { addon } from "../native.ts";
import type { OpenedModel } from "../open.ts";
import type { Plan, Shard } from "../plan/plan.ts";
import type { FloatDType } from "../tensor/dtype.ts";
import { showBytes } from "../units.ts";
import { modelCard } from "./card.ts";
import { outputConfig } from "./config.ts";
import { indexFile } from "./index-file.ts";
import { copySideFile, sideFiles } from "./side-files.ts";

export interface OutputOptions {
  /** Replace an output that exists, once the new one is complete. */
  readonly overwrite?: boolean;
  /** The command line, for the model card. */
  readonly command?: string;
}

interface Request extends OutputOptions {
  readonly output: string;
  readonly dtype?: FloatDType;
  readonly layout?: "mlx" | "keep";
}

export interface Output {
  /** Creates the files of the tensors with their headers and full sizes; returns where they lie for now. */
  createShards(): string[];
  /** Writes what stands beside the tensors. */
  writeRest(): void;
  /** Brings everything to the disk and makes the output appear. */
  commit(signal?: AbortSignal): Promise<void>;
  /** Removes everything; after a commit it does nothing. */
  abort(): void;
}

/** A name that ends in `.safetensors` asks for one file instead of a model directory. */
export const isOneFile = (output: string): boolean => output.endsWith(".safetensors");

/** @throws MlxConvertError where the output exists, is the source, or has no room; nothing is written then */
export function createOutput(plan: Plan, model: OpenedModel, request: Request): Output {
  const single = isOneFile(request.output);
  const beside = single || model.directory === undefined ? [] : sideFiles(model.directory, request.output);
  const output = AtomicOutput.begin(request.output, {
    overwrite: request.overwrite === true,
    singleFile: single,
    sources: [plan.source, ...model.checkpoint.files.map(({ path }) => path)],
    exchange: (a, b) => addon().exchange(a, b),
  });
  const shards = plan.shards.map(({ file }) => output.path(file));
  return {
    createShards() {
      checkRoom(request.output, plan.diskBytes + beside.reduce((sum, { bytes }) => sum + bytes, 0));
      for (const [i, shard] of plan.shards.entries())
        createShard(shards[i] ?? "", shard, single ? request.output : join(request.output, shard.file));
      return shards;
    },
    writeRest() {
      if (single) return;
      for (const file of beside) copySideFile(file, output.path(file.to), join(request.output, file.to));
      const config = configText(plan, request);
      if (config !== undefined) output.write("config.json", config);
      output.write("model.safetensors.index.json", indexText(plan));
      output.write("README.md", modelCard(plan, model, request));
    },
    commit: (signal) => output.commit(signal),
    abort: () => {
      output.abort();
    },
  };
}

/** A full disk is better found now than after hours. */
function checkRoom(output: string, needed: number): void {
  const free = freeBytes(dirname(resolve(output)));
  if (needed > free) {
    throw new MlxConvertError(
      `no space left on the device: the output takes ${showBytes(needed)}, ${showBytes(free)} are free`,
      {
        file: output,
        hint: "choose an output on another disk, or fewer --bits",
      },
    );
  }
}

/** @param name the file as the user will see it, for errors */
function createShard(path: string, { header, dataBytes }: Shard, name: string): void {
  try {
    const fd = openSync(path, "w");
    try {
      addon().allocate(fd, path, header.length + dataBytes);
      writeSync(fd, header, 0, header.length, 0);
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    throw systemError(error, name);
  }
}

function configText(plan: Plan, { dtype, layout }: Request): string | undefined {
  const quantization =
    plan.quantization !== undefined
      ? { default: plan.quantization, layers: plan.layerQuantization }
      : layout === "keep" && ("source" as const);
  return outputConfig(plan.config, { ...(dtype && { dtype }), ...(quantization && { quantization }) });
}

function indexText(plan: Plan): string {
  return indexFile({
    totalSize: plan.bytes,
    totalParameters: plan.parameters,
    weightMap: new Map(
      plan.weights.flatMap(({ tensors }) =>
        tensors.map(({ name, shard }) => [name, plan.shards[shard]?.file ?? ""] as const),
      ),
    ),
  });
}
