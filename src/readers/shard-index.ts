// https://huggingface.co/docs/transformers/v4.57.0/en/big_models#shard-metadata
import { existsSync } from "node:fs";
import { basename, dirname, isAbsolute, join } from "node:path";
import { MlxConvertError, quote } from "../errors.ts";
import { type Json, type JsonObject, parseJson, show } from "../formats/json.ts";
import { withFile } from "../io/byte-source.ts";
import { listSome } from "../names.ts";
import type { StoredTensor } from "../tensor/info.ts";

/** Enough for a million tensors. */
const maxIndexBytes = 100_000_000;
const fetchAgain = "the index is damaged or was made by hand: fetch it again";

/** What `model.safetensors.index.json` says: which shard holds which tensor. */
export interface ShardIndex {
  readonly path: string;
  /** Tensor name → path of its shard. */
  readonly places: ReadonlyMap<string, string>;
  /** The shards' paths, sorted. */
  readonly files: readonly string[];
}

/** Reads an index, whose shards must all be there: files in the directory of the index or below it. */
export function readShardIndex(path: string): ShardIndex {
  const places = new Map<string, string>();
  const counts = new Map<string, number>();
  for (const [tensor, file] of readWeightMap(path)) {
    if (!isInside(file)) {
      const what = `the index names ${show(file)}: expected a file in its own directory`;
      throw new MlxConvertError(what, { file: path, tensor, hint: fetchAgain });
    }
    const shard = join(dirname(path), file);
    places.set(tensor, shard);
    counts.set(shard, (counts.get(shard) ?? 0) + 1);
  }
  const files = [...counts.keys()].toSorted();
  const missing = files.filter((file) => !existsSync(file));
  if (missing.length > 0) {
    const shards = missing.map((file) => `${basename(file)} (${counts.get(file)} of ${places.size} tensors)`);
    throw new MlxConvertError(`missing from the ${files.length} files it names: ${listSome(shards)}`, {
      file: path,
      hint: "fetch the missing files into the same directory",
    });
  }
  return { path, places, files };
}

function readWeightMap(path: string): JsonObject {
  // One byte more than allowed is enough for the error.
  const bytes = withFile(path, (source) => source.read(0, Math.min(source.bytes, maxIndexBytes + 1)));
  const source = { file: path, what: "the index", maxBytes: maxIndexBytes, hint: fetchAgain };
  const index = parseJson(bytes, source);
  const map = index instanceof Map ? (index as JsonObject).get("weight_map") : undefined;
  if (map instanceof Map && map.size > 0) return map;
  throw new MlxConvertError(`expected a weight_map from tensors to files, got ${show(map)}`, {
    file: path,
    hint: fetchAgain,
  });
}

/** A path from an untrusted file: it must not leave the directory, on any system. */
const isInside = (file: Json): file is string =>
  typeof file === "string" &&
  file !== "" &&
  !isAbsolute(file) &&
  !/^[a-z]:/i.test(file) &&
  !file.split(/[\\/]/).includes("..");

/**
 * Holds the shards against their index: every tensor must be where the index says.
 *
 * @returns a warning where the shards hold tensors that the index does not name
 */
export function checkAgainstIndex(
  index: ShardIndex,
  tensors: ReadonlyMap<string, StoredTensor>,
): readonly string[] {
  for (const [name, file] of index.places) {
    const found = tensors.get(name)?.file;
    if (found === file) continue;
    const where = found === undefined ? "in none of its files" : `in ${basename(found)}`;
    throw new MlxConvertError(`expected in ${basename(file)}, got it ${where}`, {
      file: index.path,
      tensor: name,
      hint: "the index and the files are not of one checkpoint: fetch them again",
    });
  }
  const extra = [...tensors.keys()].filter((name) => !index.places.has(name));
  if (extra.length === 0) return [];
  const names = listSome(extra.map(quote), 3);
  return [
    `${index.path}: does not name ${extra.length} of the tensors in its files, which are taken too: ${names}`,
  ];
}
