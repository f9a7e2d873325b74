import { readFileSync } from "node:fs";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isZip, openZip } from "../../src/formats/zip.ts";
import { failure, strayError } from "../support/failure.ts";
import { makeZip, memoryFile, type Part } from "../support/zip.ts";

const bytes = (text: string): Buffer => Buffer.from(text);
const parts: readonly Part[] = [
  { name: "a/data.pkl", data: bytes("the pickle") },
  { name: "a/empty", data: bytes("") },
  { name: "a/größe", data: bytes("0123456789") },
];

function readAll(zip: Uint8Array): Record<string, string> {
  const source = memoryFile(zip);
  const archive = openZip(source);
  const read = Array.from(archive.entries.values(), (entry) => {
    return [entry.name, Buffer.from(source.read(archive.dataOffset(entry), entry.bytes)).toString()];
  });
  return Object.fromEntries(read) as Record<string, string>;
}

const contents = Object.fromEntries(parts.map(({ name, data }) => [name, Buffer.from(data).toString()]));

describe("openZip", () => {
  it.each([{ zip64: false }, { zip64: true }])("finds the data of stored entries, %o", (options) => {
    expect(readAll(makeZip(parts, options))).toEqual(contents);
  });

  it("steps over a comment, also one that looks like an end record", () => {
    expect(readAll(makeZip(parts, { comment: "x".repeat(0xffff) }))).toEqual(contents);
    expect(readAll(makeZip(parts, { comment: `PK\x05\x06${"\0".repeat(20)}` }))).toEqual(contents);
  });

  it("reads an empty zip", () => {
    expect(readAll(makeZip([]))).toEqual({});
    expect(isZip(makeZip([]))).toBe(true);
  });

  it("knows a zip by its first bytes", () => {
    expect(isZip(makeZip(parts))).toBe(true);
    expect(isZip(bytes("PK\x01\x02"))).toBe(false);
    expect(isZip(bytes(""))).toBe(false);
  });

  it("reads what Python's zipfile writes", () => {
    const archive = openZip(memoryFile(readFileSync("fixtures/torch/arrays.npz")));
    const entry = archive.entries.get("a.npy");
    expect(entry).toMatchObject({ name: "a.npy", method: 0, encrypted: false, bytes: 144 });
  });

  it("reads the directory and nothing else", () => {
    const big = makeZip([{ name: "a/data/0", data: new Uint8Array(1 << 20) }]);
    const source = memoryFile(big);
    openZip(source);
    expect(source.readBytes).toBeLessThan(70_000);
  });

  it("takes names that are paths as keys, and nothing more", () => {
    const names = ["../up", "/etc/passwd", "C:\\x", "a\0b", "__proto__"];
    const zip = makeZip(names.map((name) => ({ name, data: bytes("x") })));
    expect([...openZip(memoryFile(zip)).entries.keys()]).toEqual(names);
  });
});

const message = (zip: Uint8Array): string => failure(() => readAll(zip)).message;

describe("a broken zip", () => {
  it.each<[string, Part | Part[], string]>([
    ["compressed", { name: "a", data: bytes("xx"), method: 8 }, 'the zip entry "a" is compressed'],
    ["encrypted", { name: "a", data: bytes("xx"), flags: 1 }, 'the zip entry "a" is encrypted'],
    [
      "larger than it is",
      { name: "a", data: bytes("xx"), claimedBytes: 9 },
      'its entry "a" overlaps what follows it at 39',
    ],
    [
      "past its local extra field",
      { name: "a", data: bytes("xx"), claimedBytes: 8 },
      'its entry "a" overlaps what follows it at 39',
    ],
    [
      "past the file",
      { name: "a", data: bytes("xx"), claimedOffset: 4e9 },
      'its entry "a" overlaps what follows it at 39',
    ],
    [
      "of another name",
      { name: "a", data: bytes("xx"), localName: "b" },
      'its entry "a" has another name in its local header',
    ],
    [
      "of a longer name",
      { name: "a", data: bytes("xxxxxxxxx"), localName: "ab" },
      'its entry "a" has another name in its local header',
    ],
    [
      "not at its place",
      { name: "a", data: bytes("xxxx"), claimedOffset: 2 },
      'there is no local header at 2, where "a" should be',
    ],
    [
      "twice",
      [
        { name: "a", data: bytes("x") },
        { name: "a", data: bytes("y") },
      ],
      'it has two entries "a"',
    ],
    [
      "overlapping",
      [
        { name: "a", data: bytes("x") },
        { name: "b", data: bytes("y"), claimedOffset: 5 },
      ],
      'its entry "a" overlaps what follows it at 5',
    ],
    [
      "the same",
      [
        { name: "a", data: bytes("x") },
        { name: "b", data: bytes("y"), claimedOffset: 0 },
      ],
      'its entry "a" overlaps what follows it at 0',
    ],
  ])("entry %s", (_, part, expected) => {
    expect(message(makeZip([part].flat()))).toContain(expected);
  });

  it("without its end", () => {
    const error = failure(() => readAll(makeZip(parts).subarray(0, -1)));
    expect(error.message).toBe("model.pt: the end record of the zip is missing");
    expect(error.hint).toBe("the file looks truncated: fetch it again");
  });

  it("with more entries than it has", () => {
    expect(message(makeZip(parts, { claimedCount: 4 }))).toContain("its directory has no entry 3 of 4");
  });

  it("with more entries than anybody has", () => {
    expect(message(makeZip(parts, { claimedCount: 2 ** 21, zip64: true }))).toContain(
      "2097152 entries in a directory of",
    );
  });

  it("with a directory outside of the file", () => {
    const zip = makeZip(parts);
    zip.writeUInt32LE(zip.length, zip.length - 6);
    expect(message(zip)).toMatch(/its directory \[\d+, \+\d+\) runs into the end record at \d+$/);
  });

  it("whose end records contradict each other", () => {
    const zip = makeZip(parts, { zip64: true });
    zip.writeUInt16LE(1, zip.length - 12);
    expect(message(zip)).toContain(
      "its two end records, the ZIP64 one and the old one, contradict each other",
    );
  });

  it("without the ZIP64 record that it points to", () => {
    const zip = makeZip(parts, { zip64: true });
    zip.writeBigUInt64LE(3n, zip.length - 22 - 12);
    expect(message(zip)).toContain("there is no ZIP64 end record at 3");
  });

  it("with a name that runs past the directory", () => {
    const zip = makeZip([{ name: "a", data: bytes("x") }]);
    zip.writeUInt16LE(0xffff, zip.length - 22 - 47 + 28);
    expect(message(zip)).toContain("entry 0 of 1 runs past its directory");
  });

  it("with a ZIP64 field that is too short", () => {
    const zip = makeZip([{ name: "a", data: bytes("x") }], { zip64: true });
    zip.writeUInt16LE(16, zip.length - 98 - 26);
    expect(message(zip)).toContain('the ZIP64 field of "a" is cut short');
  });

  it("at any byte gives our error or reads", () => {
    const whole = makeZip(parts, { zip64: true });
    for (let length = 0; length < whole.length; length++) failure(() => readAll(whole.subarray(0, length)));
    fc.assert(
      fc.property(fc.nat(whole.length - 1), fc.nat(255), fc.boolean(), (at, value, zip64) => {
        const zip = makeZip(parts, { zip64 });
        zip[at % zip.length] = value;
        expect(strayError(() => readAll(zip))).toBeUndefined();
      }),
      { numRuns: 1000 },
    );
  });
});
