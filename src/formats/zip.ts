// https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT
import { isUtf8 } from "node:buffer";
import { MlxConvertError, quote } from "../errors.ts";
import type { ByteSource } from "../io/byte-source.ts";

/** A comment's length is a 16-bit number, so the end record is in this many last bytes or nowhere. */
const endSearchBytes = 22 + 0xffff;
/** One tensor is one entry; a trillion-parameter checkpoint has some 100,000. Stops a directory that fills the memory. */
const maxEntries = 2 ** 20;
/** The directory is read whole: 46 bytes and a name for each entry. */
const maxDirectoryBytes = 128 * 2 ** 20;

const localHeader = 0x04034b50;
const directoryHeader = 0x02014b50;
const endRecord = 0x06054b50;
const endRecord64 = 0x06064b50;
const endLocator64 = 0x07064b50;

/** The fixed part of each record, in bytes. */
const localBytes = 30;
const directoryBytes = 46;
const endBytes = 22;
const end64Bytes = 56;
const locator64Bytes = 20;

export interface ZipEntry {
  /** As the archive spells it. It is only a key here: no path on the disk is ever made from it. */
  readonly name: string;
  /** Of the name as it is stored. */
  readonly nameBytes: number;
  /** 0 stored, 8 deflated. */
  readonly method: number;
  readonly encrypted: boolean;
  readonly bytes: number;
  readonly compressedBytes: number;
  /** Where its local header begins. */
  readonly headerOffset: number;
  /** Where the next entry or the directory begins: its data ends before that. */
  readonly end: number;
}

export interface ZipArchive {
  readonly entries: ReadonlyMap<string, ZipEntry>;
  /** Where the data of a stored entry begin in the file; reads its local header. Throws where they are compressed. */
  dataOffset(entry: ZipEntry): number;
}

/** Whether a file that starts with `head` can be a zip: an entry, or the end record of an empty one. */
export const isZip = (head: Uint8Array): boolean =>
  head[0] === 0x50 &&
  head[1] === 0x4b &&
  ((head[2] === 3 && head[3] === 4) || (head[2] === 5 && head[3] === 6));

/** Reads the directory of a zip, ZIP64 included, and no entry's data. */
export function openZip(source: ByteSource): ZipArchive {
  const directory = findDirectory(source);
  const entries = readDirectory(source, directory);
  return { entries, dataOffset: (entry) => dataOffset(source, entry) };
}

interface Directory {
  readonly offset: number;
  readonly bytes: number;
  readonly count: number;
}

function findDirectory(source: ByteSource): Directory {
  const tailBytes = Math.min(source.bytes, endSearchBytes + locator64Bytes);
  const tailOffset = source.bytes - tailBytes;
  const tail = readBuffer(source, tailOffset, tailBytes);
  const at = findEndRecord(tail);
  if (at === undefined) {
    throw new MlxConvertError("the end record of the zip is missing", {
      file: source.path,
      hint: "the file looks truncated: fetch it again",
    });
  }
  const small = readEnd(tail, at);
  const big = readEnd64(source, tail, at);
  const limit = big?.at ?? tailOffset + at;
  const directory = big?.directory ?? small;
  if (big !== undefined && !agrees(small, big.directory)) {
    throw broken(source, "its two end records, the ZIP64 one and the old one, contradict each other");
  }
  if (directory.count > maxEntries || directory.bytes > maxDirectoryBytes) {
    throw broken(
      source,
      `${directory.count} entries in a directory of ${directory.bytes} bytes are too many`,
    );
  }
  if (directory.offset + directory.bytes > limit) {
    throw broken(
      source,
      `its directory [${directory.offset}, +${directory.bytes}) runs into the end record at ${limit}`,
    );
  }
  return directory;
}

/** The last end record whose comment reaches exactly to the end of the file. */
function findEndRecord(tail: Buffer): number | undefined {
  for (let at = tail.length - endBytes; at >= 0; at--) {
    if (tail[at] !== 0x50 || tail.readUInt32LE(at) !== endRecord) continue;
    if (at + endBytes + tail.readUInt16LE(at + 20) === tail.length) return at;
  }
  return undefined;
}

const readEnd = (tail: Buffer, at: number): Directory => ({
  count: tail.readUInt16LE(at + 10),
  bytes: tail.readUInt32LE(at + 12),
  offset: tail.readUInt32LE(at + 16),
});

function readEnd64(source: ByteSource, tail: Buffer, end: number) {
  const locator = end - locator64Bytes;
  if (locator < 0 || tail.readUInt32LE(locator) !== endLocator64) return undefined;
  const at = readUInt64(tail, locator + 8);
  const record = readBuffer(source, at, end64Bytes);
  if (record.readUInt32LE(0) !== endRecord64) throw broken(source, `there is no ZIP64 end record at ${at}`);
  const directory: Directory = {
    count: readUInt64(record, 32),
    bytes: readUInt64(record, 40),
    offset: readUInt64(record, 48),
  };
  return { at, directory };
}

/** A field of the old record says the same as the ZIP64 one, or that it cannot. */
const agrees = (small: Directory, big: Directory): boolean =>
  (small.count === 0xffff || small.count === big.count) &&
  (small.bytes === 0xffffffff || small.bytes === big.bytes) &&
  (small.offset === 0xffffffff || small.offset === big.offset);

type Unplaced = ZipEntry & { end: number };

function readDirectory(
  source: ByteSource,
  { offset, bytes, count }: Directory,
): ReadonlyMap<string, ZipEntry> {
  const data = readBuffer(source, offset, bytes);
  const unplaced: Unplaced[] = [];
  let at = 0;
  for (let index = 0; index < count; index++) {
    if (at + directoryBytes > bytes || data.readUInt32LE(at) !== directoryHeader) {
      throw broken(source, `its directory has no entry ${index} of ${count}`);
    }
    const nameBytes = data.readUInt16LE(at + 28);
    const extraBytes = data.readUInt16LE(at + 30);
    const next = at + directoryBytes + nameBytes + extraBytes + data.readUInt16LE(at + 32);
    if (next > bytes) throw broken(source, `entry ${index} of ${count} runs past its directory`);
    unplaced.push(readEntry(source, data.subarray(at, next), nameBytes, extraBytes));
    at = next;
  }
  return placeEntries(source, unplaced, offset);
}

function readEntry(source: ByteSource, data: Buffer, nameBytes: number, extraBytes: number): Unplaced {
  const extraAt = directoryBytes + nameBytes;
  const name = decodeName(data.subarray(directoryBytes, extraAt));
  const wide = [data.readUInt32LE(24), data.readUInt32LE(20), data.readUInt32LE(42)];
  if (wide.includes(0xffffffff)) {
    widen(source, name, wide, data.subarray(extraAt, extraAt + extraBytes));
  }
  const [bytes = 0, compressedBytes = 0, headerOffset = 0] = wide;
  return {
    name,
    nameBytes,
    method: data.readUInt16LE(10),
    encrypted: (data.readUInt16LE(8) & 1) === 1,
    bytes,
    compressedBytes,
    headerOffset,
    end: 0,
  };
}

/** Fills the fields that say 0xffffffff from the ZIP64 extra field, where they stand in this order. */
function widen(source: ByteSource, name: string, fields: number[], extra: Buffer): void {
  for (let at = 0; at + 4 <= extra.length; ) {
    const end = at + 4 + extra.readUInt16LE(at + 2);
    if (extra.readUInt16LE(at) === 1) {
      let from = at + 4;
      for (const [index, value] of fields.entries()) {
        if (value !== 0xffffffff) continue;
        if (from + 8 > end || end > extra.length)
          throw broken(source, `the ZIP64 field of ${quote(name)} is cut short`);
        fields[index] = readUInt64(extra, from);
        from += 8;
      }
      return;
    }
    at = end;
  }
}

/** Entries that share bytes are how a zip bomb is made, and no writer of checkpoints makes them. */
function placeEntries(
  source: ByteSource,
  unplaced: readonly Unplaced[],
  directory: number,
): ReadonlyMap<string, ZipEntry> {
  const sorted = unplaced.toSorted((a, b) => a.headerOffset - b.headerOffset);
  const entries = new Map<string, ZipEntry>();
  for (const [index, entry] of sorted.entries()) {
    entry.end = sorted[index + 1]?.headerOffset ?? directory;
    if (entry.headerOffset + localBytes + entry.nameBytes + entry.compressedBytes > entry.end) {
      throw broken(source, `its entry ${quote(entry.name)} overlaps what follows it at ${entry.end}`);
    }
    if (entries.has(entry.name)) throw broken(source, `it has two entries ${quote(entry.name)}`);
    entries.set(entry.name, entry);
  }
  return entries;
}

function dataOffset(source: ByteSource, entry: ZipEntry): number {
  const what = `the zip entry ${quote(entry.name)}`;
  if (entry.method !== 0 || entry.encrypted || entry.bytes !== entry.compressedBytes) {
    throw new MlxConvertError(`${what} is ${entry.encrypted ? "encrypted" : "compressed"}`, {
      file: source.path,
      hint: "unpack the archive and pack it again without compression (zip -0), or save it anew with torch.save",
    });
  }
  const nameEnd = localBytes + entry.nameBytes;
  const header = readBuffer(source, entry.headerOffset, nameEnd);
  if (header.readUInt32LE(0) !== localHeader) {
    throw broken(
      source,
      `there is no local header at ${entry.headerOffset}, where ${quote(entry.name)} should be`,
    );
  }
  const sameName = decodeName(header.subarray(localBytes)) === entry.name;
  if (header.readUInt16LE(26) !== entry.nameBytes || !sameName) {
    throw broken(source, `its entry ${quote(entry.name)} has another name in its local header`);
  }
  const offset = entry.headerOffset + nameEnd + header.readUInt16LE(28);
  if (offset + entry.bytes > entry.end) {
    throw broken(source, `its entry ${quote(entry.name)} overlaps what follows it at ${entry.end}`);
  }
  return offset;
}

function readBuffer(source: ByteSource, offset: number, length: number): Buffer {
  const bytes = source.read(offset, length);
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** A number past 2^53 loses bits here; it is past the end of any file all the same. */
const readUInt64 = (data: Buffer, at: number): number => Number(data.readBigUInt64LE(at));

const decodeName = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString(isUtf8(bytes) ? "utf8" : "latin1");

const broken = (source: ByteSource, what: string): MlxConvertError =>
  new MlxConvertError(`the zip is broken: ${what}`, { file: source.path, hint: "fetch the file again" });
