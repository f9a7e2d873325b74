/** Whether output may be written to a place: everything that can be known before any work. */
import { readdirSync, readlinkSync, statSync, type Stats } from "node:fs";
import { homedir } from "node:os";
import { MlxConvertError } from "../errors.ts";
import { systemError } from "./byte-source.ts";
import { contains, realPath, statOf } from "./paths.ts";

export interface OutputPlace {
  /** Whether what is there is replaced. */
  readonly overwrite: boolean;
  /** One file instead of a directory. */
  readonly singleFile: boolean;
  /** Files and directories that the output is made from. */
  readonly sources: readonly string[];
}

/** @throws MlxConvertError where `target` exists, is or holds the source, or is something that must not be replaced */
export function checkPlace(target: string, { overwrite, singleFile, sources }: OutputPlace): void {
  const stat = lookAt(target);
  if (stat?.isSymbolicLink() === true) {
    const to = readlinkSync(target);
    throw refusal(target, `is a symbolic link to ${to}`, "give the place itself with -o, or remove the link");
  }
  for (const source of sources) refuseSource(target, stat, source);
  if (stat === undefined) return;
  if (singleFile && stat.isDirectory()) {
    throw refusal(
      target,
      "is a directory, expected a file",
      "-o <dir>/model.safetensors writes a file into it",
    );
  }
  if (!singleFile && !stat.isDirectory()) {
    throw refusal(target, "is a file, expected a directory", "-o <name>.safetensors writes a single file");
  }
  if (!overwrite) {
    const hint = "--overwrite replaces it once the new model is complete, or choose another -o";
    throw refusal(target, "already exists", hint);
  }
  if (singleFile && !stat.isFile()) throw refusal(target, "is not a regular file", "choose another -o");
  if (!singleFile) refuseStrangeDirectory(target);
}

function lookAt(target: string): Stats | undefined {
  try {
    return statOf(target);
  } catch (error) {
    throw systemError(error, target);
  }
}

function refuseSource(target: string, stat: Stats | undefined, source: string): void {
  const [output, input] = [realPath(target), realPath(source)];
  const hint = "choose another -o: the source is never changed";
  if (output === input || (stat !== undefined && isSameFile(stat, source))) {
    throw refusal(target, "is the source", hint);
  }
  if (contains(output, input)) throw refusal(target, `contains the source ${source}`, hint);
}

/** True for a hard link too, and where a directory is mounted at two places. */
function isSameFile(stat: Stats, source: string): boolean {
  const other = statSync(source, { throwIfNoEntry: false });
  return other !== undefined && other.dev === stat.dev && other.ino === stat.ino;
}

/** `--overwrite` deletes what was there, so it must be what this program writes: nobody's home, nobody's photos. */
function refuseStrangeDirectory(target: string): void {
  const place = realPath(target);
  for (const [dear, what] of [
    [process.cwd(), "the current directory"],
    [homedir(), "the home directory"],
  ] as const) {
    if (contains(place, realPath(dear))) {
      throw refusal(target, `is or contains ${what}, so it is not replaced`, "choose another -o");
    }
  }
  const names = readdirSync(target);
  if (names.length === 0 || names.some((name) => name === "config.json" || name.endsWith(".safetensors")))
    return;
  throw refusal(
    target,
    "does not look like a model (no config.json, no .safetensors in it), so it is not replaced",
    "choose another -o, or remove it yourself",
  );
}

const refusal = (target: string, what: string, hint: string): MlxConvertError =>
  new MlxConvertError(what, { file: target, hint });
