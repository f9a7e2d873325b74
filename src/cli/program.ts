import { Command, CommanderError } from "commander";
import { version } from "../version.ts";
import { convertCommand } from "./convert.ts";
import { inspectCommand } from "./inspect.ts";
import { planCommand } from "./plan.ts";
import type { Terminal } from "./terminal.ts";
import { verifyCommand } from "./verify.ts";

const description =
  "Turns PyTorch and safetensors checkpoints into MLX models, quantized if you like. No Python.";

const help = `
Examples:
  mlx-convert convert ./SmolLM2-135M -q -o ./SmolLM2-135M-4bit
  mlx-convert plan ./SmolLM2-135M -q --mode mxfp4
  mlx-convert verify ./SmolLM2-135M ./SmolLM2-135M-4bit

Exit status:
  0    done
  1    the input or the machine is at fault: one line says what, and a hint what would help
  2    the command line is wrong
  3    a check that was asked for was not met (verify)
  130  stopped by Ctrl-C, 143 by SIGTERM: nothing was written

MLX_CONVERT_DEBUG=1 adds stack traces to errors; NO_COLOR=1 takes the colors away.`;

/** Runs a command line. Never throws, never exits: the result is the exit status. */
export async function runProgram(args: readonly string[], terminal: Terminal): Promise<number> {
  const program = makeProgram(terminal);
  try {
    if (args.length === 0) {
      program.outputHelp({ error: true });
      return 2;
    }
    await program.parseAsync(args, { from: "user" });
    return 0;
  } catch (error) {
    let failure: unknown = error;
    if (error instanceof CommanderError) {
      const { asUsageError } = await import("./usage.ts");
      failure = asUsageError(error, program, args);
      if (failure === undefined) return 0;
    }
    const { reportFailure } = await import("./failure.ts");
    return reportFailure(failure, args.includes("--json"), terminal);
  }
}

function makeProgram(terminal: Terminal): Command {
  const program = new Command("mlx-convert")
    .description(description)
    .version(version)
    .usage("<command> …")
    .helpCommand(false)
    .addHelpText("after", help);
  for (const command of [convertCommand, planCommand, inspectCommand, verifyCommand]) {
    program.addCommand(command(terminal));
  }
  for (const command of [program, ...program.commands]) {
    command
      .helpOption("-h, --help", "show this help")
      .exitOverride()
      .showSuggestionAfterError(false)
      .configureHelp({ showGlobalOptions: false })
      .configureOutput({
        writeOut: (text) => terminal.stdout.write(text),
        writeErr: (text) => terminal.stderr.write(text),
        outputError: () => {}, // said by reportFailure
        getOutHelpWidth: () => helpWidth(terminal.stdout.columns),
        getErrHelpWidth: () => helpWidth(terminal.stderr.columns),
      });
  }
  return program;
}

const helpWidth = (columns: number | undefined): number => Math.min(columns || 100, 100);
