/** What `verify` shows. */
import type { ChalkInstance } from "chalk";
import type { VerifiedTensor, VerifyReport } from "../index.ts";
import { showQuantization } from "./convert-text.ts";
import { collapse, groupBy, patternOf } from "../names.ts";
import { most, table } from "./table.ts";
import { plural } from "../units.ts";

export function verifyLines(
  { ok, checked, failures, tensors }: VerifyReport,
  style: ChalkInstance,
): string[] {
  return [
    ...tensorTable(tensors, style),
    ...(ok ? [] : ["", style.bold(`not right: ${plural(failures.length, "tensor")}`)]),
    ...failureTable(failures, style),
    "",
    ok
      ? `${style.green("ok:")} ${plural(checked, "tensor")} checked`
      : `${style.red("not ok:")} ${plural(checked, "tensor")} checked, ${plural(failures.length, "failure")}`,
  ];
}

/** One row for the layers of one name that fail for one reason, whatever the numbers in it. */
function failureTable(failures: VerifyReport["failures"], style: ChalkInstance): string[] {
  const groups = groupBy(
    failures,
    ({ name, reason }) => `${patternOf(name)}\n${reason.replaceAll(/\d+(\.\d+)?/g, "#")}`,
  );
  const rows = groups.map((equal) => {
    const [reason = "", ...others] = new Set(equal.map((failure) => failure.reason));
    const why = others.length > 0 ? `e.g. ${reason}` : reason;
    return [collapse(equal.map(({ name }) => name)), why, String(equal.length)];
  });
  return table([{ heading: "tensor" }, { heading: "why" }, { heading: "count", right: true }], rows, style);
}

/** One row for the layers of one name: the worst of them counts. */
function tensorTable(tensors: readonly VerifiedTensor[], style: ChalkInstance): string[] {
  const rows = groupBy(tensors, (tensor) => `${patternOf(tensor.name)}\n${kindOf(tensor)}`).map((equal) => [
    collapse(equal.map(({ name }) => name)),
    kindOf(equal[0]),
    showSqnr(-most(equal.map(({ sqnrDb }) => -sqnrDb))),
    showError(most(equal.map(({ maxAbsError }) => maxAbsError))),
    String(equal.length),
  ]);
  return table(
    [
      { heading: "tensor" },
      { heading: "quantization" },
      { heading: "least SQNR", right: true },
      { heading: "largest error", right: true },
      { heading: "count", right: true },
    ],
    rows,
    style,
  );
}

const kindOf = (tensor: VerifiedTensor | undefined): string =>
  tensor?.quantization === undefined ? "none" : showQuantization(tensor.quantization);

const showSqnr = (db: number): string => (db === Infinity ? "equal" : `${db.toFixed(1)} dB`);
const showError = (error: number): string => (error === 0 ? "0" : error.toPrecision(3));
