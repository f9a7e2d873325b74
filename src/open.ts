import { statSync } from "node:fs";
import { dirname } from "node:path";
import { type ModelConfig, readConfig } from "./architectures/config.ts";
import type { Checkpoint } from "./readers/checkpoint.ts";
import { openCheckpoint } from "./readers/index.ts";

export interface OpenedModel {
  readonly checkpoint: Checkpoint;
  /** The config.json beside the weights, where there is one. */
  readonly config: ModelConfig | undefined;
  /** The model's directory: side files come from here. Undefined for a single file, which may lie among anything. */
  readonly directory: string | undefined;
}

/** The first step of the road: headers and config of a file or directory, no tensor's bytes. */
export function openModel(source: string): OpenedModel {
  const checkpoint = openCheckpoint(source);
  const isDirectory = statSync(source).isDirectory();
  const isIndex = source.endsWith(".index.json");
  const directory = isDirectory ? source : isIndex ? dirname(source) : undefined;
  return { checkpoint, config: directory === undefined ? undefined : readConfig(directory), directory };
}
