import { expect } from "vitest";
import { type CommandOptions, mlxConvert } from "./command.ts";
import { directoryWith, type Files } from "./files.ts";
import { snapshot } from "./snapshot.ts";

/** A command line that must not do anything but say why. */
export interface Refusal {
  readonly what: string;
  /** What lies in the directory where it runs. */
  readonly files?: () => Files;
  readonly args: readonly string[];
  /** The line behind `error: `. */
  readonly error: RegExp;
  /** The line behind `hint: `. */
  readonly hint: RegExp;
  readonly status?: 1 | 2;
}

/** What a command line did, as far as a refusal is concerned. */
interface Outcome {
  readonly status: number | null;
  readonly stdout: string;
  /** The first two lines of standard error without their titles, and the others. */
  readonly error: string;
  readonly hint: string;
  readonly others: readonly string[];
  readonly inTime: boolean;
  /** Paths that are there now and were not, or the other way round, or have other contents. */
  readonly changed: readonly string[];
}

export async function attempt(
  { files, args }: Refusal,
  dir = directoryWith(files?.()),
  options: CommandOptions = {},
): Promise<Outcome> {
  const before = snapshot(dir);
  const { status, stdout, stderr, seconds } = await mlxConvert(args, { ...options, cwd: dir });
  const after = snapshot(dir);
  const [error = "", hint = "", ...others] = stderr.trimEnd().split("\n");
  return {
    status,
    stdout,
    error: untitled("error: ", error),
    hint: untitled("hint: ", hint),
    others,
    inTime: seconds < 2,
    changed: Object.keys({ ...before, ...after }).filter((path) => before[path] !== after[path]),
  };
}

/** What follows the title of a line that somebody can read. */
function untitled(title: string, line: string): string {
  const readable = line.startsWith(title) && line.length < 1000;
  return readable ? line.slice(title.length) : `expected "${title}…", got ${line.length} characters: ${line}`;
}

/** One clear line and a hint, the exit status, soon, and not a byte on the disk is another. */
export const refused = ({ error, hint, status = 1 }: Refusal): Outcome => ({
  status,
  stdout: "",
  error: expect.stringMatching(error),
  hint: expect.stringMatching(hint),
  others: [],
  inTime: true,
  changed: [],
});
