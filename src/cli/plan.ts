import { Command } from "commander";
import { addConvertFlags, aliasHelp } from "./convert-flags.ts";
import { type ConvertRequest, readConvertFlags } from "./convert-request.ts";
import type { Terminal } from "./terminal.ts";

const help = `
${aliasHelp}

Examples:
  mlx-convert plan ./model -q
  mlx-convert plan ./model -q --bits 3 --on-indivisible fit
  mlx-convert plan ./model -q --override 'lm_head=8' --json`;

export const planCommand = (terminal: Terminal): Command =>
  addConvertFlags(new Command("plan"))
    .description(
      "Show what convert would do with the same flags: every tensor, sizes, memory. Nothing is written.",
    )
    .summary("show what convert would do; write nothing")
    .usage("<source> [flags]")
    .addHelpText("after", help)
    .action((_source, _flags, command: Command) => showPlan(readConvertFlags(command), terminal));

export async function showPlan(request: ConvertRequest, terminal: Terminal): Promise<void> {
  const [{ plan }, { voiceOf }, { planLines }, { planJson }] = await Promise.all([
    import("../index.ts"),
    import("./terminal.ts"),
    import("./plan-text.ts"),
    import("./json.ts"),
  ]);
  const voice = voiceOf(terminal, request);
  for (const note of request.notes) voice.warn(note);
  const report = plan(request.source, { ...request.options, output: request.output });
  voice.answer(planLines(report, request, voice.out), planJson(report));
}
