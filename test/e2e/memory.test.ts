/** Memory depends on tiles and threads, not on the model: sources with holes instead of bytes, as large as anybody likes. */
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { type CommandResult, mlxConvert } from "../support/command.ts";
import { directoryWith } from "../support/files.ts";
import { type LlamaSize, writeLlama, writeMixtral } from "../support/llama.ts";
import { dict, pickle, tensor } from "../support/pickle.ts";
import { writeZipWithHole } from "../support/zip.ts";

const limit = 400; // MiB
const noTimeout = { timeout: 300_000 };

/** At its end the process writes down the most memory it had: of its own, not of the process that started it. */
const measure = `data:text/javascript,${encodeURIComponent(`
  import { readFileSync, writeFileSync } from "node:fs";
  process.on("exit", () => {
    const { maxRSS } = process.resourceUsage();
    let peak = maxRSS;
    try { peak = Number(/VmHWM:\\s*(\\d+)/.exec(readFileSync("/proc/self/status", "utf8"))[1]); } catch {}
    writeFileSync(process.env.PEAK, String(peak / 1024));
  });`)}`;

/** Runs the command with four threads, whatever the machine has; returns the peak in MiB. */
async function run(
  dir: string,
  args: readonly string[],
  threads = 4,
): Promise<CommandResult & { readonly peak: number }> {
  const file = join(dir, "peak");
  const result = await mlxConvert([...args, "--threads", String(threads)], {
    cwd: dir,
    node: ["--import", measure],
    env: { PEAK: file },
  });
  expect(result).toMatchObject({ status: 0, stderr: "" });
  return { ...result, peak: Number(readFileSync(file, "utf8")) };
}

/** The peak of a conversion in MiB, which is no more than its plan promised. */
async function peakOfConvert(dir: string, source = "model"): Promise<number> {
  const { peak, stdout } = await run(dir, ["convert", source, "-q", "-o", "out", "--quiet", "--json"]);
  const { peak_memory_bytes: promised } = JSON.parse(stdout) as { peak_memory_bytes: number };
  expect(peak).toBeLessThanOrEqual(promised / 2 ** 20);
  rmSync(join(dir, "out"), { recursive: true });
  return peak;
}

/** Some 100 MiB a layer, 250 MiB for the vocabulary. */
const size: LlamaSize = { layers: 9, hidden: 2048, intermediate: 5632, vocabulary: 32_000 };

test("1 GiB and 3 GiB take the same", noTimeout, async () => {
  const dir = directoryWith();
  writeLlama(join(dir, "model"), size, "hole");
  writeLlama(join(dir, "large"), { ...size, layers: 31 }, "hole");
  // The better of two: when Node collects its garbage is chance.
  const best = async (source: string): Promise<number> => {
    return Math.min(await peakOfConvert(dir, source), await peakOfConvert(dir, source));
  };
  const [one, three] = [await best("model"), await best("large")];
  expect(Math.max(one, three)).toBeLessThan(limit);
  expect(three / one).toBeLessThan(1.15);
});

test("one tensor of 512 MiB, transposed in a .pt file", noTimeout, async () => {
  const dir = directoryWith();
  const [rows, columns] = [8192, 32_768];
  const count = rows * columns;
  const view = tensor({ type: "BFloat16Storage", count, size: [rows, columns], strides: [1, rows] });
  const pickled = pickle(dict({ "linear.weight": view }));
  writeZipWithHole(
    join(dir, "model.pt"),
    [
      { name: "a/data.pkl", data: pickled },
      { name: "a/byteorder", data: Buffer.from("little") },
    ],
    "a/data/0",
    2 * count,
  );
  expect(await peakOfConvert(dir, "model.pt")).toBeLessThan(limit);
});

test("stacked experts of 1 GiB", noTimeout, async () => {
  const dir = directoryWith();
  writeMixtral(
    join(dir, "model"),
    { layers: 1, hidden: 4096, intermediate: 5632, vocabulary: 4096, experts: 8 },
    "hole",
  );
  expect(await peakOfConvert(dir)).toBeLessThan(limit);
});

describe("the plan of 64 GiB", () => {
  test.each([
    ["large tensors", { layers: 33, hidden: 8192, intermediate: 28_672, vocabulary: 32_000, experts: 0 }],
    ["25,000 experts", { layers: 64, hidden: 2048, intermediate: 640, vocabulary: 32_000, experts: 128 }],
  ])("%s", async (_title, sizes) => {
    const dir = directoryWith();
    if (sizes.experts === 0) writeLlama(join(dir, "model"), sizes, "hole");
    else writeMixtral(join(dir, "model"), sizes, "hole");
    const { peak, seconds, stdout } = await run(dir, ["plan", "model", "-q"]);
    expect(stdout).toContain("bits per weight");
    expect(peak).toBeLessThan(limit);
    expect(seconds).toBeLessThan(3);
  });
});
