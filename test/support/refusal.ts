import { expect } from "vitest";
import { type CommandOptions, mlxConvert } from "./command.ts";
import { type Files, directoryWith } from "./files.ts";
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

/** Runs it: one clear line and a hint, the exit status, soon, and not a byte on the disk is another. */
export async function expectRefusal(
  { files, args, error, hint, status = 1 }: Refusal,
  dir = directoryWith(files?.()),
  options: CommandOptions = {},
): Promise<void> {
  const before = snapshot(dir);
  const run = await mlxConvert(args, { ...options, cwd: dir });
  const [first = "", second = "", ...rest] = run.stderr.trimEnd().split("\n");
  expect(first).toMatch(/^error: /);
  expect(first.slice("error: ".length)).toMatch(error);
  expect(second).toMatch(/^hint: /);
  expect(second.slice("hint: ".length)).toMatch(hint);
  expect(rest).toEqual([]);
  expect(run).toMatchObject({ status, stdout: "" });
  expect(first.length).toBeLessThan(1000);
  expect(run.seconds).toBeLessThan(2);
  expect(snapshot(dir)).toEqual(before);
}
