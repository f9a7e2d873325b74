// https://github.com/huggingface/safetensors/blob/24b0b2857fef49be734b9ab72ce97c09bb25f5b9/README.md#format
import { MlxConvertError, quote } from "../errors.ts";
import type { ByteSource } from "../io/byte-source.ts";
import { type DType, dtypeBits, dtypeBySafetensorsName, safetensorsName } from "../tensor/dtype.ts";
import type { StoredTensor } from "../tensor/info.ts";
import { contiguousStrides, elementCount, type Shape, showShape } from "../tensor/shape.ts";
import { type Json, type JsonObject, parseJsonObject, show } from "./json.ts";

/** The format's own limit; without it, eight bytes of a bad file would ask for exabytes of memory. */
const maxHeaderBytes = 100_000_000;
/** The header's length, an unsigned little-endian integer. */
const lengthBytes = 8;
/** More than torch and numpy can have; a shape of a million axes must not become a message of megabytes. */
const maxAxes = 64;
const metadataKey = "__metadata__";
const fetchAgain = "fetch the file again";
const damaged =
  "the file is damaged, or the program that wrote it is at fault: fetch it again, or save it anew";

export interface SafetensorsHeader {
  /** In the order of their data. */
  readonly tensors: readonly StoredTensor[];
  readonly metadata: Readonly<Record<string, string>>;
}

/** A tensor and the range of its data, counted from the end of the header as the file says it. */
interface Entry {
  readonly tensor: StoredTensor;
  readonly begin: number;
  readonly end: number;
}

/**
 * Reads and checks the header of a safetensors file; none of the tensors' bytes are read. Everything that follows may
 * rely on it: dtypes are known, sizes are right, and the tensors cover the rest of the file without overlap or hole.
 *
 * @throws MlxConvertError naming the file and the tensor
 */
export function readSafetensorsHeader(source: ByteSource): SafetensorsHeader {
  const file = source.path;
  const headerBytes = readHeaderLength(source);
  const header = source.read(lengthBytes, headerBytes);
  if (header[0] !== 0x7b) {
    const got = header.length === 0 ? "nothing" : show(String.fromCharCode(header[0] ?? 0));
    throw new MlxConvertError(`the header does not begin as JSON: expected "{", got ${got}`, {
      file,
      hint: damaged,
    });
  }
  const dataStart = lengthBytes + headerBytes;
  const entries: Entry[] = [];
  let metadata: Readonly<Record<string, string>> = {};
  parseJsonObject(
    header,
    { file, what: "the header", maxBytes: maxHeaderBytes, hint: damaged },
    (name, value) => {
      if (name === metadataKey) metadata = parseMetadata(value, file);
      else entries.push(parseEntry(name, value, file, dataStart));
    },
  );
  entries.sort((a, b) => a.begin - b.begin || a.end - b.end);
  checkLayout(entries, source.bytes - dataStart, file);
  return { tensors: entries.map(({ tensor }) => tensor), metadata };
}

function readHeaderLength(source: ByteSource): number {
  const file = source.path;
  if (source.bytes < lengthBytes) {
    const sizes = `expected at least ${lengthBytes} bytes, got ${source.bytes}`;
    throw new MlxConvertError(`the file is truncated: ${sizes}`, { file, hint: fetchAgain });
  }
  const first = source.read(0, lengthBytes);
  const length = new DataView(first.buffer, first.byteOffset).getBigUint64(0, true);
  if (length > maxHeaderBytes) {
    const what = `a header of ${length} bytes: safetensors allows at most ${maxHeaderBytes}`;
    throw new MlxConvertError(what, {
      file,
      hint: `this is not a safetensors file, or it is damaged: ${fetchAgain}`,
    });
  }
  const rest = source.bytes - lengthBytes;
  if (length > rest) {
    const what = `the file is truncated: the header is ${length} bytes, of which ${rest} are there`;
    throw new MlxConvertError(what, { file, hint: fetchAgain });
  }
  return Number(length);
}

function parseEntry(name: string, value: Json, file: string, dataStart: number): Entry {
  const place = { file, tensor: name, hint: damaged };
  if (!(value instanceof Map)) {
    throw new MlxConvertError(
      `expected an object of dtype, shape and data_offsets, got ${show(value)}`,
      place,
    );
  }
  const members: JsonObject = value;
  const dtypeName = members.get("dtype");
  const dtype = typeof dtypeName === "string" ? dtypeBySafetensorsName.get(dtypeName) : undefined;
  if (dtype === undefined) {
    const hint = `known are ${[...dtypeBySafetensorsName.keys()].join(", ")}`;
    throw new MlxConvertError(`dtype is not one of safetensors: ${show(dtypeName)}`, { ...place, hint });
  }
  const shape = members.get("shape");
  if (!isSizes(shape)) {
    throw new MlxConvertError(
      `shape: expected at most ${maxAxes} whole numbers from 0 to 2^53 - 1, got ${show(shape)}`,
      place,
    );
  }
  const offsets = members.get("data_offsets");
  const [begin, end] = isSizes(offsets) && offsets.length === 2 ? offsets : [];
  if (begin === undefined || end === undefined) {
    throw new MlxConvertError(`data_offsets: expected two whole numbers, got ${show(offsets)}`, place);
  }
  if (end < begin) throw new MlxConvertError(`data_offsets [${begin}, ${end}] end before they begin`, place);
  const bytes = dataBytes(dtype, shape, place);
  if (end - begin !== bytes) {
    const what = `data_offsets [${begin}, ${end}] do not fit ${safetensorsName(dtype)} ${showShape(shape)}`;
    throw new MlxConvertError(`${what}: expected ${bytes} bytes, got ${end - begin}`, place);
  }
  const tensor = { name, dtype, shape, file, offset: dataStart + begin, strides: contiguousStrides(shape) };
  return { tensor, begin, end };
}

/** Bytes of a tensor's data; throws where they are past counting or, for types of 4 and 6 bits, no whole number. */
function dataBytes(dtype: DType, shape: Shape, place: { file?: string; tensor: string }): number {
  const count = elementCount(shape);
  const bits = count * dtypeBits(dtype);
  const what = (): string => `${safetensorsName(dtype)} ${showShape(shape)}`;
  if (!Number.isSafeInteger(count) || !Number.isSafeInteger(bits)) {
    throw new MlxConvertError(`${what()} takes more bits than can be counted (2^53)`, place);
  }
  if (bits % 8 !== 0) throw new MlxConvertError(`${what()} takes ${bits} bits: expected whole bytes`, place);
  return bits / 8;
}

const isSizes = (value: Json | undefined): value is readonly number[] =>
  Array.isArray(value) && value.length <= maxAxes && value.every(isSize);

const isSize = (size: Json): boolean =>
  Number.isSafeInteger(size) && Number(size) >= 0 && !Object.is(size, -0);

/** The sorted entries must follow one another from the first byte of data to the last: `dataSize` is what the file has. */
function checkLayout(entries: readonly Entry[], dataSize: number, file: string): void {
  let previous: Entry | undefined;
  for (const entry of entries) {
    const expected = previous?.end ?? 0;
    const what = `data_offsets [${entry.begin}, ${entry.end}]`;
    const place = { file, tensor: entry.tensor.name, hint: damaged };
    if (entry.begin > expected) {
      throw new MlxConvertError(`${what} leave a hole: expected them to begin at ${expected}`, place);
    }
    if (previous !== undefined && entry.begin < expected) {
      const other = `${quote(previous.tensor.name)} [${previous.begin}, ${previous.end}]`;
      throw new MlxConvertError(`${what} overlap those of ${other}`, place);
    }
    previous = entry;
  }
  const end = previous?.end ?? 0;
  if (end < dataSize) {
    const what = `${dataSize - end} trailing bytes after the last tensor: expected ${end} bytes of data, got ${dataSize}`;
    throw new MlxConvertError(what, { file, hint: fetchAgain });
  }
  const cut = entries.find((entry) => entry.end > dataSize);
  if (cut !== undefined) {
    const what = `data_offsets [${cut.begin}, ${cut.end}] run past the data (${dataSize} bytes)`;
    throw new MlxConvertError(`${what}: the file is truncated by ${end - dataSize} bytes`, {
      file,
      tensor: cut.tensor.name,
      hint: fetchAgain,
    });
  }
}

function parseMetadata(value: Json | undefined, file: string): Record<string, string> {
  // mx.save_safetensors writes null where it is given no metadata.
  if (value === undefined || value === null) return {};
  if (!(value instanceof Map)) {
    throw new MlxConvertError(`${metadataKey}: expected an object of strings, got ${show(value)}`, {
      file,
      hint: damaged,
    });
  }
  const strings = [...(value as JsonObject)].map(([key, text]) => {
    if (typeof text === "string") return [key, text] as const;
    throw new MlxConvertError(`${metadataKey}: expected a string for ${show(key)}, got ${show(text)}`, {
      file,
      hint: damaged,
    });
  });
  return Object.fromEntries(strings);
}

/** A tensor that a header is to be written for. */
export interface HeaderTensor {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: Shape;
}

export interface SerializedHeader {
  /** The first bytes of the file, up to the tensors' data. */
  readonly bytes: Uint8Array;
  /** By name: where each tensor's data begin, counted from the end of the header. */
  readonly offsets: ReadonlyMap<string, number>;
}

/**
 * Writes the header of a file of these tensors: length, compact JSON with its keys sorted by their UTF-8 bytes, and
 * spaces up to a multiple of 8. Data are placed by width of dtype, the widest first, then by name, so every tensor is
 * aligned; the order of `tensors` makes no difference.
 *
 * @throws MlxConvertError for a dtype that safetensors has not, a name given twice and a header past the format's limit
 */
export function serializeHeader(
  tensors: readonly HeaderTensor[],
  metadata: Readonly<Record<string, string>>,
): SerializedHeader {
  const names = byBytes(tensors, (tensor) => tensor.name);
  const offsets = new Map<string, number>();
  const members: (readonly [string, string])[] = [];
  let begin = 0;
  for (const { name, dtype, shape } of names.toSorted((a, b) => dtypeBits(b.dtype) - dtypeBits(a.dtype))) {
    const place = { tensor: name };
    if (safetensorsName(dtype) === undefined) {
      throw new MlxConvertError(`safetensors has no dtype for ${dtype}`, place);
    }
    if (offsets.has(name) || name === metadataKey) {
      throw new MlxConvertError("the name is already taken in its safetensors file", place);
    }
    const end = begin + dataBytes(dtype, shape, place);
    offsets.set(name, begin);
    const entry = { data_offsets: [begin, end], dtype: safetensorsName(dtype), shape };
    members.push([name, JSON.stringify(entry)]);
    begin = end;
  }
  const strings = Object.entries(metadata).map(([key, text]) => [key, JSON.stringify(text)] as const);
  if (strings.length > 0) members.push([metadataKey, jsonObject(strings)]);

  const json = new TextEncoder().encode(jsonObject(members));
  const padded = Math.ceil(json.length / 8) * 8;
  if (padded > maxHeaderBytes) {
    const what = `the header would be ${padded} bytes: safetensors allows at most ${maxHeaderBytes}`;
    throw new MlxConvertError(what, { hint: "--max-shard-size with a smaller size" });
  }
  const bytes = new Uint8Array(lengthBytes + padded).fill(0x20);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(padded), true);
  bytes.set(json, lengthBytes);
  return { bytes, offsets };
}

/** Written by hand: an object of JavaScript would move keys such as "10" to its front. */
const jsonObject = (members: readonly (readonly [key: string, json: string])[]): string =>
  `{${byBytes(members, ([key]) => key)
    .map(([key, json]) => `${JSON.stringify(key)}:${json}`)
    .join(",")}}`;

/** Sorted by the UTF-8 bytes of a name, which is not the order of JavaScript's strings. */
const byBytes = <T>(items: readonly T[], name: (item: T) => string): T[] =>
  items
    .map((item) => ({ item, bytes: Buffer.from(name(item)) }))
    .toSorted((a, b) => Buffer.compare(a.bytes, b.bytes))
    .map(({ item }) => item);
