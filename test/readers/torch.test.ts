import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { withFile } from "../../src/io/byte-source.ts";
import { safetensorsReader } from "../../src/readers/safetensors.ts";
import { torchReader } from "../../src/readers/torch.ts";
import { dtypeBits } from "../../src/tensor/dtype.ts";
import type { StoredTensor } from "../../src/tensor/info.ts";
import { contiguousStrides, elementCount } from "../../src/tensor/shape.ts";
import { failure } from "../support/failure.ts";
import { makeZip } from "../support/zip.ts";

const folder = mkdtempSync(join(tmpdir(), "mlx-convert-torch-"));
afterAll(() => rmSync(folder, { recursive: true }));

function write(name: string, data: Uint8Array | string): string {
  const path = join(folder, name);
  writeFileSync(path, data);
  return path;
}

const matches = (path: string): boolean => {
  const data = readFileSync(path);
  return torchReader.match(data.subarray(0, 512), path, data.length);
};

describe("torchReader", () => {
  it("takes the names that torch users give", () => {
    const names = ["pytorch_model.bin", "a.pt", "a.pth", "a.ckpt", "a.safetensors", "a.pt.index.json", "bin"];
    expect(names.filter((name) => torchReader.names.test(name))).toEqual(names.slice(0, 4));
  });

  it("knows its files by their bytes, whatever they are called", () => {
    for (const name of ["module.pt", "legacy.pt", "legacy-0.pt"])
      expect(matches(`fixtures/torch/${name}`)).toBe(true);
    expect(matches(write("empty zip", makeZip([])))).toBe(true);
    expect(matches(write("text.pt", "not a zip"))).toBe(false);
    expect(matches(write("empty.pt", ""))).toBe(false);
  });

  it("opens a file", () => {
    const path = "fixtures/torch/training.pt";
    const opened = torchReader.open(path);
    expect(opened.bytes).toBe(readFileSync(path).length);
    expect(opened.metadata).toEqual({});
    expect(opened.globals).toContain("collections.OrderedDict");
    expect(opened.warnings).toHaveLength(1);
    expect(opened.tensors[0]).toMatchObject({
      name: "0.weight",
      dtype: "float32",
      shape: [2, 3],
      file: path,
    });
  });

  it.each(["legacy.pt", "legacy-0.pt"])("does not read %s yet", (name) => {
    const error = failure(() => torchReader.open(`fixtures/torch/${name}`));
    expect(error.message).toBe(
      `fixtures/torch/${name}: a file in the format of torch before 1.6, which is not read yet`,
    );
    expect(error.hint).toBe("save it again with torch 1.6 or newer: torch.save(torch.load(file), file)");
  });

  it("refuses what is no zip, and names a whole module's class", () => {
    const path = write("text.bin", "not a zip");
    expect(failure(() => torchReader.open(path)).message).toBe(`${path}: not a zip, which torch.save writes`);
    expect(failure(() => torchReader.open("fixtures/torch/whole-module.pt")).message).toBe(
      "fixtures/torch/whole-module.pt: the pickle asks for torch.nn.modules.linear.Linear, " +
        "which is not on the allow-list; nothing was executed",
    );
  });
});

/** The folder of smollm2/{bin,f16}, which are the same weights in two containers. */
const models = process.env.MLX_CONVERT_MODELS;

function contiguousBytes(tensor: StoredTensor): Buffer {
  expect(tensor.strides).toEqual(contiguousStrides(tensor.shape));
  const length = (elementCount(tensor.shape) * dtypeBits(tensor.dtype)) / 8;
  return withFile(tensor.file, (file) => Buffer.from(file.read(tensor.offset, length)));
}

describe.skipIf(models === undefined)("real checkpoints in MLX_CONVERT_MODELS", () => {
  it("pytorch_model.bin of SmolLM2 has the tensors of model.safetensors", () => {
    const torch = torchReader.open(join(models ?? "", "smollm2/bin/pytorch_model.bin")).tensors;
    const safe = new Map(
      safetensorsReader
        .open(join(models ?? "", "smollm2/f16/model.safetensors"))
        .tensors.map((one) => [one.name, one]),
    );
    // The tied head is in one of them only.
    const pairs = torch.flatMap((tensor) => {
      const other = safe.get(tensor.name);
      return other === undefined ? [] : [[tensor, other] as const];
    });
    expect(pairs).toHaveLength(safe.size);
    for (const [tensor, other] of pairs) {
      expect(tensor).toMatchObject({ name: other.name, dtype: other.dtype, shape: other.shape });
      expect(contiguousBytes(tensor).equals(contiguousBytes(other))).toBe(true);
    }
  });
});
