import { readdirSync } from "node:fs";
import { join } from "node:path";
import { MlxConvertError } from "../errors.ts";
import { describeDirectory } from "../formats/sniff.ts";
import { systemError } from "../io/byte-source.ts";
import { listSome } from "../names.ts";
import { shardName } from "./file-names.ts";

/** Which of a directory's files make its checkpoint, as paths. */
export type Choice = { readonly index: string } | { readonly files: readonly string[] };

/** A directory has the checkpoint of the first of these that fits any of its files. */
const preferences: readonly RegExp[] = [
  /^model\.safetensors\.index\.json$/,
  /^(?!consolidated).*\.safetensors\.index\.json$/,
  /^model.*\.safetensors$/,
  /^(?!consolidated).*\.safetensors$/,
  /^pytorch_model\.bin\.index\.json$/,
  /^pytorch_model.*\.bin$/,
  // Mistral's own names, beside the same weights under the names of transformers.
  /^consolidated.*\.safetensors\.index\.json$/,
  /^consolidated.*\.safetensors$/,
  /\.(pt|pth|bin|ckpt)$/,
];
const wanted =
  "give a directory with model.safetensors, an index (*.safetensors.index.json) and its shards, " +
  "pytorch_model.bin, or a single .pt, .pth, .bin or .ckpt file";

/** What a training run saves beside the weights. */
const trainingState = /^(training_args|optimizer|scheduler|scaler|rng_state|random_states)/;
/** PEFT's and mlx_lm's adapters: a few small tensors to be added to a model. */
const adapter = /(^|_)(adapters?|lora)[._-].*(safetensors|bin)$/;

/**
 * Chooses by names alone, nothing is opened. Throws where nothing is a checkpoint, where several are, and where a shard is
 * missing.
 */
export function chooseFiles(directory: string): Choice {
  const names = list(directory);
  const candidates = names.filter((name) => !trainingState.test(name) && !adapter.test(name));
  const preference = preferences.find((pattern) => candidates.some((name) => pattern.test(name)));
  if (preference === undefined) throw nothing(directory, names);
  const files = candidates.filter((name) => preference.test(name));
  const [first = "", ...others] = files;
  const family = shardName(first)?.family ?? first;
  if (others.some((name) => shardName(name)?.family !== family)) {
    throw new MlxConvertError(`several checkpoints in one directory: ${listSome(files)}`, {
      file: directory,
      hint: `name the file to take, e.g. ${join(directory, first)}`,
    });
  }
  if (first.endsWith(".index.json")) return { index: join(directory, first) };
  requireAllShards(directory, files);
  return { files: files.map((name) => join(directory, name)) };
}

/** Sorted; directories end with a slash. Hidden files, of git, caches and macOS, are left out. */
function list(directory: string): string[] {
  try {
    return readdirSync(directory, { withFileTypes: true })
      .filter(({ name }) => !name.startsWith("."))
      .map((entry) => (entry.isDirectory() ? `${entry.name}/` : entry.name))
      .toSorted();
  } catch (error) {
    throw systemError(error, directory);
  }
}

function nothing(directory: string, names: readonly string[]): MlxConvertError {
  const adapters = names.filter((name) => adapter.test(name));
  if (adapters.length > 0) {
    return new MlxConvertError(`only an adapter, not a model: ${listSome(adapters)}`, {
      file: directory,
      hint: "merge it into its base model first, with merge_and_unload of peft or mlx_lm.fuse",
    });
  }
  const kind = describeDirectory(names);
  if (kind !== undefined) {
    return new MlxConvertError(`this is ${kind.what}, not a checkpoint`, {
      file: directory,
      hint: kind.hint,
    });
  }
  const seen = names.length === 0 ? "the directory is empty" : `only ${listSome(names)}`;
  return new MlxConvertError(`no checkpoint in this directory: ${seen}`, { file: directory, hint: wanted });
}

/** Without an index, the names themselves say how many shards there must be. */
function requireAllShards(directory: string, files: readonly string[]): void {
  const [first = ""] = files;
  const shard = shardName(first);
  if (shard === undefined) return;
  const present = new Set(files.map((name) => shardName(name)?.number));
  const missing: string[] = [];
  for (let number = 1; number <= shard.count; number++) {
    if (!present.has(number)) missing.push(shard.family.replace("#", String(number).padStart(5, "0")));
  }
  if (missing.length === 0) return;
  throw new MlxConvertError(`missing from the ${shard.count} shards: ${listSome(missing)}`, {
    file: directory,
    hint: "fetch the missing files into the same directory",
  });
}
