import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { addon } from "../../src/native.ts";

const native = addon();
const [float32, float16, bfloat16, float64] = [0, 1, 2, 3] as const;
const [affine, mxfp4, mxfp8, nvfp4] = [0, 1, 2, 3] as const;

const instructionSets = ["portable", "avx2", "avx512", "neon"].filter((name) => {
  try {
    native.cast(new Uint8Array(0), float32, float16, name);
    return true;
  } catch {
    return false;
  }
});

const bytesOf = (values: readonly number[]) => new Uint8Array(Float32Array.from(values).buffer);
const floatsOf = (bytes: Uint8Array) => new Float32Array(bytes.slice().buffer);

const anyQuantization = fc.oneof(
  fc.record({
    mode: fc.constant(affine),
    bits: fc.constantFrom(1, 2, 3, 4, 5, 6, 8),
    groupSize: fc.constantFrom(32, 64, 128),
  }),
  fc.constantFrom(
    { mode: mxfp4, bits: 4, groupSize: 32 },
    { mode: mxfp8, bits: 8, groupSize: 32 },
    { mode: nvfp4, bits: 4, groupSize: 16 },
  ),
);

test("the instruction set that is used can also be asked for by name", () => {
  expect(instructionSets).toContain("portable");
  expect(instructionSets).toContain(native.instructionSet);
});

describe("every instruction set gives the same bits", () => {
  test("quantize and dequantize, of any bits", () => {
    const inputs = fc.record({
      q: anyQuantization,
      dtype: fc.constantFrom(float32, float16, bfloat16),
      out: fc.constantFrom(float32, float16, bfloat16),
      bytes: fc.uint8Array({ minLength: 512, maxLength: 4096 }),
    });
    fc.assert(
      fc.property(inputs, ({ q, dtype, out, bytes }) => {
        const w = bytes.subarray(0, bytes.length - (bytes.length % 512));
        const count = w.length / (dtype === float32 ? 4 : 2);
        const results = instructionSets.map((set) => {
          const r = native.quantize(w, dtype, q.mode, q.bits, q.groupSize, set);
          const back = native.dequantize(
            r.packed,
            r.scales,
            r.biases,
            dtype,
            out,
            q.mode,
            q.bits,
            q.groupSize,
            count,
            set,
          );
          return { ...r, back };
        });
        for (const result of results) expect(result).toEqual(results[0]);
      }),
    );
  });

  test("cast, of any bits", () => {
    const dtype = fc.constantFrom(float32, float16, bfloat16, float64);
    fc.assert(
      fc.property(dtype, dtype, fc.uint8Array({ maxLength: 1024 }), (from, to, bytes) => {
        const whole = bytes.subarray(0, bytes.length - (bytes.length % 8));
        const results = instructionSets.map((set) => native.cast(whole, from, to, set));
        for (const result of results) expect(result).toEqual(results[0]);
      }),
    );
  });
});

test("dequantized values are within a step of what was quantized", () => {
  const weights = fc.array(fc.float({ noNaN: true, min: -100, max: 100 }), { minLength: 64, maxLength: 64 });
  fc.assert(
    fc.property(weights, fc.constantFrom(2, 3, 4, 5, 6, 8), (values, bits) => {
      const { packed, scales, biases } = native.quantize(bytesOf(values), float32, affine, bits, 64);
      const back = floatsOf(
        native.dequantize(packed, scales, biases, float32, float32, affine, bits, 64, 64),
      );
      // Half a step by rounding; the scale is then fitted so that 0 and the far edge are exact, which clips the near edge.
      const step = Math.abs(floatsOf(scales)[0] ?? 0);
      for (const [i, value] of values.entries()) {
        expect(Math.abs((back[i] ?? Number.NaN) - value)).toBeLessThanOrEqual(step + 1e-4);
      }
    }),
  );
});

test("an affine group of 32 in 4 bits is what MLX makes of it", () => {
  const { packed, scales, biases } = native.quantize(
    bytesOf(Array.from({ length: 32 }, (_, i) => i)),
    float32,
    affine,
    4,
    32,
  );
  // From mx.quantize(mx.arange(32.0)[None], 32, 4): the edge, 31, is code 0, and the scale is negative.
  expect(floatsOf(scales)).toEqual(Float32Array.of(-31 / 15));
  expect(floatsOf(biases ?? new Uint8Array(4))).toEqual(Float32Array.of(31));
  expect([...packed].map((byte) => byte.toString(16).padStart(2, "0")).join("")).toBe(
    "ffeeddccbbaa99887766554433221100",
  );
});

describe("arguments", () => {
  const group = new Uint8Array(32 * 2);
  const cases: readonly (readonly [string, () => unknown])[] = [
    ["argument 1: expected a Uint8Array", () => native.cast([1] as never, float32, float16)],
    ["argument 2: expected a number", () => native.cast(group, "float32" as never, float16)],
    ["argument 2: no kernel for dtype 4", () => native.cast(group, 4, float16)],
    ["argument 2: no kernel for dtype 3", () => native.quantize(group, float64, affine, 4, 32)],
    ["expected a multiple of 4 bytes, got 66", () => native.cast(new Uint8Array(66), float32, float16)],
    [
      'this processor or build has no instruction set "mmx"',
      () => native.cast(group, float32, float16, "mmx"),
    ],
    [
      "argument 4: expected the name of an instruction set",
      () => native.cast(group, float32, float16, 1 as never),
    ],
    [
      "no kernel for mode 0 with bits 7 and group size 32",
      () => native.quantize(group, float16, affine, 7, 32),
    ],
    [
      "no kernel for mode 0 with bits 4 and group size 16",
      () => native.quantize(group, float16, affine, 4, 16),
    ],
    [
      "no kernel for mode 1 with bits 8 and group size 32",
      () => native.quantize(group, float16, mxfp4, 8, 32),
    ],
    ["no kernel for mode 4 with bits 8 and group size 32", () => native.quantize(group, float16, 4, 8, 32)],
    [
      "expected a multiple of 128 bytes, a group, got 64",
      () => native.quantize(group, float16, affine, 4, 64),
    ],
    [
      "count: expected a multiple of the group size 32, at most 128, got 33",
      () => native.dequantize(new Uint8Array(16), new Uint8Array(1), undefined, 0, 0, mxfp4, 4, 32, 33),
    ],
    [
      "count: expected a multiple of the group size 32, at most 128, got 9007199254740992",
      () => native.dequantize(new Uint8Array(16), new Uint8Array(1), undefined, 0, 0, mxfp4, 4, 32, 2 ** 53),
    ],
    [
      "packed: expected 16 bytes, got 32",
      () => native.dequantize(new Uint8Array(32), new Uint8Array(1), undefined, 0, 0, mxfp4, 4, 32, 32),
    ],
    [
      "scales: expected 2 bytes, got 1",
      () => native.dequantize(group, new Uint8Array(1), undefined, 0, 0, mxfp8, 8, 32, 64),
    ],
    [
      "biases: expected 2 bytes, got 4",
      () =>
        native.dequantize(
          new Uint8Array(16),
          new Uint8Array(2),
          new Uint8Array(4),
          float16,
          float16,
          affine,
          4,
          32,
          32,
        ),
    ],
    [
      "argument 3: expected a Uint8Array",
      () =>
        native.dequantize(
          new Uint8Array(16),
          new Uint8Array(2),
          undefined,
          float16,
          float16,
          affine,
          4,
          32,
          32,
        ),
    ],
  ];
  test.each(cases)("%s", (message, call) => {
    expect(call).toThrow(message);
  });
});
