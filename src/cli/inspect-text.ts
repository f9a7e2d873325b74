/** What `inspect` shows. */
import type { ChalkInstance } from "chalk";
import type { InspectReport, ScanReport } from "../index.ts";
import { tensorBytes } from "../tensor/size.ts";
import { showShape } from "../tensor/shape.ts";
import { collapse, groupBy, patternOf } from "../names.ts";
import { showQuantization } from "./convert-text.ts";
import { table } from "./table.ts";
import { printable } from "./terminal.ts";
import { plural, showBytes, showCount } from "../units.ts";

type InspectedTensor = InspectReport["tensors"][number];

export function inspectLines(report: InspectReport, style: ChalkInstance): string[] {
  const { metadata, globals, warnings } = report;
  const described = Object.entries(metadata).map(([key, value]) => `${key}=${value}`);
  return [
    style.bold(printable(report.source)),
    `${report.format}${report.architecture === undefined ? "" : `, ${printable(report.architecture)}`}: ` +
      `${showCount(report.parameters)} parameters in ${plural(report.tensors.length, "tensor")}, ` +
      `${showBytes(report.bytes)} in ${plural(report.files.length, "file")}`,
    ...(described.length > 0 ? [`metadata: ${printable(described.join(", "))}`] : []),
    ...(globals.length > 0
      ? [`the pickle asks for ${plural(globals.length, "name")}: --scan lists them`]
      : []),
    "",
    ...tensorTable(report.tensors, style),
    ...(warnings.length > 0 ? [""] : []),
    ...warnings.map((warning) => `${style.yellow("warning:")} ${printable(warning)}`),
  ];
}

function tensorTable(tensors: readonly InspectedTensor[], style: ChalkInstance): string[] {
  const groups = groupBy(tensors, (tensor) => [patternOf(tensor.name), ...cells(tensor)].join("\n"));
  return table(
    [
      { heading: "tensor" },
      { heading: "dtype" },
      { heading: "shape" },
      { heading: "layer, and what says so" },
      { heading: "count", right: true },
      { heading: "size", right: true },
    ],
    groups.map(tensorRow),
    style,
  );
}

function tensorRow(equal: readonly InspectedTensor[]): string[] {
  const [first] = equal as [InspectedTensor];
  const names = collapse(equal.map(({ name }) => name));
  return [names, ...cells(first), String(equal.length), showBytes(tensorBytes(first) * equal.length)];
}

const cells = ({ dtype, shape, layer, quantization }: InspectedTensor): string[] => [
  quantization === undefined ? dtype : `${dtype}, ${showQuantization(quantization)}`,
  showShape(shape),
  layer === undefined ? "" : `${layer.kind}: ${layer.evidence}`,
];

/** Every file with a pickle and the names it asks for; a name that is not understood stands out. */
export function scanLines(report: ScanReport, style: ChalkInstance): string[] {
  if (report.pickles.length === 0) {
    return [`${printable(report.source)}: no pickle in it, so nothing that could be executed`];
  }
  const lines = report.pickles.flatMap(({ file, globals, problem }) => [
    style.bold(printable(file)),
    ...globals.map(({ name, understood }) =>
      understood ? `  ${printable(name)}` : `  ${style.red(printable(name))}  (not on the allow-list)`,
    ),
    ...(globals.length === 0 ? ["  asks for nothing"] : []),
    ...(problem === undefined ? [] : [`  ${style.yellow("stopped:")} ${printable(problem)}`]),
  ]);
  return [...lines, "", "nothing of it was executed"];
}
