/** The command line as a model card shows it. */
import { basename, isAbsolute } from "node:path";

/** Options that do not change a byte of the tensors, and whether they take a value. */
const left: ReadonlyMap<string, boolean> = new Map([
  ...["-o", "--output", "--mlx-path", "--threads", "--max-memory"].map((flag) => [flag, true] as const),
  ...["--overwrite", "--quiet", "--json", "--dry-run"].map((flag) => [flag, false] as const),
]);

/**
 * `mlx-convert convert <model> -q --bits 4 …`: without where the output went and how many cores made it, so that the same
 * model and options give the same card, and with the last part of paths only.
 * @param argv what follows `mlx-convert` on the command line
 */
export function cardCommand(argv: readonly string[]): string {
  const words: string[] = [];
  for (let i = 0; i < argv.length; i++) {
    const word = argv[i] ?? "";
    const takesValue = left.get(word.split("=", 1)[0] ?? "");
    if (takesValue === undefined) words.push(shellWord(withoutFolder(word)));
    else if (takesValue && !word.includes("=")) i++;
  }
  return ["mlx-convert", ...words].join(" ");
}

/** `/home/me/models/x` → `x`, and behind a `--flag=` as well; a relative path or a Hub id says nothing about the machine. */
function withoutFolder(word: string): string {
  const [, flag, value] = /^(--[\w-]+=)?([\s\S]*)$/.exec(word) ?? [];
  const path = value ?? "";
  return (flag ?? "") + (isAbsolute(path) || /^(~|\.\.?)([\\/]|$)/.test(path) ? basename(path) : path);
}

const shellWord = (word: string): string =>
  /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;
