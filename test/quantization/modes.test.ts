import { describe, expect, test } from "vitest";
import {
  findQuantization,
  quantization,
  type QuantizationMode,
  quantizationModes,
  quantizedParts,
} from "../../src/quantization/modes.ts";
import { failure } from "../support/failure.ts";

test("what is not said is MLX's default", () => {
  expect(quantizationModes.map((mode) => quantization(mode))).toEqual([
    { mode: "affine", bits: 4, groupSize: 64 },
    { mode: "mxfp4", bits: 4, groupSize: 32 },
    { mode: "mxfp8", bits: 8, groupSize: 32 },
    { mode: "nvfp4", bits: 4, groupSize: 16 },
  ]);
});

const refusals: [QuantizationMode, number | undefined, number | undefined, string, string][] = [
  [
    "affine",
    7,
    64,
    "[quantize] The requested number of bits 7 is not supported. The supported bits are 1, 2, 3, 4, 5, 6 and 8.",
    "--bits 1, or 2, or 3, or 4, or 5, or 6, or 8",
  ],
  [
    "affine",
    4,
    48,
    "[quantize] The requested group size 48 is not supported. The supported group sizes are 32, 64 and 128.",
    "--group-size 32, or 64, or 128",
  ],
  ["mxfp4", 4, 64, "[quantize] mxfp4 quantization requires group size 32 but got 64.", "--group-size 32"],
  ["mxfp8", 4, 32, "[quantize] mxfp8 quantization requires bits to be 8 but got 4.", "--bits 8"],
  [
    "nvfp4",
    undefined,
    32,
    "[quantize] nvfp4 quantization requires group size 16 but got 32.",
    "--group-size 16",
  ],
];

test.each(refusals)(
  "%s with %s bits in groups of %s is refused in MLX's words",
  (mode, bits, groupSize, message, hint) => {
    const error = failure(() => quantization(mode, bits, groupSize));
    expect([error.message, error.hint, error.exitStatus]).toEqual([message, hint, 2]);
  },
);

describe("the parts of a quantized weight", () => {
  test("affine: packed words, and scales and biases of the weight's dtype", () => {
    expect(quantizedParts([4, 10, 192], "bfloat16", quantization("affine", 3, 64))).toEqual([
      { suffix: "weight", dtype: "uint32", shape: [4, 10, 18] },
      { suffix: "scales", dtype: "bfloat16", shape: [4, 10, 3] },
      { suffix: "biases", dtype: "bfloat16", shape: [4, 10, 3] },
    ]);
  });

  test.each(["mxfp4", "mxfp8", "nvfp4"] as const)("%s: scales are bytes, and there are no biases", (mode) => {
    const q = quantization(mode);
    expect(quantizedParts([10, 64], "float32", q)).toEqual([
      { suffix: "weight", dtype: "uint32", shape: [10, q.bits * 2] },
      { suffix: "scales", dtype: "uint8", shape: [10, 64 / q.groupSize] },
    ]);
  });
});

test("a quantization is recognized by its parts", () => {
  for (const mode of quantizationModes) {
    const q = quantization(mode);
    expect(findQuantization(q.bits, q.groupSize, mode === "affine" ? "float16" : "uint8")).toEqual(q);
  }
  expect(findQuantization(4, 64, "uint8")).toBeUndefined();
  expect(findQuantization(7, 64, "float16")).toBeUndefined();
});
