import { Command } from "commander";
import { jsonFlag } from "./convert-flags.ts";
import { usageError } from "./flags.ts";
import type { Terminal } from "./terminal.ts";

const help = `
Examples:
  mlx-convert inspect ./model
  mlx-convert inspect ./pytorch_model.bin --scan
  mlx-convert inspect ./model --json`;

export const inspectCommand = (terminal: Terminal): Command =>
  new Command("inspect")
    .description(
      "Show what is in a checkpoint: container, tensors, layers. Only headers are read, nothing is executed.",
    )
    .summary("show what is in a checkpoint")
    .argument("<source>", "a checkpoint: a file, or a directory")
    .option("--scan", "list the names that pickles ask for, of files too that convert refuses")
    .addOption(jsonFlag())
    .addHelpText("after", help)
    .action(async (source: string, { scan = false, json = false }: { scan?: boolean; json?: boolean }) => {
      if (source === "") throw usageError("<source> is missing", "mlx-convert inspect <file or directory>");
      const [api, { voiceOf }, text, documents] = await Promise.all([
        import("../index.ts"),
        import("./terminal.ts"),
        import("./inspect-text.ts"),
        import("./json.ts"),
      ]);
      const voice = voiceOf(terminal, { json, quiet: false });
      if (scan) {
        const report = api.scan(source);
        voice.answer(text.scanLines(report, voice.out), documents.scanJson(report));
        return;
      }
      const report = api.inspect(source);
      voice.answer(text.inspectLines(report, voice.out), documents.inspectJson(report));
    });
