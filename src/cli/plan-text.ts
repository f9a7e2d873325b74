/** A plan as people read it: one row for equal layers, then what is left out and why, then the totals. */
import type { ChalkInstance } from "chalk";
import type { PlanReport, ReportedTensor } from "../index.ts";
import { tensorBytes } from "../tensor/size.ts";
import { showShape } from "../tensor/shape.ts";
import type { ConvertRequest } from "./convert-request.ts";
import { describeRequest, describeSource, showQuantization } from "./convert-text.ts";
import { collapse, groupBy, patternOf } from "../names.ts";
import { table } from "./table.ts";
import { printable } from "./terminal.ts";
import { plural, showBytes } from "../units.ts";

export function planLines(report: PlanReport, request: ConvertRequest, style: ChalkInstance): string[] {
  const { dropped, warnings } = report;
  return [
    style.bold(describeRequest(request)),
    describeSource(report),
    "",
    ...tensorTable(report.tensors, style),
    ...section(`dropped: ${plural(dropped.length, "tensor")}`, reasonTable(dropped, style), style),
    ...keptSection(report, style),
    ...(warnings.length > 0 ? [""] : []),
    ...warnings.map((warning) => `${style.yellow("warning:")} ${printable(warning)}`),
    "",
    ...totals(report),
  ];
}

/** A weight with the parts that quantization makes of it. */
interface Weight {
  readonly name: string;
  readonly tensor: ReportedTensor;
  readonly bytes: number;
}

function tensorTable(tensors: readonly ReportedTensor[], style: ChalkInstance): string[] {
  const weights = groupBy(tensors, weightName).map((parts): Weight => {
    const [tensor] = parts as [ReportedTensor];
    return {
      name: weightName(tensor),
      tensor,
      bytes: parts.reduce((sum, part) => sum + tensorBytes(part), 0),
    };
  });
  const groups = groupBy(weights, ({ name, tensor, bytes }) =>
    [patternOf(name), ...cells(name, tensor), bytes].join("\n"),
  );
  return table(
    [
      { heading: "tensor" },
      { heading: "source" },
      { heading: "output" },
      { heading: "by" },
      { heading: "count", right: true },
      { heading: "size", right: true },
    ],
    groups.map(weightRow),
    style,
  );
}

function weightRow(equal: readonly Weight[]): string[] {
  const [{ name, tensor, bytes }] = equal as [Weight];
  const names = collapse(equal.map((weight) => weight.name));
  return [names, ...cells(name, tensor), String(equal.length), showBytes(bytes * equal.length)];
}

const weightName = ({ name, quantization }: ReportedTensor): string =>
  quantization === undefined ? name : name.replace(/(weight|scales|biases)$/, "weight");

/** Source, output and operations: layers are equal where these are. */
function cells(name: string, { from, before, dtype, operations, quantization }: ReportedTensor): string[] {
  const renamed = from.length === 1 && from[0] !== name;
  return [
    `${from.length > 1 ? `${from.length} × ` : ""}${before.dtype} ${showShape(before.shape)}`,
    quantization === undefined ? dtype : showQuantization(quantization),
    [...(renamed ? ["rename"] : []), ...operations].join(", "),
  ];
}

/** Names with equal reasons, collapsed. */
function reasonTable(entries: PlanReport["dropped"], style: ChalkInstance): string[] {
  const rows = groupBy(entries, ({ name, reason }) => `${patternOf(name)}\n${reason}`).map((equal) => [
    collapse(equal.map(({ name }) => name)),
    equal[0]?.reason ?? "",
    String(equal.length),
  ]);
  return table([{ heading: "tensor" }, { heading: "why" }, { heading: "count", right: true }], rows, style);
}

/** Norms and biases are never quantized: only what is larger is worth a line. */
function keptSection({ keptFloat, tensors }: PlanReport, style: ChalkInstance): string[] {
  const vectors = new Set(tensors.filter(({ shape }) => shape.length < 2).map(({ name }) => name));
  const larger = keptFloat.filter(({ name }) => !vectors.has(name));
  const small = keptFloat.length - larger.length;
  const title = `kept in float: ${plural(keptFloat.length, "tensor")}${small > 0 ? `, ${small} of them vectors` : ""}`;
  return keptFloat.length === 0 ? [] : ["", style.bold(title), ...reasonTable(larger, style)];
}

const section = (title: string, lines: readonly string[], style: ChalkInstance): string[] =>
  lines.length === 0 ? [] : ["", style.bold(title), ...lines];

function totals(report: PlanReport): string[] {
  return [
    `output: ${showBytes(report.diskBytes)} in ${plural(report.files.length, "file")}, ` +
      `${report.bitsPerWeight.toFixed(3)} bits per weight`,
    `run: reads ${showBytes(report.readBytes)}, takes at most ${showBytes(report.peakMemoryBytes)} of memory with ${plural(report.threads, "thread")}`,
  ];
}
