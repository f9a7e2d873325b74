import { existsSync, readdirSync, type Stats, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { MlxConvertError } from "../errors.ts";
import { describeFile } from "../formats/sniff.ts";
import { systemError, withFile } from "../io/byte-source.ts";
import { nearest } from "../nearest.ts";
import type { StoredTensor } from "../tensor/info.ts";
import type { Checkpoint, OpenedFile, Reader } from "./checkpoint.ts";
import { chooseFiles } from "./directory.ts";
import { shardName } from "./file-names.ts";
import { safetensorsReader } from "./safetensors.ts";
import { checkAgainstIndex, readShardIndex } from "./shard-index.ts";
import { torchReader } from "./torch.ts";

export type { Checkpoint } from "./checkpoint.ts";

/** Asked in this order; the first whose `match` says yes opens the file. */
export const readers: readonly Reader[] = [safetensorsReader, torchReader];

const headBytes = 512;

/**
 * Opens a checkpoint: one file of any container, an index (`*.index.json`) with its shards, or a directory that holds
 * either. Headers are read and checked, tensors' bytes are not.
 *
 * @throws MlxConvertError that says what the source is instead, what is missing or what is damaged
 */
export function openCheckpoint(source: string): Checkpoint {
  const stat = statSource(source);
  if (stat.isDirectory()) {
    const choice = chooseFiles(source);
    return "index" in choice ? openIndex(source, choice.index) : openFiles(source, choice.files);
  }
  if (!stat.isFile())
    throw new MlxConvertError("neither a file nor a directory", {
      file: source,
      hint: "give a checkpoint file, or its directory",
    });
  if (source.endsWith(".index.json")) return openIndex(source, source);
  const checkpoint = openFiles(source, [source]);
  const shard = shardName(basename(source));
  if (shard === undefined || shard.count === 1) return checkpoint;
  const warning = `${source}: one shard of ${shard.count}; give the directory for the whole checkpoint`;
  return { ...checkpoint, warnings: [...checkpoint.warnings, warning] };
}

function statSource(source: string): Stats {
  try {
    return statSync(source);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw systemError(error, source);
    throw new MlxConvertError("path does not exist", { file: source, hint: hintFor(source) });
  }
}

/** What was meant by a path that does not exist: `owner/name` without a directory `owner` here is probably a Hub id. */
function hintFor(source: string): string {
  const parent = dirname(source);
  if (!existsSync(parent)) {
    const [, name] = /^[\w-][\w.-]*\/([\w-][\w.-]*)$/.exec(source) ?? [];
    if (name === undefined)
      return `${parent} does not exist either: give a checkpoint file, or its directory`;
    const download = `hf download ${source} --local-dir ${name} (or huggingface-cli download)`;
    return `downloads from the Hub are not supported in this version: ${download}, then give ${name}`;
  }
  const [near] = nearest(basename(source), namesIn(parent), 1);
  return near === undefined
    ? "give a checkpoint file, or its directory"
    : `did you mean ${join(parent, near)}?`;
}

function namesIn(dir: string): string[] {
  try {
    return readdirSync(dir);
  } catch {
    return [];
  }
}

function openIndex(source: string, path: string): Checkpoint {
  const index = readShardIndex(path);
  const checkpoint = openFiles(source, index.files);
  const warnings = checkAgainstIndex(index, checkpoint.tensors);
  return { ...checkpoint, warnings: [...checkpoint.warnings, ...warnings] };
}

function openFiles(source: string, paths: readonly string[]): Checkpoint {
  const opened = paths.map(openFile);
  const tensors = new Map<string, StoredTensor>();
  for (const tensor of opened.flatMap((file) => file.tensors)) {
    const other = tensors.get(tensor.name);
    if (other !== undefined) {
      throw new MlxConvertError(`is in ${basename(other.file)} too`, {
        file: tensor.file,
        tensor: tensor.name,
        hint: "the files are not of one checkpoint: remove the one that is left over",
      });
    }
    tensors.set(tensor.name, tensor);
  }
  return {
    source,
    format: [...new Set(opened.map(({ format }) => format))].join("+"),
    files: opened.map(({ path, bytes }) => ({ path, bytes })),
    tensors,
    metadata: Object.fromEntries(opened.flatMap((file) => Object.entries(file.metadata))),
    globals: [...new Set(opened.flatMap((file) => file.globals))].toSorted(),
    warnings: opened.flatMap((file) => file.warnings),
  };
}

/** Opens a file with the reader its bytes call for; where no reader knows them, says what the file is instead. */
function openFile(path: string): OpenedFile & { path: string; format: string } {
  const { head, bytes } = withFile(path, (file) => ({
    head: file.read(0, Math.min(file.bytes, headBytes)),
    bytes: file.bytes,
  }));
  const known = readers.find((reader) => reader.match(head, path, bytes));
  if (known !== undefined) return { path, format: known.format, ...known.open(path) };
  const kind = describeFile(head, path, bytes);
  if (kind !== undefined) {
    throw new MlxConvertError(`this is ${kind.what}, not a checkpoint`, { file: path, hint: kind.hint });
  }
  // Damaged perhaps: the reader of its name says best what is wrong with it.
  const named = readers.find((reader) => reader.names.test(path));
  if (named !== undefined) return { path, format: named.format, ...named.open(path) };
  throw new MlxConvertError("neither safetensors nor a PyTorch file", {
    file: path,
    hint: `a checkpoint is one of ${readers.map(({ format }) => format).join(", ")}`,
  });
}
