import { writeFileSync } from "node:fs";
import { serializeHeader } from "../../src/formats/safetensors.ts";
import type { ByteSource } from "../../src/io/byte-source.ts";

/** A file in memory that counts what is read of it. */
export interface MemorySource extends ByteSource {
  readonly readBytes: () => number;
}

/** `bytes` may be more than `data` has: the rest of the file then lies beyond what a test reads. */
export function memorySource(
  data: Uint8Array,
  path = "model.safetensors",
  bytes = data.length,
): MemorySource {
  let count = 0;
  return {
    path,
    bytes,
    read(offset, length) {
      if (offset + length > data.length) throw new RangeError(`read of [${offset}, ${offset + length})`);
      count += length;
      return data.slice(offset, offset + length);
    },
    readBytes: () => count,
  };
}

/** A safetensors file of a header, as given, and data: a length of zeros or bytes. */
export function safetensorsFile(
  header: string | Uint8Array | object,
  data: number | Uint8Array = 0,
): Uint8Array {
  const json =
    header instanceof Uint8Array
      ? header
      : Buffer.from(typeof header === "string" ? header : JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  return Buffer.concat([length, json, typeof data === "number" ? new Uint8Array(data) : data]);
}

/** Writes a file of one-byte tensors of these names. */
export function writeTensors(
  path: string,
  names: readonly string[],
  metadata: Record<string, string> = {},
): void {
  const { bytes } = serializeHeader(
    names.map((name) => ({ name, dtype: "uint8", shape: [1] })),
    metadata,
  );
  writeFileSync(path, Buffer.concat([bytes, new Uint8Array(names.length)]));
}
