import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { cli, tinyLlama } from "../support/cli.ts";
import { floats, safetensorsFile } from "../support/checkpoint.ts";
import { directoryWith } from "../support/files.ts";

/** A text without what differs from run to run. */
const steady = (text: string, directory: string): string =>
  text
    .replaceAll(directory, "DIR")
    .replaceAll(/[\d.]+ m?s, [\d.]+ GB\/s/g, "TIME")
    .replaceAll(/takes at most .* of memory with \d+ threads?/g, "takes MEMORY");

const q = ["-q", "--bits", "8", "--group-size", "32"];

describe("plan", () => {
  test("the table", async () => {
    const directory = directoryWith(tinyLlama);
    const { status, stdout, stderr } = await cli("plan", join(directory, "model"), "-o", "out", ...q);
    expect([status, stderr]).toEqual([0, ""]);
    await expect(steady(stdout, directory)).toMatchFileSnapshot("snapshots/plan.txt");
  });

  test("overrides, renames, warnings", async () => {
    const tensors = safetensorsFile({
      "a.weight": ["float32", [32, 48], floats(Array(32 * 48).fill(1))],
      "b.weight": ["float32", [32, 64], floats(Array(32 * 64).fill(1))],
      "features.0.weight": ["float32", [2, 2, 3], floats(Array(12).fill(1))],
      "features.3.weight": ["float32", [2, 2, 3], floats(Array(12).fill(1))],
    });
    const directory = directoryWith({ "x.safetensors": tensors });
    const { stdout } = await cli(
      ..."plan x.safetensors -q --override ^b$=bfloat16 --on-indivisible keep -o y.safetensors"
        .replace("x.safetensors", join(directory, "x.safetensors"))
        .split(" "),
    );
    await expect(steady(stdout, directory)).toMatchFileSnapshot("snapshots/plan-generic.txt");
  });

  test("convert --dry-run prints the same and writes nothing", async () => {
    const directory = directoryWith(tinyLlama);
    const args = [join(directory, "model"), "-o", join(directory, "out"), ...q];
    expect(await cli("convert", "--dry-run", ...args)).toEqual(await cli("plan", ...args));
    expect(existsSync(join(directory, "out"))).toBe(false);
  });

  test("--json has the promised fields", async () => {
    const directory = directoryWith(tinyLlama);
    const { status, stdout, stderr } = await cli("plan", join(directory, "model"), "--json", ...q);
    expect([status, stderr]).toEqual([0, ""]);
    const document = JSON.parse(stdout) as Record<string, unknown>;
    expect(document).toMatchObject({
      source: join(directory, "model"),
      output: "mlx_model",
      format: "safetensors",
      architecture: "llama",
      dropped: [{ name: "model.layers.1.self_attn.rotary_emb.inv_freq", reason: expect.any(String) }],
      parameters: 14_528,
      bytes: expect.any(Number),
      bits_per_weight: expect.any(Number),
      peak_memory_bytes: expect.any(Number),
      seconds: expect.any(Number),
      warnings: [],
    });
    expect(document["tensors"]).toContainEqual({
      name: "model.layers.0.mlp.up_proj.scales",
      dtype: "float32",
      shape: [96, 2],
      from: ["model.layers.0.mlp.up_proj.weight"],
      operations: ["quantize"],
      quantization: { mode: "affine", bits: 8, group_size: 32 },
    });
    expect(document["kept_float"]).toContainEqual({ name: "model.norm.weight", reason: "a vector" });
  });

  test("names cannot steer the terminal", async () => {
    const file = safetensorsFile({ "\u001b[2J\u0007.weight": ["float32", [2], floats([1, 2])] });
    const directory = directoryWith({ "x.safetensors": file });
    for (const command of ["plan", "inspect"]) {
      const { stdout } = await cli(command, join(directory, "x.safetensors"));
      expect(stdout).toContain(String.raw`\u001b[2J\u0007.weight`);
      expect(stdout).not.toContain("\u001b");
    }
  });

  test("the note on --trust-remote-code", async () => {
    const directory = directoryWith(tinyLlama);
    const { status, stderr } = await cli("plan", join(directory, "model"), "--trust-remote-code");
    expect([status, stderr]).toEqual([
      0,
      "warning: --trust-remote-code is ignored: remote code is never run\n",
    ]);
  });
});

describe("inspect", () => {
  test("the table", async () => {
    const directory = directoryWith(tinyLlama);
    const { status, stdout } = await cli("inspect", join(directory, "model"));
    expect(status).toBe(0);
    await expect(steady(stdout, directory)).toMatchFileSnapshot("snapshots/inspect.txt");
  });

  test("--json", async () => {
    const directory = directoryWith(tinyLlama);
    const { stdout } = await cli("inspect", join(directory, "model"), "--json");
    const { tensors, ...rest } = JSON.parse(stdout) as { tensors: unknown[] };
    expect(rest).toMatchObject({
      format: "safetensors",
      architecture: "llama",
      warnings: [],
      metadata: {},
      globals: [],
    });
    expect(tensors).toContainEqual({
      name: "model.norm.weight",
      dtype: "float32",
      shape: [64],
      layer: { kind: "Norm", evidence: expect.any(String) },
      quantization: null,
    });
    expect(tensors).toContainEqual(expect.objectContaining({ layer: null }));
  });
});

describe("convert and verify", () => {
  const converted = async (...flags: string[]) => {
    const directory = directoryWith(tinyLlama);
    const [source, output] = [join(directory, "model"), join(directory, "my out")];
    return { directory, source, output, ran: await cli("convert", source, "-o", output, ...q, ...flags) };
  };

  test("what it says", async () => {
    const { directory, source, output, ran } = await converted();
    expect([ran.status, ran.stderr]).toEqual([0, ""]);
    await expect(steady(ran.stdout, directory)).toMatchFileSnapshot("snapshots/convert.txt");
    const verified = await cli("verify", source, output);
    expect([verified.status, verified.stderr]).toEqual([0, ""]);
    await expect(steady(verified.stdout, directory)).toMatchFileSnapshot("snapshots/verify.txt");
  });

  test("the model card has the command, without what belongs to this machine", async () => {
    const { output } = await converted("--threads", "2", "--override", "norm=skip", "--quiet");
    expect(readFileSync(join(output, "README.md"), "utf8")).toContain(
      "mlx-convert convert model -q --mode affine --bits 8 --group-size 32 --override norm=skip\n",
    );
  });

  test("--json: the plan's document", async () => {
    const { output, ran } = await converted("--json");
    expect(JSON.parse(ran.stdout)).toMatchObject({ output, format: "safetensors", architecture: "llama" });
    expect(ran.stderr).toContain("affine 8-bit g32");
  });

  test("--quiet", async () => {
    const { source, output, ran } = await converted("--quiet");
    expect(ran).toEqual({ status: 0, stdout: "", stderr: "" });
    expect(await cli("verify", source, output, "--quiet")).toEqual(ran);
  });

  test("an output that is there is refused, and replaced with --overwrite", async () => {
    const { source, output } = await converted();
    const again = await cli("convert", source, "-o", output);
    expect([again.status, again.stdout]).toEqual([1, ""]);
    expect(again.stderr).toMatch(/^error: .*my out: already exists\nhint: --overwrite .*\n$/);
    expect((await cli("convert", source, "-o", output, "--overwrite")).status).toBe(0);
  });

  test("a threshold that is not met: status 3, and the report", async () => {
    const { directory, source, output } = await converted();
    const { status, stdout, stderr } = await cli("verify", source, output, "--min-sqnr", "90");
    expect(status).toBe(3);
    expect(stderr).toMatch(
      /^error: .*my out: 3 of 6 tensors are not right: model.embed_tokens.weight: .* \(and 2 more\)\n$/,
    );
    await expect(steady(stdout, directory)).toMatchFileSnapshot("snapshots/verify-failed.txt");
    const json = await cli("verify", source, output, "--min-sqnr", "90", "--json");
    const document = JSON.parse(json.stdout) as { ok: boolean; tensors: unknown[] };
    expect(document).toMatchObject({ ok: false, checked: 6 });
    expect(document.tensors).toContainEqual({
      name: "model.norm.weight",
      quantization: null,
      max_abs_error: 0,
      sqnr_db: null,
    });
  });
});
