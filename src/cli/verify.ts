import { Command } from "commander";
import type { VerifyReport } from "../index.ts";
import { MlxConvertError } from "../errors.ts";
import { architectureFlag, jsonFlag, layoutFlag, quietFlag, threadsFlag } from "./convert-flags.ts";
import { present } from "./convert-request.ts";
import { parseNumber, usageError, valued } from "./flags.ts";
import type { Terminal } from "./terminal.ts";

const help = `
Examples:
  mlx-convert verify ./model ./model-4bit
  mlx-convert verify ./model ./model-4bit --min-sqnr 18 --json

Exit status 3 where the output is not right; what is wrong stands in the report.`;

interface Flags {
  readonly minSqnr?: number;
  readonly atol?: number;
  readonly architecture?: string;
  readonly layout?: "mlx" | "keep";
  readonly threads?: number;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

export const verifyCommand = (terminal: Terminal): Command =>
  new Command("verify")
    .description(
      "Hold a converted model against its source: names, shapes, dtypes, and the error of every tensor.",
    )
    .summary("hold a converted model against its source")
    .argument("<source>", "the checkpoint that was converted")
    .argument("<output>", "what came out")
    .addOption(
      valued(
        "--min-sqnr <dB>",
        "least signal to noise of a quantized tensor (default: what its bits and group size guarantee)",
        parseNumber(Number.NEGATIVE_INFINITY),
      ),
    )
    .addOption(valued("--atol <x>", "largest error of any other tensor (default: 0)", parseNumber(0)))
    .addOption(architectureFlag())
    .addOption(layoutFlag())
    .addOption(threadsFlag())
    .addOption(jsonFlag())
    .addOption(quietFlag())
    .addHelpText("after", help)
    .action((source: string, output: string, flags: Flags) => verifyModel(source, output, flags, terminal));

async function verifyModel(source: string, output: string, flags: Flags, terminal: Terminal): Promise<void> {
  if (source === "" || output === "") {
    throw usageError("<source> or <output> is empty", "mlx-convert verify <source> <output>");
  }
  const { json = false, quiet = false, minSqnr, atol, architecture, layout, threads } = flags;
  const [{ verify }, { voiceOf }, { interruptible }, { progressLine }, { verifyLines }, { verifyJson }] =
    await Promise.all([
      import("../index.ts"),
      import("./terminal.ts"),
      import("./interrupt.ts"),
      import("./progress.ts"),
      import("./verify-text.ts"),
      import("./json.ts"),
    ]);
  const voice = voiceOf(terminal, { json, quiet });
  const progress = progressLine(terminal.stderr, { now: "comparing", last: "compared" }, quiet);
  const { onProgress } = progress;
  const options = present({ minSqnr, atol, architecture, layout, threads, onProgress });
  const report = await interruptible("the comparison is not complete", (signal) =>
    verify(source, output, { ...options, signal }),
  ).finally(() => {
    progress.end();
  });
  voice.answer(verifyLines(report, voice.out), verifyJson(report));
  if (!report.ok) throw notRight(output, report);
}

function notRight(output: string, { failures, checked }: VerifyReport): MlxConvertError {
  const [first] = failures;
  const more = failures.length > 1 ? ` (and ${failures.length - 1} more)` : "";
  return new MlxConvertError(
    `${failures.length} of ${Math.max(checked, failures.length)} tensors are not right: ` +
      `${first?.name}: ${first?.reason}${more}`,
    { file: output, exitStatus: 3 },
  );
}
