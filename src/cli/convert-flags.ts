/** The flags that `convert` and `plan` share, and mlx_lm's names for them. */
import { type Command, Option } from "commander";
import { onIndivisible } from "../plan/options.ts";
import { allBits, allGroupSizes, type QuantizationMode, quantizationModes } from "../quantization/modes.ts";
import { type FloatDType, floatDTypes } from "../tensor/dtype.ts";
import { parseChoice, parseInteger, parseSize, parseText, valued } from "./flags.ts";
import { type OverrideFlag, parseOverride } from "./override.ts";

export const layoutFlag = (): Option =>
  valued(
    "--layout <layout>",
    "mlx (default), or keep: change the container only, every tensor as it is",
    parseChoice(["mlx", "keep"]),
  );
export const architectureFlag = (): Option =>
  valued(
    "--architecture <type>",
    "a model_type, auto (default) or none: names as they are",
    parseText("a model_type"),
  );
export const threadsFlag = (): Option =>
  valued("--threads <n>", "(default: one a core)", parseInteger(1, 1024));
export const jsonFlag = (): Option => new Option("--json", "one JSON document on standard output");
export const quietFlag = (): Option => new Option("--quiet", "print nothing but errors");

/** What commander makes of the flags. */
export interface ConvertFlags {
  readonly output?: string;
  readonly overwrite?: true;
  readonly dryRun?: true;
  readonly quantize?: true;
  readonly bits?: number;
  readonly groupSize?: number;
  readonly mode?: QuantizationMode;
  readonly override?: readonly OverrideFlag[];
  readonly onIndivisible?: (typeof onIndivisible)[number];
  readonly dtype?: FloatDType;
  readonly architecture?: string;
  readonly layout?: "mlx" | "keep";
  readonly maxShardSize?: number;
  readonly threads?: number;
  readonly maxMemory?: number;
  readonly json?: true;
  readonly quiet?: true;
  readonly hfPath?: string;
  readonly model?: string;
  readonly mlxPath?: string;
  readonly qBits?: number;
  readonly qGroupSize?: number;
  readonly qMode?: QuantizationMode;
  readonly trustRemoteCode?: true;
}

const or = (values: readonly (number | string)[]): string => values.join("|");

const main = (): Option[] => [
  valued(
    "-o, --output <path>",
    "model directory, or one file: x.safetensors (default: mlx_model)",
    parseText("a path"),
  ),
  new Option("--overwrite", "replace an output that exists, once the new one is complete"),
  new Option("--dry-run", "show the plan and write nothing, as `mlx-convert plan`"),
];

const quantizing = (): Option[] => [
  new Option("-q, --quantize", "quantize every Linear and Embedding"),
  valued("--bits <n>", `${or(allBits)} (default: the mode's)`, parseInteger(1, 64)),
  valued(
    "--group-size <n>",
    `weights that share a scale: ${or(allGroupSizes)} (default: the mode's)`,
    parseInteger(1, 65_536),
  ),
  valued("--mode <mode>", `${or(quantizationModes)} (default: affine)`, parseChoice(quantizationModes)),
  new Option(
    "--override <regex=what>",
    "for layers whose path matches: 8, 4:32 (bits:group size), mxfp8, bfloat16, skip; repeatable, the last match wins",
  ).argParser<OverrideFlag[] | undefined>((text, before) => [
    ...(before ?? []),
    parseOverride("--override", text),
  ]),
  valued(
    "--on-indivisible <what>",
    "a layer that the group size does not divide: error (default), keep it in float, fit a smaller group size",
    parseChoice(onIndivisible),
  ),
];

const modelFlags = (): Option[] => [
  valued(
    "--dtype <dtype>",
    `${or(floatDTypes)} for floating-point tensors (default: what config.json says)`,
    parseChoice(floatDTypes),
  ),
  architectureFlag(),
  layoutFlag(),
];

const running = (): Option[] => [
  valued("--max-shard-size <size>", "most bytes in one file: 5GB, 512MiB (default: 5GiB)", parseSize),
  threadsFlag(),
  valued("--max-memory <size>", "stay below: 512MB (default: no limit)", parseSize),
  jsonFlag(),
  quietFlag(),
];

const groups = (): [heading: string, options: Option[]][] => [
  ["Output:", main()],
  ["Quantization:", quantizing()],
  ["Model:", modelFlags()],
  ["Run:", running()],
];

/** mlx_lm's names. */
const aliases = (): Option[] => [
  valued("--hf-path <path>", "", parseText("a path")),
  valued("--model <path>", "", parseText("a path")),
  valued("--mlx-path <path>", "", parseText("a path")),
  valued("--q-bits <n>", "", parseInteger(1, 64)),
  valued("--q-group-size <n>", "", parseInteger(1, 65_536)),
  valued("--q-mode <mode>", "", parseChoice(quantizationModes)),
  new Option("--trust-remote-code"),
];

/** Flags that are spoken for, and what helps until they exist. */
export const later: readonly { readonly flags: string; readonly hint?: string }[] = [
  { flags: "-d, --dequantize" },
  { flags: "--recipe <name>", hint: "--override '<regex>=<bits>' says it layer by layer" },
  { flags: "--quant-predicate <name>", hint: "--override '<regex>=<bits>' says it layer by layer" },
  { flags: "--kind <rule>" },
  { flags: "--map <file>" },
  { flags: "--key <path>" },
  { flags: "--upload-repo <repo>", hint: "convert first, then: hf upload <repo> <output>" },
];

export const aliasHelp =
  "mlx_lm's names work too: --hf-path, --model, --mlx-path, --q-bits, --q-group-size, --q-mode.";

/** Declares the flags. The source is checked later, because mlx_lm names it with a flag. */
export function addConvertFlags(command: Command): Command {
  command.argument("[source]", "a checkpoint: a file, or a directory");
  for (const [heading, options] of groups()) {
    for (const option of options) command.addOption(option.helpGroup(heading));
  }
  for (const option of [...aliases(), ...later.map(({ flags }) => new Option(flags))])
    command.addOption(option.hideHelp());
  return command;
}
