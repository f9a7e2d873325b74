/** The same source and options give the same bytes, whatever the machine is given to work with, and however they are cut. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { readSafetensorsHeader } from "../../src/formats/safetensors.ts";
import { withFile } from "../../src/io/byte-source.ts";
import { mlxConvert } from "../support/command.ts";
import { directoryWith } from "../support/files.ts";
import { llamaConfig, writeLlama, writeMixtral } from "../support/llama.ts";
import { snapshot } from "../support/snapshot.ts";

// Rows, columns and tiles that do not fit each other: the tensors end inside tiles.
const size = { layers: 3, hidden: 576, intermediate: 1536, vocabulary: 8191 };

async function convert(dir: string, output: string, flags: readonly string[]): Promise<string> {
  const run = await mlxConvert(["convert", "model", "-o", output, ...flags], { cwd: dir });
  expect(run).toMatchObject({ status: 0, stderr: "" });
  return join(dir, output);
}

const machines = [
  ["--threads", "1"],
  ["--threads", "2"],
  ["--threads", "5"],
  ["--max-memory", "90MB"],
];

describe.each([
  ["not quantized", []],
  ["affine", ["-q", "--bits", "3"]],
  ["mxfp4", ["-q", "--mode", "mxfp4", "--override", "embed_tokens=6:32"]],
])("%s", (_title, flags) => {
  test("threads and memory change no byte", { timeout: 60_000 }, async () => {
    const dir = directoryWith();
    writeLlama(join(dir, "model"), size, "numbers");
    const first = snapshot(await convert(dir, "out", flags));
    for (const machine of machines) {
      expect(snapshot(await convert(dir, "again", [...flags, ...machine, "--overwrite"]))).toEqual(first);
    }
  });
});

test("experts are stacked the same by any number of threads", async () => {
  const dir = directoryWith();
  writeMixtral(join(dir, "model"), { ...size, layers: 1, vocabulary: 64, experts: 6 }, "numbers");
  const first = snapshot(await convert(dir, "out", ["-q"]));
  for (const machine of machines) {
    expect(snapshot(await convert(dir, "again", ["-q", ...machine, "--overwrite"]))).toEqual(first);
  }
});

/** Every tensor's bytes by its name. */
function tensorsOf(dir: string, files: readonly string[]): Map<string, Buffer> {
  return new Map(
    files.flatMap((file) => {
      const bytes = readFileSync(join(dir, file));
      const { tensors } = withFile(join(dir, file), readSafetensorsHeader);
      return tensors.map((tensor, i): [string, Buffer] => [
        tensor.name,
        bytes.subarray(tensor.offset, tensors[i + 1]?.offset ?? bytes.length),
      ]);
    }),
  );
}

test("shards have what one file has, each within the limit, and the index knows where", async () => {
  const dir = directoryWith({ "model/config.json": llamaConfig(size) });
  writeLlama(join(dir, "model"), size, "numbers");
  const whole = tensorsOf(await convert(dir, "one", ["-q"]), ["model.safetensors"]);
  const shards = await convert(dir, "shards", ["-q", "--max-shard-size", "2MB"]);

  const files = readdirSync(shards).filter((name) => name.endsWith(".safetensors"));
  const count = files.length;
  expect(count).toBeGreaterThan(4);
  const number = (n: number): string => String(n).padStart(5, "0");
  expect(files).toEqual(files.map((_, i) => `model-${number(i + 1)}-of-${number(count)}.safetensors`));
  for (const file of files) {
    const names = tensorsOf(shards, [file]);
    const bytes = [...names.values()].reduce((sum, { length }) => sum + length, 0);
    // A layer's weight, scales and biases stay together: alone they may be larger.
    const layers = new Set([...names.keys()].map((name) => name.replace(/\.\w+$/, "")));
    expect(layers.size === 1 || bytes <= 2e6).toBe(true);
  }
  const parts = tensorsOf(shards, files);
  expect(new Set(parts.keys())).toEqual(new Set(whole.keys()));
  expect([...parts].filter(([name, bytes]) => !whole.get(name)?.equals(bytes))).toEqual([]);

  const index = JSON.parse(readFileSync(join(shards, "model.safetensors.index.json"), "utf8")) as {
    metadata: { total_size: number };
    weight_map: Record<string, string>;
  };
  const places = files.flatMap((file) => [...tensorsOf(shards, [file]).keys()].map((name) => [name, file]));
  expect(index.weight_map).toEqual(Object.fromEntries(places));
  const total = [...parts.values()].reduce((sum, { length }) => sum + length, 0);
  expect(index.metadata.total_size).toBe(total);
});
