import { expect, test } from "vitest";
import { storedLayers } from "../../src/layout/quantized.ts";
import { checkpointOf, configOf } from "../support/checkpoint.ts";

const packed = checkpointOf({
  "fc.weight": ["uint32", [10, 8]],
  "fc.scales": ["float16", [10, 1]],
  "fc.biases": ["float16", [10, 1]],
  "head.weight": ["uint32", [10, 16]],
  "head.scales": ["uint8", [10, 2]],
  "counts.weight": ["uint32", [3]],
  "norm.weight": ["float16", [10]],
});
const fields = { group_size: 64, bits: 4, mode: "affine", head: { group_size: 32, bits: 8, mode: "mxfp8" } };
const expected = {
  fc: { quantization: { mode: "affine", bits: 4, groupSize: 64 }, parameters: 640 },
  head: { quantization: { mode: "mxfp8", bits: 8, groupSize: 32 }, parameters: 640 },
};

test("config.json says how packed layers were made", () => {
  expect(Object.fromEntries(storedLayers(packed, configOf({ quantization: fields })))).toEqual(expected);
});

test("so does the header of a single file", () => {
  const single = { ...packed, metadata: { quantization: JSON.stringify(fields) } };
  expect(Object.fromEntries(storedLayers(single, undefined))).toEqual(expected);
});

test("where nothing says it, nothing is guessed", () => {
  expect(storedLayers(packed, undefined).size).toBe(0);
  expect(storedLayers(packed, configOf({ quantization: { group_size: 64 } })).size).toBe(0);
});
