import { ftruncateSync, closeSync, openSync, writeSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { safetensorsReader } from "../../src/readers/safetensors.ts";
import { failure } from "../support/failure.ts";
import { safetensorsFile, writeTensors } from "../support/safetensors.ts";
import { freshDirectory } from "../support/fresh-directory.ts";

const directory = freshDirectory();
const match = (head: Uint8Array): boolean => safetensorsReader.match(head, "x", head.length);

test("opens a file: its size, tensors and metadata", () => {
  const path = join(directory.path, "x.safetensors");
  writeTensors(path, ["a", "b"], { format: "pt" });
  const { bytes, tensors, metadata, globals, warnings } = safetensorsReader.open(path);
  const start = bytes - 2;
  expect(tensors).toEqual([
    { name: "a", dtype: "uint8", shape: [1], file: path, offset: start, strides: [1] },
    { name: "b", dtype: "uint8", shape: [1], file: path, offset: start + 1, strides: [1] },
  ]);
  expect({ metadata, globals, warnings }).toEqual({ metadata: { format: "pt" }, globals: [], warnings: [] });
});

test("opens 10 GB at once", () => {
  const path = join(directory.path, "sparse.safetensors");
  const header = safetensorsFile({ x: { dtype: "U8", shape: [10e9], data_offsets: [0, 10e9] } });
  const fd = openSync(path, "w");
  writeSync(fd, header);
  ftruncateSync(fd, header.length + 10e9);
  closeSync(fd);
  const before = process.memoryUsage().arrayBuffers;
  expect(safetensorsReader.open(path).bytes).toBe(header.length + 10e9);
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1e6);
});

test("takes a file by its bytes", () => {
  expect(match(safetensorsFile("{}"))).toBe(true);
  expect(match(safetensorsFile("{".repeat(50_000_000)).subarray(0, 512))).toBe(true);
  expect(match(Buffer.from('{"abcde":{"x":1}}'))).toBe(false);
  expect(match(Buffer.from('12345678{"x":1}'))).toBe(false);
  expect(match(Buffer.from("GGUF\x03\0\0\0"))).toBe(false);
  expect(match(new Uint8Array(0))).toBe(false);
});

test("a file that is not there is an error with its path", () => {
  const path = join(directory.path, "none.safetensors");
  expect(failure(() => safetensorsReader.open(path)).message).toBe(`${path}: no such file or directory`);
});
