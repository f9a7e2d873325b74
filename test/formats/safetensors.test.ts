import { readdirSync, readFileSync } from "node:fs";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { MlxConvertError } from "../../src/errors.ts";
import {
  type HeaderTensor,
  readSafetensorsHeader,
  type SafetensorsHeader,
  serializeHeader,
} from "../../src/formats/safetensors.ts";
import { dtypeBits, dtypeBySafetensorsName, safetensorsName } from "../../src/tensor/dtype.ts";
import { elementCount } from "../../src/tensor/shape.ts";
import { failure } from "../support/failure.ts";
import { memorySource, safetensorsFile } from "../support/safetensors.ts";

const fixtures = new URL("../../fixtures/safetensors/", import.meta.url);
const read = (file: Uint8Array): SafetensorsHeader => readSafetensorsHeader(memorySource(file));

interface Expected {
  readonly metadata: Record<string, string>;
  readonly tensors: Record<string, { dtype: string; shape: number[]; data: string }>;
}

describe("files of the safetensors package and of MLX", () => {
  const names = readdirSync(fixtures).filter((name) => name.endsWith(".safetensors"));

  test("the fixtures are there", () => {
    expect(names.length).toBeGreaterThanOrEqual(5);
  });

  test.each(names)("%s", (name) => {
    const file = readFileSync(new URL(name, fixtures));
    const expected = JSON.parse(
      readFileSync(new URL(name.replace(".safetensors", ".json"), fixtures), "utf8"),
    ) as Expected;
    const header = read(file);
    expect(header.metadata).toEqual(expected.metadata);
    const got = header.tensors.map(({ name: tensor, dtype, shape, offset }) => {
      const bytes = (elementCount(shape) * dtypeBits(dtype)) / 8;
      const data = file.subarray(offset, offset + bytes).toString("hex");
      return [tensor, { dtype: safetensorsName(dtype), shape, data }];
    });
    expect(Object.fromEntries(got)).toEqual(expected.tensors);
  });
});

describe("readSafetensorsHeader", () => {
  test("says dtype, shape, place and strides, in the order of the data", () => {
    const file = safetensorsFile(
      {
        second: { dtype: "F32", shape: [2, 1], data_offsets: [12, 20] },
        first: { dtype: "BF16", shape: [2, 3], data_offsets: [0, 12] },
        nothing: { dtype: "U8", shape: [0], data_offsets: [12, 12] },
        __metadata__: { format: "pt" },
      },
      20,
    );
    const start = file.length - 20;
    const shared = { file: "model.safetensors" };
    expect(read(file)).toEqual({
      metadata: { format: "pt" },
      tensors: [
        { ...shared, name: "first", dtype: "bfloat16", shape: [2, 3], offset: start, strides: [3, 1] },
        { ...shared, name: "nothing", dtype: "uint8", shape: [0], offset: start + 12, strides: [1] },
        { ...shared, name: "second", dtype: "float32", shape: [2, 1], offset: start + 12, strides: [1, 1] },
      ],
    });
  });

  test("knows every dtype of the format, those of 4 and 6 bits too", () => {
    for (const [name, dtype] of dtypeBySafetensorsName) {
      const bytes = dtypeBits(dtype) / 2;
      const file = safetensorsFile({ x: { dtype: name, shape: [4], data_offsets: [0, bytes] } }, bytes);
      expect(read(file).tensors[0]?.dtype).toBe(dtype);
    }
    expect(dtypeBySafetensorsName.size).toBe(22);
  });

  test("ignores what else an entry says, and spaces after the header", () => {
    const entry = { dtype: "U8", shape: [1], data_offsets: [0, 1], note: { deep: [1] } };
    expect(read(safetensorsFile(`${JSON.stringify({ x: entry })}   \n`, 1)).tensors).toHaveLength(1);
  });

  test("reads the header of 10 GB and nothing more", () => {
    const bytes = 10e9;
    const header = safetensorsFile({ x: { dtype: "U8", shape: [bytes], data_offsets: [0, bytes] } });
    const source = memorySource(header, "big.safetensors", header.length + bytes);
    expect(readSafetensorsHeader(source).tensors).toHaveLength(1);
    expect(source.readBytes()).toBe(header.length);
  });

  test("parses 100,000 tensors in a fraction of a second", () => {
    const tensors = Array.from({ length: 100_000 }, (_, i) => ({
      name: `model.layers.${i}.self_attn.q_proj.weight`,
      dtype: "bfloat16" as const,
      shape: [576, 576],
    }));
    const { bytes } = serializeHeader(tensors, {});
    const source = memorySource(bytes, "big.safetensors", bytes.length + 100_000 * 576 * 576 * 2);
    const begin = performance.now();
    expect(readSafetensorsHeader(source).tensors).toHaveLength(100_000);
    // 0.2 s on a quiet machine; what this holds off is a step that grows with the square.
    expect(performance.now() - begin).toBeLessThan(2000);
  });
});

/** Tensors whose data are whole bytes, with distinct names of any characters. */
const tensorList = fc.uniqueArray(
  fc
    .record({
      name: fc.string({ unit: "binary", maxLength: 8 }),
      dtype: fc.constantFrom(...dtypeBySafetensorsName.values()),
      shape: fc.array(fc.nat(5), { maxLength: 4 }),
    })
    .filter(({ name }) => name !== "__metadata__")
    .map(
      ({ name, dtype, shape }): HeaderTensor => ({
        name,
        dtype,
        shape: dtypeBits(dtype) < 8 ? [...shape, 4] : shape,
      }),
    ),
  { selector: ({ name }) => name, maxLength: 12 },
);
const metadataRecord = fc.dictionary(
  fc.string({ unit: "binary", maxLength: 8 }),
  fc.string({ unit: "binary" }),
  {
    noNullPrototype: true,
  },
);
const dataBytes = (tensors: readonly HeaderTensor[]): number =>
  tensors.reduce((sum, { dtype, shape }) => sum + (elementCount(shape) * dtypeBits(dtype)) / 8, 0);

describe("serializeHeader", () => {
  test("is read back the same, aligned, whatever the order it was given", () => {
    fc.assert(
      fc.property(tensorList, metadataRecord, (tensors, metadata) => {
        const { bytes, offsets } = serializeHeader(tensors, metadata);
        expect(bytes.length % 8).toBe(0);
        expect(serializeHeader(tensors.toReversed(), metadata).bytes).toEqual(bytes);
        const header = read(Buffer.concat([bytes, new Uint8Array(dataBytes(tensors))]));
        expect(header.metadata).toEqual(metadata);
        const byName = new Map(header.tensors.map((tensor) => [tensor.name, tensor]));
        expect(byName.size).toBe(tensors.length);
        for (const { name, dtype, shape } of tensors) {
          const offset = bytes.length + (offsets.get(name) ?? Number.NaN);
          expect(byName.get(name)).toMatchObject({ dtype, shape, offset });
          expect(offset % Math.ceil(dtypeBits(dtype) / 8)).toBe(0);
        }
      }),
    );
  });

  test("writes compact JSON with its keys sorted by bytes", () => {
    const { bytes } = serializeHeader(
      [
        { name: "b", dtype: "float16", shape: [1] },
        { name: "\u{1f999}", dtype: "uint8", shape: [] },
        { name: "\uff5e", dtype: "uint8", shape: [2, 0] },
        { name: "10", dtype: "uint32", shape: [3] },
        { name: "9", dtype: "uint8", shape: [1] },
      ],
      { z: "é", format: "mlx" },
    );
    const json =
      '{"10":{"data_offsets":[0,12],"dtype":"U32","shape":[3]},"9":{"data_offsets":[14,15],"dtype":"U8","shape":[1]},' +
      '"__metadata__":{"format":"mlx","z":"é"},"b":{"data_offsets":[12,14],"dtype":"F16","shape":[1]},' +
      '"\uff5e":{"data_offsets":[15,15],"dtype":"U8","shape":[2,0]},"\u{1f999}":{"data_offsets":[15,16],"dtype":"U8","shape":[]}}';
    const length = Math.ceil(Buffer.byteLength(json) / 8) * 8;
    expect(Buffer.from(bytes).readBigUInt64LE()).toBe(BigInt(length));
    expect(Buffer.from(bytes).toString("utf8", 8)).toBe(json + " ".repeat(length - Buffer.byteLength(json)));
  });

  test.each<[string, HeaderTensor[], string]>([
    [
      "a dtype it has not",
      [{ name: "x", dtype: "complex32", shape: [] }],
      "safetensors has no dtype for complex32",
    ],
    [
      "a name given twice",
      [
        { name: "x", dtype: "uint8", shape: [] },
        { name: "x", dtype: "int8", shape: [] },
      ],
      "the name is already taken in its safetensors file",
    ],
    [
      "bits that fill no bytes",
      [{ name: "x", dtype: "float4_e2m1", shape: [3] }],
      "F4 (3,) takes 12 bits: expected whole bytes",
    ],
  ])("refuses %s", (_what, tensors, message) => {
    expect(failure(() => serializeHeader(tensors, {})).message).toBe(`tensor "x": ${message}`);
  });

  test("refuses the name of the metadata and a header past the limit", () => {
    const reserved = failure(() =>
      serializeHeader([{ name: "__metadata__", dtype: "uint8", shape: [] }], {}),
    );
    expect(reserved.message).toBe('tensor "__metadata__": the name is already taken in its safetensors file');
    const long = failure(() => serializeHeader([], { x: "y".repeat(100_000_000) }));
    expect(long.message).toBe("the header would be 100000032 bytes: safetensors allows at most 100000000");
    expect(long.hint).toBe("--max-shard-size with a smaller size");
  });
});

/** What is wrong with a file: empty where nothing is. Any other error than ours fails the test. */
function problem(file: Uint8Array): string {
  try {
    read(file);
    return "";
  } catch (error) {
    if (error instanceof MlxConvertError) return error.message;
    throw error;
  }
}

test("a damaged header gives an MlxConvertError of one line, or a header that is whole", () => {
  const damage = fc.array(fc.tuple(fc.nat(), fc.nat(255), fc.constantFrom("set", "insert", "remove")), {
    minLength: 1,
    maxLength: 4,
  });
  fc.assert(
    fc.property(tensorList, metadataRecord, damage, (tensors, metadata, changes) => {
      const { bytes } = serializeHeader(tensors, metadata);
      const file = [...bytes, ...new Uint8Array(dataBytes(tensors))];
      for (const [at, byte, change] of changes) {
        file.splice(at % file.length, change === "insert" ? 0 : 1, ...(change === "remove" ? [] : [byte]));
      }
      expect(problem(Uint8Array.from(file))).toMatch(/^(model\.safetensors: [^\n]+)?$/);
    }),
    { numRuns: 1000 },
  );
});
