import { Command } from "commander";
import { addConvertFlags, aliasHelp } from "./convert-flags.ts";
import { type ConvertRequest, readConvertFlags } from "./convert-request.ts";
import type { Terminal } from "./terminal.ts";

const help = `
${aliasHelp}

Examples:
  mlx-convert convert ./model -q -o ./model-4bit
  mlx-convert convert ./model -q --bits 8 --group-size 32 -o ./model-8bit
  mlx-convert convert ./model -q --mode mxfp4 --override 'lm_head|embed_tokens=8' -o ./model-mxfp4
  mlx-convert convert ./pytorch_model.bin --layout keep -o ./model.safetensors
  mlx-convert convert ./model -q --dry-run --json

Ctrl-C stops in good order: nothing is written, exit status 130 (143 for SIGTERM); a second one stops at once.`;

export const convertCommand = (terminal: Terminal): Command =>
  addConvertFlags(new Command("convert"))
    .description("Convert a checkpoint to an MLX model, quantized with -q.")
    .summary("make an MLX model of a checkpoint, quantized with -q")
    .usage("<source> -o <output> [flags]")
    .addHelpText("after", help)
    .action(async (_source, _flags, command: Command) => {
      const request = readConvertFlags(command);
      if (!request.dryRun) return convertModel(request, terminal);
      const { showPlan } = await import("./plan.ts");
      return showPlan(request, terminal);
    });

async function convertModel(request: ConvertRequest, terminal: Terminal): Promise<void> {
  const { source, output, options, overwrite } = request;
  const [{ convert }, { voiceOf }, { interruptible }, { progressLine }, text, { planJson }] =
    await Promise.all([
      import("../index.ts"),
      import("./terminal.ts"),
      import("./interrupt.ts"),
      import("./progress.ts"),
      import("./convert-text.ts"),
      import("./json.ts"),
    ]);
  const voice = voiceOf(terminal, request);
  for (const note of request.notes) voice.warn(note);
  const progress = progressLine(
    terminal.stderr,
    { now: "converting", last: "flushing to the disk" },
    request.quiet,
  );
  const { onProgress } = progress;
  const report = await interruptible(`nothing was written to ${output}`, (signal) =>
    convert(source, {
      ...options,
      output,
      overwrite,
      command: text.commandOf(request),
      signal,
      onPlan(plan) {
        voice.say(text.describeRequest(request));
        voice.say(text.describeSource(plan));
        for (const warning of plan.warnings) voice.warn(warning);
      },
      ...(onProgress && { onProgress }),
    }),
  ).finally(() => {
    progress.end();
  });
  voice.answer(text.summary(report, request), planJson(report));
}
