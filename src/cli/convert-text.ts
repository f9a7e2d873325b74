/** What `convert` says before and after, and the command that the model card shows. */
import { basename, resolve } from "node:path";
import type { PlanReport, Quantization } from "../index.ts";
import type { ConvertRequest } from "./convert-request.ts";
import { printable } from "./terminal.ts";
import { plural, showBytes, showCount, showSeconds } from "../units.ts";

/** `affine 4-bit g64`, as models are named. */
export const showQuantization = ({ mode, bits, groupSize }: Quantization): string =>
  `${mode} ${bits}-bit g${groupSize}`;

/** `./model → ./model-4bit: affine 4-bit g64, float16` */
export function describeRequest({ source, output, options }: ConvertRequest): string {
  const { quantization, dtype, layout, overrides = [] } = options;
  const what = [
    layout === "keep" ? "every tensor as it is" : undefined,
    quantization ? showQuantization(quantization) : "not quantized",
    dtype,
    overrides.length > 0 ? plural(overrides.length, "override") : undefined,
  ];
  return printable(`${source} → ${output}: ${what.filter((part) => part !== undefined).join(", ")}`);
}

/** `safetensors, llama: 135 million parameters in 272 tensors` */
export function describeSource({ format, architecture, parameters, readBytes }: PlanReport): string {
  const rules = architecture ?? "no architecture's rules";
  return printable(`${format}, ${rules}: ${showCount(parameters)} parameters, ${showBytes(readBytes)}`);
}

/** What came out, and what to do with it. */
export function summary(report: PlanReport, request: ConvertRequest): string[] {
  const { output } = request;
  const rate = report.seconds > 0 ? `, ${(report.readBytes / 1e9 / report.seconds).toFixed(2)} GB/s` : "";
  const isModel = report.architecture !== undefined && !output.endsWith(".safetensors");
  const { architecture, layout } = request.options;
  const same = [
    ...(architecture === undefined ? [] : ["--architecture", architecture]),
    ...(layout === undefined ? [] : ["--layout", layout]),
  ];
  const next = [
    ...(isModel ? [`mlx_lm.generate --model ${quoteForShell(output)} --prompt "Once upon a time"`] : []),
    ["mlx-convert verify", ...[request.source, output, ...same].map(quoteForShell)].join(" "),
  ];
  return [
    `wrote ${output}: ${showBytes(report.diskBytes)} in ${plural(report.files.length, "file")}, ` +
      `${report.bitsPerWeight.toFixed(3)} bits per weight, ${showCount(report.parameters)} parameters`,
    `${showBytes(report.readBytes)} read in ${showSeconds(report.seconds)}${rate}`,
    ...next.map((command, i) => `${i === 0 ? "next:" : "     "} ${command}`),
  ].map(printable);
}

/**
 * The command that makes the same bytes again, for the model card: nothing of it depends on the machine, the place of the
 * source or how the run went.
 */
export function commandOf({ source, options }: ConvertRequest): string {
  const { quantization: q } = options;
  const flags: readonly (readonly [flag: string, value: string | number | undefined])[] = [
    ["--mode", q?.mode],
    ["--bits", q?.bits],
    ["--group-size", q?.groupSize],
    ...(options.overrides ?? []).map(({ text }) => ["--override", text] as const),
    ["--on-indivisible", options.onIndivisible],
    ["--dtype", options.dtype],
    ["--architecture", options.architecture],
    ["--layout", options.layout],
    ["--max-shard-size", options.maxShardBytes],
  ];
  const words = flags.flatMap(([flag, value]) =>
    value === undefined ? [] : [flag, quoteForShell(String(value))],
  );
  return [
    "mlx-convert convert",
    quoteForShell(basename(resolve(source))),
    ...(q ? ["-q"] : []),
    ...words,
  ].join(" ");
}

export const quoteForShell = (word: string): string =>
  /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;
