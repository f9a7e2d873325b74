/** README.md of a converted model: what it is, how it was made, how to load it. The same source and options, the same text. */
import { basename, resolve } from "node:path";
import type { ModelConfig } from "../architectures/config.ts";
import { collapseNames } from "../names.ts";
import type { Plan } from "../plan/plan.ts";
import { plural } from "../units.ts";
import { version } from "../version.ts";
import { type FrontMatter, readFrontMatter, yamlString } from "./front-matter.ts";

export interface CardSource {
  readonly config: ModelConfig | undefined;
  /** Where the source's own card is looked for. */
  readonly directory: string | undefined;
}

export interface CardOptions {
  /** The command that makes the same bytes again. */
  readonly command?: string;
}

const maxListed = 20;

export function modelCard(plan: Plan, source: CardSource, { command }: CardOptions = {}): string {
  const name = printable(basename(resolve(plan.source)));
  const sections = [
    frontMatter(plan, source),
    `# ${name}, converted to MLX`,
    introduction(plan, name),
    ...(command === undefined ? [] : [code("sh", command.replaceAll(/\p{Cc}/gu, " "))]),
    ...quantization(plan),
    "## Use",
    ...use(plan),
  ];
  return `${sections.join("\n\n")}\n`;
}

function frontMatter(plan: Plan, { config, directory }: CardSource): string {
  const carried: FrontMatter = directory === undefined ? new Map() : readFrontMatter(directory);
  const isLanguageModel = architecturesOf(config).some((name) => name.endsWith("ForCausalLM"));
  const tags = [
    "mlx",
    "mlx-convert",
    ...(plan.quantization === undefined ? [] : [`${plan.quantization.bits}-bit`]),
  ];
  return [
    "---",
    "library_name: mlx",
    ...(isLanguageModel ? ["pipeline_tag: text-generation"] : []),
    ...[...carried].map(([key, values]) => yamlField(key, values)),
    yamlField("tags", tags, true),
    "---",
  ].join("\n");
}

/** A card must not fail on a field that nothing else reads. */
function architecturesOf(config: ModelConfig | undefined): readonly string[] {
  const value = config?.raw.get("architectures");
  return Array.isArray(value) ? value.filter((item) => typeof item === "string") : [];
}

const yamlField = (key: string, values: readonly string[], isList = values.length > 1): string =>
  isList
    ? [`${key}:`, ...values.map((value) => `- ${yamlString(value)}`)].join("\n")
    : `${key}: ${yamlString(values[0] ?? "")}`;

function introduction(plan: Plan, name: string): string {
  const kind = plan.architecture === undefined ? "" : ` (${plan.architecture})`;
  const size = `${plan.parameters.toLocaleString("en-US")} parameters${kind}, ${round(plan.bitsPerWeight)} bits per weight`;
  return `\`${name}\` (${plan.format}) in the format of [MLX](https://github.com/ml-explore/mlx), made by mlx-convert ${version}: ${size}.`;
}

function quantization(plan: Plan): string[] {
  if (plan.quantization === undefined) return [];
  const { mode, bits, groupSize } = plan.quantization;
  const quantized = plan.weights.filter((weight) => weight.quantization !== undefined).length;
  const differing = [...plan.layerQuantization].map(
    ([layer, how]) => `${layer}: ${how.mode ?? "affine"}, ${how.bits} bits, group size ${how.groupSize}`,
  );
  return [
    "## Quantization",
    `Mode ${mode}, ${bits} bits, group size ${groupSize}: ${plural(quantized, "layer")}.`,
    ...bullets("Quantized otherwise:", differing),
    ...bullets("Kept in floating point:", keptLayers(plan)),
  ];
}

/** Vectors are never quantized and need no mention. */
const keptLayers = (plan: Plan): string[] => {
  const matrices = new Set(
    plan.weights.filter(({ expression }) => expression.shape.length > 1).map(({ name }) => name),
  );
  return plan.keptFloat
    .filter(({ name }) => matrices.has(name))
    .map(({ name, reason }) => `${name}: ${reason}`);
};

function bullets(title: string, lines: readonly string[]): string[] {
  if (lines.length === 0) return [];
  const collapsed = collapseNames(lines);
  const more = collapsed.length > maxListed ? [`- and ${collapsed.length - maxListed} more`] : [];
  return [
    title,
    [...collapsed.slice(0, maxListed).map((line) => `- ${printable(line)}`), ...more].join("\n"),
  ];
}

function use(plan: Plan): string[] {
  if (plan.architecture !== undefined) {
    return [code("sh", "pip install mlx-lm\nmlx_lm.generate --model <this directory> --prompt 'Hello'")];
  }
  const load = ["import mlx.core as mx", "import mlx.nn as nn", "", `weights = ${loadExpression(plan)}`];
  if (plan.quantization === undefined) {
    return [
      "Build the model in MLX, then:",
      code("python", [...load, "model.load_weights(list(weights.items()))"].join("\n")),
    ];
  }
  const { groupSize, bits, mode } = plan.quantization;
  const quantize = [
    "nn.quantize(",
    `    model, group_size=${groupSize}, bits=${bits}, mode="${mode}",`,
    '    class_predicate=lambda path, module: f"{path}.scales" in weights,',
    ")",
  ];
  return [
    "Build the model in MLX, then:",
    code("python", [...load, ...quantize, "model.load_weights(list(weights.items()))"].join("\n")),
    ...(plan.layerQuantization.size === 0
      ? []
      : [
          "Layers that are quantized otherwise need their own bits and group size: `config.json` lists them under `quantization`.",
        ]),
  ];
}

const loadExpression = ({ shards }: Plan): string =>
  shards.length === 1
    ? `mx.load("${shards[0]?.file}")`
    : `{k: v for i in range(1, ${shards.length + 1}) for k, v in mx.load(f"model-{i:05d}-of-${String(shards.length).padStart(5, "0")}.safetensors").items()}`;

const code = (language: string, text: string): string => `\`\`\`${language}\n${text}\n\`\`\``;

const round = (value: number): string => String(Number(value.toFixed(3)));

/** Names come from untrusted files: one line, and no markup of their own. */
const printable = (text: string): string => text.replaceAll(/[\p{C}`<>]/gu, "");
