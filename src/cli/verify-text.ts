/** What `verify` shows. */
import type { ChalkInstance } from "chalk";
import type { VerifiedTensor, VerifyReport } from "../index.ts";
import { showQuantization } from "./convert-text.ts";
import { collapse, groupBy, patternOf } from "./names.ts";
import { most, table } from "./table.ts";
import { plural } from "./units.ts";

export function verifyLines(
  { ok, checked, failures, tensors }: VerifyReport,
  style: ChalkInstance,
): string[] {
  const wrong = groupBy(failures, ({ name, reason }) => `${patternOf(name)}\n${reason}`).map((equal) => [
    collapse(equal.map(({ name }) => name)),
    equal[0]?.reason ?? "",
    String(equal.length),
  ]);
  return [
    ...tensorTable(tensors, style),
    ...(wrong.length > 0 ? ["", style.bold(`not right: ${plural(failures.length, "tensor")}`)] : []),
    ...table([{ heading: "tensor" }, { heading: "why" }, { heading: "count", right: true }], wrong, style),
    "",
    ok
      ? `${style.green("ok:")} ${plural(checked, "tensor")} checked`
      : `${style.red("not ok:")} ${plural(checked, "tensor")} checked, ${plural(failures.length, "failure")}`,
  ];
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
