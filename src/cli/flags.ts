/** Parsers of flag values. Each error names the flag, the value and what would work. */
import { Option } from "commander";
import { MlxConvertError } from "../errors.ts";
import { nearest } from "../nearest.ts";

/** Turns the text behind a flag into its value; `flag` is the name that the user wrote. */
export type Parse<T> = (flag: string, text: string) => T;

/** The error of a command line that cannot be followed: exit status 2. */
export const usageError = (message: string, hint?: string): MlxConvertError =>
  new MlxConvertError(message, { exitStatus: 2, ...(hint !== undefined && { hint }) });

/** A flag with a value, e.g. `valued("--bits <n>", "…", parseInteger(1, 8))`. */
export function valued<T>(flags: string, description: string, parse: Parse<T>): Option {
  const option = new Option(flags, description);
  return option.argParser((text) => parse(option.long ?? flags, text));
}

export function parseChoice<T extends string>(choices: readonly T[]): Parse<T> {
  return (flag, text) => {
    const found = choices.find((choice) => choice === text);
    if (found !== undefined) return found;
    const [near = choices[0]] = nearest(text, choices, 1);
    throw usageError(`${flag} ${text}: expected one of ${choices.join(", ")}`, `${flag} ${near}`);
  };
}

export function parseInteger(least: number, most: number): Parse<number> {
  return (flag, text) => {
    const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
    if (value >= least && value <= most) return value;
    const near = value > most ? most : least;
    throw usageError(`${flag} ${text}: expected a whole number from ${least} to ${most}`, `${flag} ${near}`);
  };
}

/** A decimal number that is at least `least`. */
export function parseNumber(least: number): Parse<number> {
  return (flag, text) => {
    const value = text.trim() === "" ? Number.NaN : Number(text);
    if (Number.isFinite(value) && value >= least) return value;
    const what = least === 0 ? "a number that is not negative" : "a number";
    throw usageError(`${flag} ${text}: expected ${what}`, `${flag} 0.5`);
  };
}

/** Any text; an empty one is what a script passes whose variable is not set. */
export const parseText =
  (what: string): Parse<string> =>
  (flag, text) => {
    if (text === "") {
      throw usageError(`${flag} "": expected ${what}`, "a variable that is not set? echo the command to see");
    }
    return text;
  };

const prefixes = ["", "k", "m", "g", "t"];

/** Less is a forgotten unit: `--max-shard-size 5` means 5 GB to everybody. */
const leastSize = 1000;

/** Bytes: `5GB` and `5G` are decimal, `5GiB` is binary, a bare number is bytes. */
export const parseSize: Parse<number> = (flag, text) => {
  const [, amount, prefix = "", binary] = /^(\d+(?:\.\d+)?) ?(?:([kmgt])(i?))?b?$/i.exec(text) ?? [];
  const unit = (binary ? 1024 : 1000) ** prefixes.indexOf(prefix.toLowerCase());
  const bytes = Math.round(Number(amount) * unit);
  if (!Number.isSafeInteger(bytes)) {
    throw usageError(`${flag} ${text}: expected a size such as 5GB, 512MiB or 1000000`, `${flag} 5GB`);
  }
  if (bytes < leastSize) {
    throw usageError(`${flag} ${text}: ${bytes} bytes is too little`, `${flag} ${bytes || 5}GB`);
  }
  return bytes;
};
