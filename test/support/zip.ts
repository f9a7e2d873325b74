import { closeSync, openSync, writeSync } from "node:fs";
import { MlxConvertError } from "../../src/errors.ts";
import type { ByteSource } from "../../src/io/byte-source.ts";

export interface Part {
  readonly name: string;
  readonly data: Uint8Array;
  readonly method?: number;
  readonly flags?: number;
  /** The name in the local header, where it is another. */
  readonly localName?: string;
  /** The place of the local header that the directory claims. */
  readonly claimedOffset?: number;
  /** The size that the directory claims. */
  readonly claimedBytes?: number;
}

export interface ZipOptions {
  /** Every number in the directory and the end record as ZIP64 writes it. */
  readonly zip64?: boolean;
  readonly comment?: string;
  /** The count of entries that the end record claims. */
  readonly claimedCount?: number;
}

/** A zip of stored entries, with what a test wants to be wrong in it. */
export function makeZip(parts: readonly Part[], options: ZipOptions = {}): Buffer {
  const locals: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const part of parts) {
    const local = localHeader(part);
    directory.push(directoryHeader(part, part.claimedOffset ?? offset, options.zip64 === true));
    locals.push(local, Buffer.from(part.data));
    offset += local.length + part.data.length;
  }
  const bytes = Buffer.concat(directory);
  const count = options.claimedCount ?? parts.length;
  return Buffer.concat([...locals, bytes, endRecords(count, bytes.length, offset, options)]);
}

/** Writes a zip whose last entry is a hole of many bytes, which takes no disk and reads as zeros. */
export function writeZipWithHole(path: string, parts: readonly Part[], name: string, bytes: number): void {
  const zip = makeZip([...parts, { name, data: new Uint8Array(0), claimedBytes: bytes }]);
  const place = zip.length - 22 + 16;
  const directory = zip.readUInt32LE(place);
  zip.writeUInt32LE(directory + bytes, place);
  const fd = openSync(path, "w");
  writeSync(fd, zip, 0, directory, 0);
  writeSync(fd, zip, directory, zip.length - directory, directory + bytes);
  closeSync(fd);
}

function localHeader(part: Part): Buffer {
  const name = Buffer.from(part.localName ?? part.name);
  const header = Buffer.alloc(30);
  header.writeUInt32LE(0x04034b50, 0);
  header.writeUInt16LE(part.flags ?? 0, 6);
  header.writeUInt16LE(part.method ?? 0, 8);
  header.writeUInt32LE(part.data.length, 18);
  header.writeUInt32LE(part.data.length, 22);
  header.writeUInt16LE(name.length, 26);
  // An extra field that only the local header has, as torch pads with.
  header.writeUInt16LE(6, 28);
  return Buffer.concat([header, name, Buffer.from("FB\x02\0ZZ")]);
}

function directoryHeader(part: Part, offset: number, zip64: boolean): Buffer {
  const name = Buffer.from(part.name);
  const header = Buffer.alloc(46);
  const bytes = part.claimedBytes ?? part.data.length;
  header.writeUInt32LE(0x02014b50, 0);
  header.writeUInt16LE(part.flags ?? 0, 8);
  header.writeUInt16LE(part.method ?? 0, 10);
  header.writeUInt32LE(zip64 ? 0xffffffff : bytes, 20);
  header.writeUInt32LE(zip64 ? 0xffffffff : bytes, 24);
  header.writeUInt16LE(name.length, 28);
  header.writeUInt16LE(zip64 ? 33 : 0, 30);
  header.writeUInt32LE(zip64 ? 0xffffffff : offset, 42);
  if (!zip64) return Buffer.concat([header, name]);
  // Another extra field first, which is to be stepped over.
  const extra = Buffer.concat([Buffer.from("UT\x01\0Z"), Buffer.alloc(28)]);
  extra.writeUInt16LE(1, 5);
  extra.writeUInt16LE(24, 7);
  for (const [index, value] of [bytes, bytes, offset].entries())
    extra.writeBigUInt64LE(BigInt(value), 9 + 8 * index);
  return Buffer.concat([header, name, extra]);
}

function endRecords(
  count: number,
  bytes: number,
  offset: number,
  { zip64 = false, comment = "" }: ZipOptions,
): Buffer {
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(zip64 ? 0xffff : Math.min(count, 0xffff), 10);
  end.writeUInt32LE(zip64 ? 0xffffffff : bytes, 12);
  end.writeUInt32LE(zip64 ? 0xffffffff : offset, 16);
  end.writeUInt16LE(comment.length, 20);
  const last = Buffer.concat([end, Buffer.from(comment, "latin1")]);
  if (!zip64) return last;
  const end64 = Buffer.alloc(56 + 20);
  end64.writeUInt32LE(0x06064b50, 0);
  end64.writeBigUInt64LE(44n, 4);
  end64.writeBigUInt64LE(BigInt(count), 32);
  end64.writeBigUInt64LE(BigInt(bytes), 40);
  end64.writeBigUInt64LE(BigInt(offset), 48);
  end64.writeUInt32LE(0x07064b50, 56);
  end64.writeBigUInt64LE(BigInt(offset + bytes), 64);
  return Buffer.concat([end64, last]);
}

/** A file in memory that fails as a file does, and counts what is read. */
export function memoryFile(data: Uint8Array, path = "model.pt"): ByteSource & { readonly readBytes: number } {
  return {
    path,
    bytes: data.length,
    readBytes: 0,
    read(offset: number, length: number) {
      if (!(offset >= 0 && length >= 0 && offset + length <= data.length)) {
        throw new MlxConvertError(`bytes [${offset}, ${offset + length}) are past the end of the file`, {
          file: path,
        });
      }
      (this as { readBytes: number }).readBytes += length;
      return data.slice(offset, offset + length);
    },
  };
}
