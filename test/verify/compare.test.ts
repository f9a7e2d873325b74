import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { convert, verify } from "../../src/convert.ts";
import type { VerifyReport } from "../../src/verify/compare.ts";
import { type QuantizationMode, quantization, quantizationModes } from "../../src/quantization/modes.ts";
import { type DType, dtypeBits } from "../../src/tensor/dtype.ts";
import { elementCount, showShape } from "../../src/tensor/shape.ts";
import { floats, safetensorsFile } from "../support/checkpoint.ts";
import { directoryWith } from "../support/files.ts";

const wave = (count: number): number[] =>
  Array.from({ length: count }, (_, i) => Math.sin(i * 12.9898) * 0.05);

async function converted(mode: QuantizationMode | undefined): Promise<{ source: string; output: string }> {
  const dir = directoryWith({
    "source.safetensors": safetensorsFile({
      "fc.weight": ["float32", [64, 128], floats(wave(64 * 128))],
      "fc.bias": ["float32", [64], floats(wave(64))],
      steps: ["int64", [2], new Uint8Array(16).fill(3)],
    }),
  });
  const [source, output] = [join(dir, "source.safetensors"), join(dir, "out.safetensors")];
  await convert(source, { output, ...(mode && { quantization: quantization(mode) }) });
  return { source, output };
}

/** Flips a bit of the byte that lies `fromEnd` before the end of the file. */
function damage(path: string, fromEnd: number): void {
  const bytes = readFileSync(path);
  bytes[bytes.length - fromEnd] = (bytes[bytes.length - fromEnd] ?? 0) ^ 0x40;
  writeFileSync(path, bytes);
}

const reasons = (report: VerifyReport): string[] =>
  report.failures.map(({ name, reason }) => `${name}: ${reason}`);

test.each(quantizationModes)("%s is close to its source", async (mode) => {
  const { source, output } = await converted(mode);
  const report = await verify(source, output);
  expect(reasons(report)).toEqual([]);
  expect([report.ok, report.checked]).toEqual([true, 3]);
  const fc = report.tensors.find(({ name }) => name === "fc.weight");
  expect(fc?.quantization).toEqual(quantization(mode));
  expect(fc?.sqnrDb).toBeGreaterThan(15);
  expect(fc?.sqnrDb).toBeLessThan(60);
});

test("an unquantized output is equal", async () => {
  const { source, output } = await converted(undefined);
  const report = await verify(source, output);
  expect(report.ok).toBe(true);
  expect(report.tensors.map(({ maxAbsError, sqnrDb }) => [maxAbsError, sqnrDb])).toEqual([
    [0, Infinity],
    [0, Infinity],
    [0, Infinity],
  ]);
});

describe("what is wrong is found", () => {
  test("an element that differs", async () => {
    const { source, output } = await converted(undefined);
    damage(output, 1);
    expect(reasons(await verify(source, output))).toEqual([
      expect.stringMatching(/^fc\.\w+: 1 elements differ, by up to .* \(atol 0\)$/),
    ]);
  });

  test("quantized values that are not the source's", async () => {
    const { source, output } = await converted("affine");
    const other = await converted("affine");
    const bytes = readFileSync(output);
    const scrambled = Buffer.from(bytes);
    bytes.copy(scrambled, 2000, 3000, 5000);
    writeFileSync(other.output, scrambled);
    expect(reasons(await verify(source, other.output))).toEqual([
      expect.stringMatching(/^fc\.weight: signal to noise .* dB, less than/),
    ]);
  });

  test("less than the wanted signal to noise", async () => {
    const { source, output } = await converted("affine");
    expect((await verify(source, output, { minSqnr: 20 })).ok).toBe(true);
    expect(reasons(await verify(source, output, { minSqnr: 50 }))).toEqual([
      expect.stringMatching(/^fc\.weight: signal to noise .* dB, less than 50\.0 dB$/),
    ]);
  });

  test.each<[string, DType, number[]]>([
    ["of another dtype", "uint8", [64, 2]],
    ["fewer", "float32", [64, 1]],
  ])("biases that do not fit their scales: %s", async (_, dtype, shape) => {
    const { source } = await converted(undefined);
    const zeros = (items: number): Uint8Array => new Uint8Array(items * 4);
    const dir = directoryWith({
      "out.safetensors": safetensorsFile({
        "fc.weight": ["uint32", [64, 16], zeros(64 * 16)],
        "fc.scales": ["float32", [64, 2], zeros(64 * 2)],
        "fc.biases": [dtype, shape, new Uint8Array((elementCount(shape) * dtypeBits(dtype)) / 8)],
        "fc.bias": ["float32", [64], floats(wave(64))],
        steps: ["int64", [2], new Uint8Array(16).fill(3)],
      }),
    });
    expect(reasons(await verify(source, join(dir, "out.safetensors")))).toEqual([
      "fc.weight: no quantization of (64, 128) has these parts: uint32 (64, 16), float32 (64, 2), " +
        `${dtype} ${showShape(shape)}`,
    ]);
  });

  test("tensors that are missing, extra, or of another shape", async () => {
    const { source } = await converted(undefined);
    const dir = directoryWith({
      "out.safetensors": safetensorsFile({
        "fc.weight": ["float32", [128, 64], floats(wave(64 * 128))],
        steps: ["int32", [4], new Uint8Array(16).fill(3)],
        more: ["float32", [1], floats([1])],
      }),
    });
    expect(reasons(await verify(source, join(dir, "out.safetensors")))).toEqual([
      "steps: shape: expected (2,), got (4,)",
      "fc.bias: missing from the output",
      "fc.weight: shape: expected (64, 128), got (128, 64)",
      "more: the source has nothing that it comes from",
    ]);
  });
});

test("an unquantized output may differ by atol", async () => {
  const { source, output } = await converted(undefined);
  const bytes = readFileSync(output);
  const at = bytes.indexOf(floats([wave(2)[1] ?? 0]));
  bytes.writeFloatLE((wave(2)[1] ?? 0) + 1e-4, at);
  writeFileSync(output, bytes);
  expect((await verify(source, output)).ok).toBe(false);
  expect((await verify(source, output, { atol: 1e-3 })).ok).toBe(true);
});
