/** The command as its users run it: a process of its own, from `bin/`. */
import { spawn } from "node:child_process";
import { closeSync, ftruncateSync, openSync, readdirSync, readFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { serializeHeader } from "../../src/formats/safetensors.ts";
import { executable, runExecutable, tinyLlama } from "../support/cli.ts";
import { directoryWith } from "../support/files.ts";

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
    const { status, stdout, stderr } = runExecutable(["convert", "/no/such/model"]);
    expect([status, stdout]).toEqual([1, ""]);
    expect(stderr).toMatch(/^error: \/no\/such\/model: path does not exist\nhint: .*\n$/);
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

/** The package's modules that a process loads, as V8 counts them. */
function modulesOf(...args: string[]): string[] {
  const directory = directoryWith();
  runExecutable(args, { NODE_V8_COVERAGE: directory });
  const [file = ""] = readdirSync(directory);
  const coverage = JSON.parse(readFileSync(join(directory, file), "utf8")) as { result: { url: string }[] };
  return coverage.result.flatMap(({ url }) => /\/dist\/(.*)/.exec(url)?.[1] ?? []);
}

// A time would depend on what else the machine does; what is loaded does not. On a quiet one it is 30 ms more than Node.
test.each([["--help"], ["--version"], ["convert", "--help"]])("%s %s loads only the flags", (...args) => {
  const modules = modulesOf(...args);
  expect(modules).toContain("cli/convert-flags.js");
  expect(modules).not.toContain("index.js");
  expect(modules.length).toBeLessThan(25);
});
