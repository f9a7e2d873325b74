/** Commander's errors in our words: the flag, and the nearest one that exists. */
import type { Command, CommanderError } from "commander";
import type { MlxConvertError } from "../errors.ts";
import { nearest } from "../nearest.ts";
import { quoteForShell } from "./convert-text.ts";
import { usageError } from "./flags.ts";

/** What commander says about a command line, or undefined where it only showed a help or version text. */
export function asUsageError(
  error: CommanderError,
  program: Command,
  args: readonly string[],
): MlxConvertError | undefined {
  if (error.exitCode === 0) return undefined;
  const message = error.message.replace(/^error: /, "");
  const word = args.find((arg) => !arg.startsWith("-"));
  const command = program.commands.find((known) => known.name() === word);
  const name = command === undefined ? "mlx-convert" : `mlx-convert ${command.name()}`;
  const help = `${name} --help`;
  const subject = /'(?:-\w, )?(-[^'=, ]+)/.exec(message)?.[1] ?? "";
  switch (error.code) {
    case "commander.unknownOption":
      return usageError(`unknown flag ${subject}`, hintForFlag(subject, command, program, args) ?? help);
    case "commander.unknownCommand":
      return unknownCommand(word ?? "", args, program);
    case "commander.optionMissingArgument":
      return usageError(`${subject} needs a value`, help);
    case "commander.excessArguments":
      return usageError(`unexpected argument ${excess(command)}`, help);
    case "commander.missingArgument":
      return usageError(`<${/'(.*)'/.exec(message)?.[1]}> is missing`, help);
    default:
      return usageError(message, help);
  }
}

function hintForFlag(
  flag: string,
  command: Command | undefined,
  program: Command,
  args: readonly string[],
): string | undefined {
  if (command === undefined) {
    const owner = program.commands.find((known) => flagsOf(known).includes(flag));
    return owner && commandFirst(owner.name(), args);
  }
  const flags = flagsOf(command).filter((known) => known.length > 2);
  const near = flags.find((known) => flag.length > 3 && known.startsWith(flag)) ?? nearest(flag, flags, 1)[0];
  return near && `did you mean ${near}?`;
}

function unknownCommand(word: string, args: readonly string[], program: Command): MlxConvertError {
  const names = program.commands.map((known) => known.name());
  const [near] = nearest(word, names, 1);
  const hint = near === undefined ? `the commands are ${names.join(", ")}` : `did you mean ${near}?`;
  return usageError(`unknown command "${word}"`, /[/.\\]/.test(word) ? commandFirst("convert", args) : hint);
}

const commandFirst = (command: string, args: readonly string[]): string =>
  `a command comes first: ${["mlx-convert", command, ...args].map(quoteForShell).join(" ")}`;

const excess = (command: Command | undefined): string =>
  (command?.args ?? [])
    .slice(command?.registeredArguments.length)
    .map((arg) => `"${arg}"`)
    .join(", ");

const flagsOf = ({ options }: Command): string[] =>
  options.flatMap(({ long, short, hidden }) =>
    [long, hidden ? undefined : short].filter((name) => name !== undefined),
  );
