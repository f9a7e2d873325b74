import { describe, expect, test } from "vitest";
import { cli } from "../support/cli.ts";

describe("a command line that cannot be followed", () => {
  test.each([
    ["convrt x", 'unknown command "convrt"', "did you mean convert?"],
    ["serve", 'unknown command "serve"', "the commands are convert, plan, inspect, verify"],
    ["./model -q", 'unknown command "./model"', "a command comes first: mlx-convert convert ./model -q"],
    ["./model", 'unknown command "./model"', "a command comes first: mlx-convert convert ./model"],
    ["--hf-path x -q", "unknown flag --hf-path", "a command comes first: mlx-convert convert --hf-path x -q"],
    ["--bogus", "unknown flag --bogus", "mlx-convert --help"],
    ["convert x --bitz 4", "unknown flag --bitz", "did you mean --bits?"],
    ["convert x --bitz=4", "unknown flag --bitz", "did you mean --bits?"],
    ["convert x --group_size 4", "unknown flag --group_size", "did you mean --group-size?"],
    ["convert x --quant", "unknown flag --quant", "did you mean --quantize?"],
    ["convert x --q-bit 4", "unknown flag --q-bit", "did you mean --q-bits?"],
    ["plan x -z", "unknown flag -z", "mlx-convert plan --help"],
    ["convert x -o", "--output needs a value", "mlx-convert convert --help"],
    ["convert x --bits", "--bits needs a value", "mlx-convert convert --help"],
    ["convert x y z", 'unexpected argument "y", "z"', "mlx-convert convert --help"],
    ["inspect", "<source> is missing", "mlx-convert inspect --help"],
    ["verify x", "<output> is missing", "mlx-convert verify --help"],
    ["verify x --atol -1 y", "--atol -1: expected a number that is not negative", "--atol 0.5"],
  ])("%s", async (line, message, hint) => {
    expect(await cli(...line.split(" "))).toEqual({
      status: 2,
      stdout: "",
      stderr: `error: ${message}\nhint: ${hint}\n`,
    });
  });

  test("empty arguments", async () => {
    expect((await cli("inspect", "")).stderr).toContain("error: <source> is missing\n");
    expect((await cli("verify", "a", "")).stderr).toContain("error: <source> or <output> is empty\n");
  });

  test("with --json the error is a document", async () => {
    const { status, stdout, stderr } = await cli("plan", "x", "--bits", "4", "--json");
    expect(status).toBe(2);
    expect(JSON.parse(stdout)).toEqual({
      error: {
        message: "--bits 4 has no effect without --quantize",
        hint: "add -q",
        file: null,
        tensor: null,
      },
    });
    expect(stderr).toBe("error: --bits 4 has no effect without --quantize\nhint: add -q\n");
  });
});

describe("help", () => {
  test("no arguments: the help, as an error", async () => {
    const { status, stdout, stderr } = await cli();
    expect([status, stdout]).toEqual([2, ""]);
    expect(stderr).toBe((await cli("--help")).stdout);
  });

  test("--version", async () => {
    expect(await cli("--version")).toEqual({
      status: 0,
      stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/),
      stderr: "",
    });
  });

  test.each(["", "convert", "plan", "inspect", "verify"])("mlx-convert %s --help", async (command) => {
    const { status, stdout, stderr } = await cli(...(command === "" ? [] : [command]), "--help");
    expect([status, stderr]).toEqual([0, ""]);
    expect(stdout).toContain("Examples:\n  mlx-convert ");
    await expect(stdout).toMatchFileSnapshot(`snapshots/help-${command || "top"}.txt`);
  });
});
