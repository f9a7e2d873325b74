// https://github.com/python/cpython/blob/v3.13.0/Lib/pickletools.py
import { isUtf8 } from "node:buffer";
import { MlxConvertError } from "../errors.ts";

/** Every opcode of protocols 0 to 5: its byte, and what follows it in the pickle. */
export const opcodes = {
  // the end and the frame around
  PROTO: [0x80, "uint1"],
  FRAME: [0x95, "uint8"],
  STOP: [0x2e, "none"],
  // the stack
  MARK: [0x28, "none"],
  POP: [0x30, "none"],
  POP_MARK: [0x31, "none"],
  DUP: [0x32, "none"],
  // the memo
  PUT: [0x70, "index"],
  BINPUT: [0x71, "uint1"],
  LONG_BINPUT: [0x72, "uint4"],
  MEMOIZE: [0x94, "none"],
  GET: [0x67, "index"],
  BINGET: [0x68, "uint1"],
  LONG_BINGET: [0x6a, "uint4"],
  // numbers
  NONE: [0x4e, "none"],
  NEWTRUE: [0x88, "none"],
  NEWFALSE: [0x89, "none"],
  INT: [0x49, "intLine"],
  LONG: [0x4c, "longLine"],
  FLOAT: [0x46, "floatLine"],
  BININT: [0x4a, "int4"],
  BININT1: [0x4b, "uint1"],
  BININT2: [0x4d, "uint2"],
  LONG1: [0x8a, "long1"],
  LONG4: [0x8b, "long4"],
  BINFLOAT: [0x47, "float8"],
  // text and bytes
  STRING: [0x53, "quotedLine"],
  BINSTRING: [0x54, "text4"],
  SHORT_BINSTRING: [0x55, "text1"],
  UNICODE: [0x56, "unicodeLine"],
  SHORT_BINUNICODE: [0x8c, "text1"],
  BINUNICODE: [0x58, "text4"],
  BINUNICODE8: [0x8d, "text8"],
  SHORT_BINBYTES: [0x43, "bytes1"],
  BINBYTES: [0x42, "bytes4"],
  BINBYTES8: [0x8e, "bytes8"],
  BYTEARRAY8: [0x96, "bytes8"],
  NEXT_BUFFER: [0x97, "none"],
  READONLY_BUFFER: [0x98, "none"],
  // containers
  EMPTY_TUPLE: [0x29, "none"],
  TUPLE: [0x74, "none"],
  TUPLE1: [0x85, "none"],
  TUPLE2: [0x86, "none"],
  TUPLE3: [0x87, "none"],
  EMPTY_LIST: [0x5d, "none"],
  LIST: [0x6c, "none"],
  APPEND: [0x61, "none"],
  APPENDS: [0x65, "none"],
  EMPTY_DICT: [0x7d, "none"],
  DICT: [0x64, "none"],
  SETITEM: [0x73, "none"],
  SETITEMS: [0x75, "none"],
  EMPTY_SET: [0x8f, "none"],
  ADDITEMS: [0x90, "none"],
  FROZENSET: [0x91, "none"],
  // names and objects
  GLOBAL: [0x63, "twoLines"],
  STACK_GLOBAL: [0x93, "none"],
  EXT1: [0x82, "uint1"],
  EXT2: [0x83, "uint2"],
  EXT4: [0x84, "int4"],
  REDUCE: [0x52, "none"],
  BUILD: [0x62, "none"],
  INST: [0x69, "twoLines"],
  OBJ: [0x6f, "none"],
  NEWOBJ: [0x81, "none"],
  NEWOBJ_EX: [0x92, "none"],
  PERSID: [0x50, "line"],
  BINPERSID: [0x51, "none"],
} as const satisfies Record<string, readonly [number, keyof typeof decoders]>;

export type OpcodeName = keyof typeof opcodes;
/** What the decoder of an opcode gives to its action. */
export type ArgumentOf<Name extends OpcodeName> = ReturnType<(typeof decoders)[(typeof opcodes)[Name][1]]>;

/** Python's own limit is 4300 digits; a number of any use to a tensor has 19. Stops slow conversions. */
const maxIntegerBytes = 2048;

/** Reads forward through a pickle; every length is checked against what is left before it is used. */
export class Cursor {
  readonly file: string;
  readonly bytes: Buffer;
  at: number;
  /** Where the present opcode stands, for messages. */
  opcodeAt: number;

  constructor(bytes: Uint8Array, file: string, at: number) {
    this.file = file;
    this.bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    this.at = at;
    this.opcodeAt = at;
  }

  /** Steps over `length` bytes and returns where they began. */
  skip(length: number): number {
    const from = this.at;
    const left = this.bytes.length - from;
    if (length > left) throw this.fail(`${length} bytes should follow, ${left} are left`);
    this.at = from + length;
    return from;
  }

  slice(length: number): Buffer {
    const from = this.skip(length);
    return this.bytes.subarray(from, from + length);
  }

  line(): string {
    const end = this.bytes.indexOf(0x0a, this.at);
    if (end < 0) throw this.fail("a line without an end");
    const line = this.bytes.toString("latin1", this.at, end);
    this.at = end + 1;
    return line;
  }

  fail(what: string): MlxConvertError {
    return new MlxConvertError(`the pickle is broken at byte ${this.opcodeAt}: ${what}`, {
      file: this.file,
      hint: "the file looks damaged: fetch it again",
    });
  }
}

/** One for each kind of argument. */
export const decoders = {
  none: () => undefined,
  uint1: (from: Cursor) => from.bytes[from.skip(1)] ?? 0,
  uint2: (from: Cursor) => from.bytes.readUInt16LE(from.skip(2)),
  uint4: (from: Cursor) => from.bytes.readUInt32LE(from.skip(4)),
  // A length past 2^53 loses bits here; it is past the end all the same.
  uint8: (from: Cursor) => Number(from.bytes.readBigUInt64LE(from.skip(8))),
  int4: (from: Cursor) => from.bytes.readInt32LE(from.skip(4)),
  float8: (from: Cursor) => from.bytes.readDoubleBE(from.skip(8)),
  long1: (from: Cursor) => integer(from, decoders.uint1(from)),
  long4: (from: Cursor) => integer(from, decoders.uint4(from)),
  bytes1: (from: Cursor) => from.slice(decoders.uint1(from)),
  bytes4: (from: Cursor) => from.slice(decoders.uint4(from)),
  bytes8: (from: Cursor) => from.slice(decoders.uint8(from)),
  text1: (from: Cursor) => text(from, decoders.uint1(from)),
  text4: (from: Cursor) => text(from, decoders.uint4(from)),
  text8: (from: Cursor) => text(from, decoders.uint8(from)),
  line: (from: Cursor) => from.line(),
  twoLines: (from: Cursor) => ({ module: from.line(), name: from.line() }),
  index: (from: Cursor) => {
    const index = integerLine(from, from.line());
    if (typeof index === "number" && index >= 0) return index;
    throw from.fail(`${index} is no place in the memo`);
  },
  intLine: (from: Cursor) => {
    const line = from.line();
    return line === "01" ? true : line === "00" ? false : integerLine(from, line);
  },
  longLine: (from: Cursor) => integerLine(from, from.line().replace(/L$/, "")),
  floatLine: (from: Cursor) => floatLine(from, from.line()),
  quotedLine: (from: Cursor) => quotedLine(from, from.line()),
  unicodeLine: (from: Cursor) => unicodeLine(from, from.line()),
};

/** A number where it is exact, else a bigint. */
const exact = (value: bigint): number | bigint =>
  BigInt.asIntN(54, value) === value ? Number(value) : value;

/** Two's complement, little-endian, of any length; no bytes are 0. */
function integer(from: Cursor, length: number): number | bigint {
  if (length > maxIntegerBytes) throw from.fail(`an integer of ${length} bytes`);
  const bytes = from.slice(length);
  if (length === 0) return 0;
  return exact(BigInt.asIntN(8 * length, BigInt(`0x${Buffer.from(bytes.toReversed()).toString("hex")}`)));
}

function integerLine(from: Cursor, line: string): number | bigint {
  if (line.length > maxIntegerBytes || !/^\s*[+-]?\d+\s*$/.test(line))
    throw from.fail("a line that is no integer");
  const digits = line.trim();
  return exact(digits.startsWith("-") ? -BigInt(digits.slice(1)) : BigInt(digits.replace("+", "")));
}

function floatLine(from: Cursor, line: string): number {
  const special = /^([+-]?)(inf|nan)$/i.exec(line);
  if (special !== null)
    return special[2]?.toLowerCase() === "nan" ? NaN : special[1] === "-" ? -Infinity : Infinity;
  const value = line.trim() === "" ? NaN : Number(line);
  if (line.length > maxIntegerBytes || Number.isNaN(value)) throw from.fail("a line that is no float");
  return value;
}

/**
 * A string; bytes where it is not UTF-8: a `str` of Python 2, or one with lone surrogates. What is no UTF-8 must not
 * become U+FFFD, which would make different names equal.
 */
function text(from: Cursor, length: number): string | Uint8Array {
  const start = from.skip(length);
  const value = from.bytes.toString("utf8", start, start + length);
  if (!value.includes("\ufffd")) return value;
  const bytes = from.bytes.subarray(start, start + length);
  return isUtf8(bytes) ? value : bytes;
}

const escapes: Readonly<Record<string, string>> = {
  "\\": "\\",
  "'": "'",
  '"': '"',
  a: "\x07",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
};

/** The `repr` of a `str` of Python 2. */
function quotedLine(from: Cursor, line: string): string | Uint8Array {
  const quoted = /^(['"])(.*)\1\s*$/s.exec(line)?.[2];
  if (quoted === undefined) throw from.fail("a string without its quotes");
  const plain = quoted.replaceAll(/\\(?:x([\da-f]{2})|([0-7]{1,3})|(.))/gis, (all, hex, octal, letter) =>
    hex !== undefined
      ? String.fromCharCode(Number.parseInt(hex, 16))
      : octal !== undefined
        ? String.fromCharCode(Number.parseInt(octal, 8) & 0xff)
        : (escapes[letter] ?? all),
  );
  const bytes = Buffer.from(plain, "latin1");
  return isUtf8(bytes) ? bytes.toString("utf8") : bytes;
}

/** Python's raw-unicode-escape: latin-1 with \uXXXX and \UXXXXXXXX. */
function unicodeLine(from: Cursor, line: string): string {
  return line.replaceAll(/\\u([\da-f]{4})|\\U([\da-f]{8})/g, (_, short, long) => {
    const code = Number.parseInt(short ?? long, 16);
    if (code > 0x10ffff) throw from.fail(`U+${code.toString(16)} is no character`);
    return String.fromCodePoint(code);
  });
}
