import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { safetensorsReader } from "../../src/readers/safetensors.ts";
import { openCheckpoint } from "../../src/readers/index.ts";
import { failure } from "../support/failure.ts";
import { safetensorsFile } from "../support/safetensors.ts";

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "hostile-"));
});
afterAll(() => rmSync(directory, { recursive: true }));

/** The message of opening these bytes as `model.safetensors`, without the directory; nothing else is left behind. */
function refusal(bytes: Uint8Array): string {
  const path = join(directory, "model.safetensors");
  writeFileSync(path, bytes);
  const begin = performance.now();
  const error = failure(() => openCheckpoint(path));
  expect(performance.now() - begin).toBeLessThan(2000);
  expect(readdirSync(directory)).toEqual(["model.safetensors"]);
  expect(error.message).not.toContain("\n");
  return error.message.replace(`${directory}/`, "");
}

/** A header of the given length that may be a lie. */
function claim(length: bigint, header: string): Uint8Array {
  const bytes = Buffer.from(safetensorsFile(header));
  bytes.writeBigUInt64LE(length);
  return bytes;
}

const tensor = (entry: object, data: number, name = "x"): Uint8Array =>
  safetensorsFile({ [name]: { dtype: "F32", shape: [1], data_offsets: [0, 4], ...entry } }, data);
const raw = (entry: string, data = 4): Uint8Array => safetensorsFile(`{"x":{${entry}}}`, data);
const f32 = (begin: number, end: number): object => ({
  dtype: "F32",
  shape: [(end - begin) / 4],
  data_offsets: [begin, end],
});

const shapeError = 'tensor "x": shape: expected at most 64 whole numbers from 0 to 2^53 - 1, got';

const cases: readonly (readonly [what: string, bytes: () => Uint8Array, message: string])[] = [
  // The length
  [
    "a header of 2^60 bytes",
    () => claim(2n ** 60n, "{}"),
    "a header of 1152921504606846976 bytes: safetensors allows at most 100000000",
  ],
  [
    "a header of 2^64 - 1 bytes",
    () => claim(2n ** 64n - 1n, "{}"),
    "a header of 18446744073709551615 bytes: safetensors allows at most 100000000",
  ],
  [
    "a header longer than the file",
    () => claim(1000n, "{}"),
    "the file is truncated: the header is 1000 bytes, of which 2 are there",
  ],
  [
    "a header of no bytes",
    () => claim(0n, "{}"),
    'the header does not begin as JSON: expected "{", got nothing',
  ],
  [
    "a header that ends early",
    () => claim(1n, "{}"),
    "the header is not valid JSON: expected a key in double quotes, got the end (at character 1)",
  ],
  // The JSON
  [
    "an array instead of an object",
    () => safetensorsFile("[]"),
    'the header does not begin as JSON: expected "{", got "["',
  ],
  [
    "white space first",
    () => safetensorsFile(" {}"),
    'the header does not begin as JSON: expected "{", got " "',
  ],
  [
    "text after the object",
    () => safetensorsFile("{}{}"),
    'the header is not valid JSON: expected the end, got "{" (at character 2)',
  ],
  [
    "zeros after the object",
    () => safetensorsFile("{}\0\0"),
    'the header is not valid JSON: expected the end, got "\\u0000" (at character 2)',
  ],
  [
    "single quotes",
    () => safetensorsFile("{'x':1}"),
    `the header is not valid JSON: expected a key in double quotes, got "'" (at character 1)`,
  ],
  [
    "100,000 levels of arrays",
    () => safetensorsFile(`{"x":${"[".repeat(100_000)}`),
    "the header is nested deeper than 64 levels (at character 69)",
  ],
  [
    "100,000 levels of objects",
    () => safetensorsFile(`{"x":`.repeat(100_000)),
    "the header is nested deeper than 64 levels (at character 321)",
  ],
  [
    "bytes that are not UTF-8",
    () => safetensorsFile(Buffer.from('{"\xff":1}', "latin1")),
    "the header is not UTF-8 text",
  ],
  [
    "a surrogate that is alone",
    () => safetensorsFile('{"\\udc00":1}'),
    "the header has a string with a bad escape (at character 1)",
  ],
  [
    "a tensor twice",
    () => safetensorsFile(`{"x":${JSON.stringify(f32(0, 4))},"x":${JSON.stringify(f32(0, 4))}}`, 4),
    'the header has the key "x" twice (at character 54)',
  ],
  [
    "a tensor twice, spelled differently",
    () => safetensorsFile(`{"x":${JSON.stringify(f32(0, 4))},"\\u0078":${JSON.stringify(f32(4, 8))}}`, 8),
    'the header has the key "x" twice (at character 54)',
  ],
  [
    "a field twice",
    () => raw('"dtype":"F32","dtype":"F32"'),
    'the header has the key "dtype" twice (at character 20)',
  ],
  [
    "10 MB without an end",
    () => safetensorsFile(`{"${"x".repeat(10_000_000)}`),
    "the header is not valid JSON: expected the rest of a string, got the end (at character 10000002)",
  ],
  [
    "10 MB of backslashes",
    () => safetensorsFile(`{"${"\\".repeat(10_000_000)}":1}`),
    `tensor "${"\\".repeat(195)}…": expected an object of dtype, shape and data_offsets, got 1`,
  ],
  // The entries
  [
    "a number for a tensor",
    () => safetensorsFile({ x: 1 }),
    'tensor "x": expected an object of dtype, shape and data_offsets, got 1',
  ],
  [
    "null for a tensor",
    () => safetensorsFile({ x: null }),
    'tensor "x": expected an object of dtype, shape and data_offsets, got null',
  ],
  [
    "an array for a tensor",
    () => safetensorsFile({ x: ["F32"] }),
    'tensor "x": expected an object of dtype, shape and data_offsets, got ["F32"]',
  ],
  ["no dtype", () => tensor({ dtype: undefined }, 4), 'tensor "x": dtype is not one of safetensors: missing'],
  [
    "an unknown dtype",
    () => tensor({ dtype: "F128" }, 4),
    'tensor "x": dtype is not one of safetensors: "F128"',
  ],
  [
    "a dtype that every object has",
    () => tensor({ dtype: "constructor" }, 4),
    'tensor "x": dtype is not one of safetensors: "constructor"',
  ],
  ["a number for a dtype", () => tensor({ dtype: 4 }, 4), 'tensor "x": dtype is not one of safetensors: 4'],
  ["no shape", () => tensor({ shape: undefined }, 4), `${shapeError} missing`],
  ["a negative size", () => tensor({ shape: [-1] }, 4), `${shapeError} [-1]`],
  ["two negative sizes", () => tensor({ shape: [-1, -1] }, 4), `${shapeError} [-1,-1]`],
  ["a negative zero", () => raw('"dtype":"F32","shape":[-0],"data_offsets":[0,0]', 0), `${shapeError} [0]`],
  ["a size with a fraction", () => tensor({ shape: [0.5, 2] }, 4), `${shapeError} [0.5,2]`],
  ["a size in quotes", () => tensor({ shape: ["1"] }, 4), `${shapeError} ["1"]`],
  ["a shape that is a number", () => tensor({ shape: 1 }, 4), `${shapeError} 1`],
  ["a size of 2^53", () => tensor({ shape: [2 ** 53] }, 4), `${shapeError} [9007199254740992]`],
  [
    "a size past every number",
    () => raw('"dtype":"F32","shape":[1e999],"data_offsets":[0,4]'),
    `${shapeError} [null]`,
  ],
  [
    "a million axes",
    () => tensor({ shape: Array.from({ length: 1e6 }, () => 1) }, 4),
    `${shapeError} [${"1,".repeat(39)}…`,
  ],
  [
    "sizes whose product is 2^64",
    () => tensor({ shape: [2 ** 32, 2 ** 32] }, 4),
    'tensor "x": F32 (4294967296, 4294967296) takes more bits than can be counted (2^53)',
  ],
  [
    "a product of infinity and zero",
    () => tensor({ shape: [...Array.from({ length: 30 }, () => 2 ** 52), 0] }, 4),
    `tensor "x": F32 (${"4503599627370496, ".repeat(30)}0) takes more bits than can be counted (2^53)`,
  ],
  [
    "bits past counting",
    () => tensor({ shape: [2 ** 50] }, 4),
    'tensor "x": F32 (1125899906842624,) takes more bits than can be counted (2^53)',
  ],
  [
    "half a byte",
    () => tensor({ dtype: "F4", shape: [1], data_offsets: [0, 1] }, 1),
    'tensor "x": F4 (1,) takes 4 bits: expected whole bytes',
  ],
  [
    "six bits",
    () => tensor({ dtype: "F6_E3M2", shape: [2], data_offsets: [0, 2] }, 2),
    'tensor "x": F6_E3M2 (2,) takes 12 bits: expected whole bytes',
  ],
  // The offsets
  [
    "no offsets",
    () => tensor({ data_offsets: undefined }, 4),
    'tensor "x": data_offsets: expected two whole numbers, got missing',
  ],
  [
    "one offset",
    () => tensor({ data_offsets: [0] }, 4),
    'tensor "x": data_offsets: expected two whole numbers, got [0]',
  ],
  [
    "three offsets",
    () => tensor({ data_offsets: [0, 4, 8] }, 4),
    'tensor "x": data_offsets: expected two whole numbers, got [0,4,8]',
  ],
  [
    "an object for offsets",
    () => tensor({ data_offsets: { "0": 0, "1": 4 } }, 4),
    'tensor "x": data_offsets: expected two whole numbers, got {"0":0,"1":4}',
  ],
  [
    "a negative offset",
    () => tensor({ data_offsets: [-4, 0] }, 4),
    'tensor "x": data_offsets: expected two whole numbers, got [-4,0]',
  ],
  [
    "offsets past 2^53",
    () => raw('"dtype":"F32","shape":[1],"data_offsets":[9007199254740993,9007199254740997]'),
    'tensor "x": data_offsets: expected two whole numbers, got [9007199254740992,9007199254740996]',
  ],
  [
    "an end before its beginning",
    () => tensor({ data_offsets: [4, 0] }, 4),
    'tensor "x": data_offsets [4, 0] end before they begin',
  ],
  [
    "offsets of another size",
    () => tensor({ data_offsets: [0, 8] }, 8),
    'tensor "x": data_offsets [0, 8] do not fit F32 (1,): expected 4 bytes, got 8',
  ],
  [
    "a hole at the beginning",
    () => safetensorsFile({ x: f32(4, 8) }, 8),
    'tensor "x": data_offsets [4, 8] leave a hole: expected them to begin at 0',
  ],
  [
    "a hole between two",
    () => safetensorsFile({ x: f32(0, 4), y: f32(8, 12) }, 12),
    'tensor "y": data_offsets [8, 12] leave a hole: expected them to begin at 4',
  ],
  [
    "an overlap",
    () => safetensorsFile({ x: f32(0, 8), y: f32(4, 12) }, 12),
    'tensor "y": data_offsets [4, 12] overlap those of "x" [0, 8]',
  ],
  [
    "the same bytes for two",
    () => safetensorsFile({ x: f32(0, 4), y: f32(0, 4) }, 4),
    'tensor "y": data_offsets [0, 4] overlap those of "x" [0, 4]',
  ],
  [
    "nothing, inside another",
    () => safetensorsFile({ x: f32(0, 8), y: f32(4, 4) }, 8),
    'tensor "y": data_offsets [4, 4] overlap those of "x" [0, 8]',
  ],
  [
    "offsets past the data",
    () => tensor({ shape: [1_000_000], data_offsets: [0, 4_000_000] }, 4, "lm_head.weight"),
    'tensor "lm_head.weight": data_offsets [0, 4000000] run past the data (4 bytes): the file is truncated by 3999996 bytes',
  ],
  [
    "bytes after the last tensor",
    () => tensor({}, 7),
    "3 trailing bytes after the last tensor: expected 4 bytes of data, got 7",
  ],
  [
    "bytes and no tensor",
    () => safetensorsFile("{}", 5),
    "5 trailing bytes after the last tensor: expected 0 bytes of data, got 5",
  ],
  // The metadata
  [
    "metadata that are a string",
    () => safetensorsFile({ __metadata__: "pt" }),
    '__metadata__: expected an object of strings, got "pt"',
  ],
  [
    "metadata with a number",
    () => safetensorsFile({ __metadata__: { format: 1 } }),
    '__metadata__: expected a string for "format", got 1',
  ],
  [
    "metadata with an object",
    () => safetensorsFile({ __metadata__: { a: {} } }),
    '__metadata__: expected a string for "a", got {}',
  ],
];

describe("a bad file is refused in one line", () => {
  test.each(cases)("%s", (_what, bytes, message) => {
    expect(refusal(bytes())).toBe(`model.safetensors: ${message}`);
  });

  test("cut after any of its bytes", () => {
    // A header of 128 bytes: the first byte alone is no text.
    const file = safetensorsFile(JSON.stringify({ x: f32(0, 4) }).padEnd(128), 4);
    for (let length = 1; length < file.length; length++) {
      expect(refusal(file.subarray(0, length))).toMatch(/^model\.safetensors: .*the file is truncated/);
    }
    expect(refusal(file.subarray(0, 0))).toBe("model.safetensors: this is an empty file, not a checkpoint");
  });

  test("with a hint that says what to do", () => {
    const path = join(directory, "model.safetensors");
    const hint = (bytes: Uint8Array): string | undefined => {
      writeFileSync(path, bytes);
      return failure(() => safetensorsReader.open(path)).hint;
    };
    expect(hint(claim(2n ** 60n, "{}"))).toBe(
      "this is not a safetensors file, or it is damaged: fetch the file again",
    );
    expect(hint(claim(1000n, "{}"))).toBe("fetch the file again");
    expect(hint(Buffer.from("abc"))).toBe("fetch the file again");
    expect(hint(tensor({}, 3))).toBe("fetch the file again");
    expect(hint(tensor({}, 5))).toBe("fetch the file again");
    expect(hint(tensor({ dtype: "F128" }, 4))).toMatch(/^known are BOOL, U8, .*C64$/);
  });
});
