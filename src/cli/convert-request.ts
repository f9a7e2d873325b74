/** What a command line of `convert` or `plan` asks for, once its flags are held against each other. */
import { type Command, Option } from "commander";
import type { PlanOptions } from "../plan/options.ts";
import { type Quantization, quantization } from "../quantization/modes.ts";
import { type ConvertFlags, later } from "./convert-flags.ts";
import { usageError } from "./flags.ts";
import { quantizes, resolveOverride } from "./override.ts";

export interface ConvertRequest {
  readonly source: string;
  readonly output: string;
  readonly options: PlanOptions;
  readonly overwrite: boolean;
  readonly dryRun: boolean;
  readonly json: boolean;
  readonly quiet: boolean;
  /** What the user should know about the flags themselves. */
  readonly notes: readonly string[];
}

const defaultOutput = "mlx_model";
/** @throws MlxConvertError (usage) where flags contradict each other or are not there yet */
export function readConvertFlags(command: Command): ConvertRequest {
  refuseLater(command);
  const flags = command.opts<ConvertFlags>();
  const source = same([
    ["<source>", command.args[0]],
    ["--hf-path", flags.hfPath],
    ["--model", flags.model],
  ]);
  if (source === undefined || source === "") {
    throw usageError("<source> is missing", `mlx-convert ${command.name()} <file or directory>`);
  }
  const output = same([
    ["--output", flags.output],
    ["--mlx-path", flags.mlxPath],
  ]);
  const run = readQuantization(flags);
  return {
    source,
    output: output ?? defaultOutput,
    options: present({
      quantization: run,
      overrides: flags.override?.map((override) => resolveOverride(override, run)),
      onIndivisible: flags.onIndivisible,
      dtype: flags.dtype,
      architecture: flags.architecture,
      layout: flags.layout,
      maxShardBytes: flags.maxShardSize,
      threads: flags.threads,
      maxMemoryBytes: flags.maxMemory,
    }),
    overwrite: flags.overwrite === true,
    dryRun: flags.dryRun === true,
    json: flags.json === true,
    quiet: flags.quiet === true,
    notes: flags.trustRemoteCode ? ["--trust-remote-code is ignored: remote code is never run"] : [],
  };
}

function refuseLater(command: Command): void {
  const given = command.opts<Readonly<Record<string, unknown>>>();
  if (given["quantize"] === true && given["dequantize"] === true) {
    throw usageError("Choose either quantize or dequantize, not both.", "leave out -q or -d");
  }
  for (const { flags, hint } of later) {
    const option = new Option(flags);
    if (given[option.attributeName()] === undefined) continue;
    throw usageError(
      `${option.long}: this version does not support it yet`,
      hint ?? `mlx-convert ${command.name()} --help lists what it supports`,
    );
  }
}

function readQuantization(flags: ConvertFlags): Quantization | undefined {
  const bits = same([
    ["--bits", flags.bits],
    ["--q-bits", flags.qBits],
  ]);
  const groupSize = same([
    ["--group-size", flags.groupSize],
    ["--q-group-size", flags.qGroupSize],
  ]);
  const mode = same([
    ["--mode", flags.mode],
    ["--q-mode", flags.qMode],
  ]);
  if (flags.quantize) return quantization(mode ?? "affine", bits, groupSize);
  const override = flags.override?.find(quantizes);
  const idle = [
    ["--bits", flags.bits],
    ["--q-bits", flags.qBits],
    ["--group-size", flags.groupSize],
    ["--q-group-size", flags.qGroupSize],
    ["--mode", flags.mode],
    ["--q-mode", flags.qMode],
    ["--override", override && `'${override.text}'`],
  ].find(([, value]) => value !== undefined);
  // It would change nothing, which nobody who writes it wants.
  if (idle !== undefined) throw usageError(`${idle.join(" ")} has no effect without --quantize`, "add -q");
  return undefined;
}

/** The value of a flag that has several names: two of them must not say different things. */
function same<T>(named: readonly (readonly [name: string, value: T | undefined])[]): T | undefined {
  const given = named.filter(([, value]) => value !== undefined);
  const [first, ...others] = given;
  for (const [name, value] of others) {
    if (value === first?.[1]) continue;
    throw usageError(
      `${first?.[0]} ${String(first?.[1])} and ${name} ${String(value)} say different things`,
      "give one of them",
    );
  }
  return first?.[1];
}

type Present<T> = { [K in keyof T]?: Exclude<T[K], undefined> };

/** Without the fields that are undefined. */
export function present<T extends object>(fields: T): Present<T> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Present<T>;
}
