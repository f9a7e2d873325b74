/** Commander's errors in our words: the flag, and the nearest one that exists. */
import type { Command, CommanderError } from "commander";
import type { MlxConvertError } from "../errors.ts";
import { nearest } from "../nearest.ts";
import { usageError } from "./flags.ts";

/** What commander says about a command line, or undefined where it only showed a help or version text. */
export function asUsageError(
  error: CommanderError,
  program: Command,
  args: readonly string[],
): MlxConvertError | undefined {
  if (error.exitCode === 0) return undefined;
  const message = error.message.replace(/^error: /, "");
  const command = program.commands.find((known) => args.includes(known.name()));
  const name = command === undefined ? "mlx-convert" : `mlx-convert ${command.name()}`;
  const help = `${name} --help`;
  const subject = /'(-[^'= ]+)/.exec(message)?.[1] ?? "";
  switch (error.code) {
    case "commander.unknownOption":
      return usageError(`unknown flag ${subject}`, hintForFlag(subject, command, program, args) ?? help);
    case "commander.unknownCommand":
      return unknownCommand(args, program);
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
    return owner && `a command comes first: mlx-convert ${owner.name()} ${args.join(" ")}`;
  }
  const near =
    nearest(
      flag,
      flagsOf(command).filter((name) => name.length > 2),
      1,
    )[0] ?? flagsOf(command).find((name) => flag.length > 3 && name.startsWith(flag));
  return near && `did you mean ${near}?`;
}

function unknownCommand(args: readonly string[], program: Command): MlxConvertError {
  const word = args.find((arg) => !arg.startsWith("-")) ?? "";
  const names = program.commands.map((known) => known.name());
  const [near] = nearest(word, names, 1);
  return usageError(
    `unknown command "${word}"`,
    near === undefined ? `the commands are ${names.join(", ")}` : `did you mean ${near}?`,
  );
}

const excess = (command: Command | undefined): string =>
  (command?.args ?? [])
    .slice(command?.registeredArguments.length)
    .map((arg) => `"${arg}"`)
    .join(", ");

const flagsOf = ({ options }: Command): string[] =>
  options.flatMap(({ long, short, hidden }) =>
    [long, hidden ? undefined : short].filter((name) => name !== undefined),
  );
