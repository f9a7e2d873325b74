// https://github.com/pytorch/pytorch/blob/v2.13.0/torch/serialization.py
import { MlxConvertError, quote } from "../errors.ts";
import type { ByteSource } from "../io/byte-source.ts";
import type { StoredTensor } from "../tensor/info.ts";
import { maxPickleBytes, unpickle } from "./pickle.ts";
import { showName } from "./pickle-values.ts";
import { torchNames, torchStorage, type TorchStorage } from "./torch-names.ts";
import { findStateDict } from "./torch-state-dict.ts";
import { placeTensor, type StoragePlace } from "./torch-view.ts";
import { openZip, type ZipArchive } from "./zip.ts";
import { dtypeBits } from "../tensor/dtype.ts";

export interface TorchFile {
  readonly tensors: readonly StoredTensor[];
  readonly globals: readonly string[];
  readonly warnings: readonly string[];
}

/**
 * Reads what `torch.save` writes since torch 1.6: a zip with the pickle `<prefix>/data.pkl` and each storage's bytes,
 * uncompressed, in `<prefix>/data/<key>`. No storage is read.
 */
export function readTorchZip(source: ByteSource): TorchFile {
  const file = source.path;
  const zip = openZip(source);
  const prefix = findPrefix(zip, file);
  const byteorder = readEntry(source, zip, `${prefix}byteorder`, 16)?.toString("latin1") ?? "little";
  if (byteorder !== "little") {
    throw new MlxConvertError(
      `its numbers are ${showName(byteorder)} endian; only little endian can be read`,
      {
        file,
        hint: "load it with torch.load and save it with torch.save on a little-endian machine",
      },
    );
  }
  const pickle = readEntry(source, zip, `${prefix}data.pkl`, maxPickleBytes) ?? Buffer.of();
  const { value, globals } = unpickle(pickle, { file, allow: torchNames, persistent: torchStorage });
  const { tensors, warnings } = findStateDict(value, file);
  const place = storagePlaces(zip, prefix);
  return {
    tensors: Array.from(tensors, ([name, tensor]) => placeTensor(name, tensor, file, place)),
    globals: [...globals].toSorted(),
    warnings,
  };
}

/** `archive/` where the pickle is `archive/data.pkl`. */
function findPrefix(zip: ZipArchive, file: string): string {
  const names = [...zip.entries.keys()];
  const prefixes = names
    .filter((name) => /^([^/]*\/)?data\.pkl$/.test(name))
    .map((name) => name.slice(0, -8));
  const [prefix] = prefixes;
  if (prefix === undefined || zip.entries.has(`${prefix}constants.pkl`)) throw somethingElse(names, file);
  if (prefixes.length > 1) {
    throw new MlxConvertError(
      `${prefixes.length} checkpoints in one zip: ${prefixes.map(quote).join(", ")}`,
      { file },
    );
  }
  return prefix;
}

/** What else a zip can be, by the names in it. */
const otherArchives: readonly { readonly has: RegExp; readonly what: string; readonly hint: string }[] = [
  {
    has: /^[^/]*\/constants\.pkl$/,
    what: "a TorchScript archive",
    hint: "save its weights alone: torch.save(torch.jit.load(file).state_dict(), file)",
  },
  {
    has: /(^|\/)(archive_format|serialized_exported_program\.json)$/,
    what: "a torch.export archive (.pt2)",
    hint: "save its weights alone: torch.save(torch.export.load(file).state_dict, file)",
  },
  { has: /\.npy$/, what: "a NumPy archive (.npz)", hint: "save its arrays as safetensors" },
  { has: /^model\.weights\.h5$/, what: "a Keras model (.keras)", hint: "save its weights as safetensors" },
];

function somethingElse(names: readonly string[], file: string): MlxConvertError {
  const known = otherArchives.find(({ has }) => names.some((name) => has.test(name)));
  if (known !== undefined)
    return new MlxConvertError(`this is ${known.what}, not a checkpoint`, { file, hint: known.hint });
  const first = names.slice(0, 3).map(quote).join(", ");
  return new MlxConvertError(`a zip without the data.pkl of a checkpoint; it holds ${first || "nothing"}`, {
    file,
    hint: "a file that torch.save wrote, or safetensors",
  });
}

function readEntry(source: ByteSource, zip: ZipArchive, name: string, limit: number): Buffer | undefined {
  const entry = zip.entries.get(name);
  if (entry === undefined) return undefined;
  if (entry.bytes > limit) {
    throw new MlxConvertError(`${quote(name)} has ${entry.bytes} bytes, more than the limit of ${limit}`, {
      file: source.path,
      hint: "save the weights alone, without what else the file holds: torch.save(model.state_dict(), …)",
    });
  }
  const bytes = source.read(zip.dataOffset(entry), entry.bytes);
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}

type Place = Parameters<typeof placeTensor>[3];

/** Where a storage's bytes lie; tensors share storages, so each is looked up once. */
function storagePlaces(zip: ZipArchive, prefix: string): Place {
  const offsets = new Map<string, number>();
  return (storage, fail): StoragePlace => {
    const name = `${prefix}data/${storage.key}`;
    const entry = zip.entries.get(name);
    if (entry === undefined) throw fail(`its storage ${quote(name)} is missing in the zip`);
    const offset = offsets.get(name) ?? zip.dataOffset(entry);
    offsets.set(name, offset);
    const bytes = claimedBytes(storage);
    if (!(bytes >= 0 && bytes <= entry.bytes)) {
      throw fail(`the pickle claims ${bytes} bytes for its storage ${quote(name)}, which has ${entry.bytes}`);
    }
    return { offset, bytes };
  };
}

const claimedBytes = (storage: TorchStorage): number =>
  storage.dtype === undefined ? 0 : (storage.count * dtypeBits(storage.dtype)) / 8;
