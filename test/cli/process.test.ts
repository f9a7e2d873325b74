/** The command as its users run it: a process of its own, from `bin/`. */
import { spawn, spawnSync } from "node:child_process";
import { closeSync, ftruncateSync, openSync, readdirSync, writeSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { serializeHeader } from "../../src/formats/safetensors.ts";
import { build, executable, runExecutable, tinyLlama } from "../support/cli.ts";
import { directoryWith } from "../support/files.ts";

beforeAll(build, 60_000);

describe("exit status, and what goes where", () => {
  test("0: the answer on standard output, nothing on standard error", () => {
    const directory = directoryWith(tinyLlama);
    const [source, output] = [join(directory, "model"), join(directory, "out")];
    const converted = runExecutable(["convert", source, "-q", "-o", output]);
    expect([converted.status, converted.stderr]).toEqual([0, ""]);
    expect(converted.stdout).toContain(`wrote ${output}: `);
    expect(readdirSync(directory).toSorted()).toEqual(["model", "out"]);
    expect(runExecutable(["verify", source, output]).status).toBe(0);
  });

  test("1: the input is at fault", () => {
    expect(runExecutable(["convert", "/no/such/model"])).toEqual({
      status: 1,
      stdout: "",
      stderr: "error: /no/such/model: path does not exist\n",
    });
  });

  test("2: the command line is at fault", () => {
    expect(runExecutable(["convert", "x", "--bitz", "4"])).toEqual({
      status: 2,
      stdout: "",
      stderr: "error: unknown flag --bitz\nhint: did you mean --bits?\n",
    });
    expect(runExecutable([]).status).toBe(2);
  });

  test("3: a check was not met; --json is one document all the same", () => {
    const directory = directoryWith(tinyLlama);
    const [source, output] = [join(directory, "model"), join(directory, "out")];
    runExecutable(["convert", source, "-q", "-o", output]);
    const { status, stdout, stderr } = runExecutable([
      "verify",
      source,
      output,
      "--min-sqnr",
      "99",
      "--json",
    ]);
    expect(status).toBe(3);
    expect(JSON.parse(stdout)).toMatchObject({ ok: false });
    expect(stderr).toMatch(/^error: .* tensors are not right/);
  });
});

/** A checkpoint of empty blocks that takes a second or two to quantize. */
function largeCheckpoint(path: string): void {
  const tensors = Array.from({ length: 16 }, (_, i) => ({
    name: `layers.${i}.weight`,
    dtype: "float32" as const,
    shape: [4096, 8192],
  }));
  const { bytes } = serializeHeader(tensors, {});
  const file = openSync(path, "w");
  writeSync(file, bytes);
  ftruncateSync(file, bytes.length + tensors.length * 4096 * 8192 * 4);
  closeSync(file);
}

describe.each([
  ["SIGINT", 130],
  ["SIGTERM", 143],
] as const)("%s", (signal, status) => {
  test(`stops a conversion with status ${status} and leaves nothing`, async () => {
    const directory = directoryWith();
    largeCheckpoint(join(directory, "model.safetensors"));
    const args = ["convert", "model.safetensors", "-q", "--bits", "2", "-o", "out", "--threads", "1"];
    const child = spawn(process.execPath, [executable, ...args], { cwd: directory });
    let stderr = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text;
    });
    child.stdout.once("data", () => child.kill(signal));
    const ended = await new Promise((resolve) => {
      child.once("close", (code) => resolve(code));
    });
    expect([ended, stderr]).toEqual([status, "interrupted: nothing was written to out\n"]);
    expect(readdirSync(directory)).toEqual(["model.safetensors"]);
  });
});

test("a reader that stops reading is no error", async () => {
  const directory = directoryWith(tinyLlama);
  const child = spawn(process.execPath, [executable, "plan", "model"], { cwd: directory });
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  child.stdout.destroy();
  const ended = await new Promise((resolve) => {
    child.once("close", (code) => resolve(code));
  });
  expect([ended, stderr]).toEqual([0, ""]);
});

test("--help and --version are instant: less than 100 ms more than Node itself", () => {
  const fastest = (...args: string[]): number => {
    let best = Infinity;
    for (let i = 0; i < 8; i++) {
      const started = performance.now();
      spawnSync(process.execPath, args);
      best = Math.min(best, performance.now() - started);
    }
    return best;
  };
  const node = fastest("-e", "0");
  for (const args of [["--help"], ["--version"], ["convert", "--help"]]) {
    expect(fastest(executable, ...args) - node).toBeLessThan(100);
  }
});
