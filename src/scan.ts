import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { MlxConvertError } from "./errors.ts";
import { maxPickleBytes, scanPickle } from "./formats/pickle.ts";
import { plainClasses, torchNames } from "./formats/torch-names.ts";
import { isZip, openZip } from "./formats/zip.ts";
import { type ByteSource, systemError, withFile } from "./io/byte-source.ts";
import { dtypeByTorchName, dtypeByTorchStorage } from "./tensor/dtype.ts";

export interface ScanReport {
  readonly source: string;
  readonly pickles: readonly ScannedPickle[];
}

export interface ScannedPickle {
  /** The file, and behind a colon the entry of a zip. */
  readonly file: string;
  /** What it asks for, `module.name`; `understood` where a checkpoint may. */
  readonly globals: readonly { readonly name: string; readonly understood: boolean }[];
  /** Why reading ended before the pickle did. */
  readonly problem: string | undefined;
}

/** Files that hold a pickle although they do not begin with PROTO, as protocols 0 and 1 do not. */
const pickleNames = /\.(pkl|pickle|bin|pt|pth|ckpt)$/;
const proto = 0x80;

/** Files of torch before 1.6 hold five pickles in a row. */
const maxInARow = 16;

/**
 * Lists what the pickles of a file, or of all files of a directory, would have Python import; also where `convert`
 * refuses them. Nothing is executed.
 * @throws MlxConvertError where the source cannot be read
 */
export function scan(source: string): ScanReport {
  return { source, pickles: filesOf(source).flatMap((path) => withFile(path, scanFile)) };
}

function filesOf(source: string): string[] {
  try {
    if (!statSync(source).isDirectory()) return [source];
    const entries = readdirSync(source, { withFileTypes: true });
    const paths = entries.map(({ name }) => join(source, name)).toSorted();
    return paths.filter((path) => statSync(path, { throwIfNoEntry: false })?.isFile() === true);
  } catch (error) {
    throw systemError(error, source);
  }
}

function scanFile(file: ByteSource): ScannedPickle[] {
  const head = file.read(0, Math.min(file.bytes, 8));
  if (isZip(head)) return scanZip(file);
  const isSafetensors = head.length === 8 && head.subarray(4).every((byte) => byte === 0);
  if (isSafetensors || (head[0] !== proto && !pickleNames.test(file.path))) return [];
  return [scanRow(file.path, file.read(0, Math.min(file.bytes, maxPickleBytes)))];
}

function scanZip(file: ByteSource): ScannedPickle[] {
  try {
    const zip = openZip(file);
    const entries = [...zip.entries.values()].filter(({ name }) => name.endsWith(".pkl"));
    return entries.map((entry) => {
      const name = `${file.path}:${entry.name}`;
      const bytes = file.read(zip.dataOffset(entry), Math.min(entry.bytes, maxPickleBytes));
      return scanRow(name, bytes);
    });
  } catch (error) {
    if (!(error instanceof MlxConvertError)) throw error;
    return [{ file: file.path, globals: [], problem: error.message }];
  }
}

/** One pickle behind the other, as far as they go. */
function scanRow(file: string, bytes: Uint8Array): ScannedPickle {
  const names = new Set<string>();
  let problem: string | undefined;
  for (let at = 0, count = 0; count < maxInARow && problem === undefined; count++) {
    const scanned = scanPickle(bytes.subarray(at), file);
    for (const name of scanned.globals) names.add(name);
    problem = scanned.problem;
    at += scanned.end;
    if (bytes[at] !== proto) break;
  }
  const globals = [...names].toSorted().map((name) => ({ name, understood: isUnderstood(name) }));
  return { file, globals, problem };
}

/** Functions that are understood, and the names of classes, dtypes and storages, which nothing calls. */
function isUnderstood(name: string): boolean {
  const short = name.replace(/^torch\.(storage\.)?/, "");
  return (
    torchNames.has(name) ||
    plainClasses.has(name) ||
    (short !== name &&
      (dtypeByTorchName.has(short) || dtypeByTorchStorage.has(short) || short === "UntypedStorage"))
  );
}
