import { Command } from "commander";
import { describe, expect, test } from "vitest";
import { addConvertFlags } from "../../src/cli/convert-flags.ts";
import { type ConvertRequest, readConvertFlags } from "../../src/cli/convert-request.ts";
import { failure } from "../support/failure.ts";

const request = (...args: string[]): ConvertRequest =>
  readConvertFlags(addConvertFlags(new Command("convert").exitOverride()).parse(args, { from: "user" }));

test("nothing but a source", () => {
  expect(request("model")).toEqual({
    source: "model",
    output: "mlx_model",
    options: {},
    overwrite: false,
    dryRun: false,
    json: false,
    quiet: false,
    notes: [],
  });
});

test("every flag", () => {
  const flags =
    "m -o out -q --bits 8 --group-size 32 --mode affine --override a=skip --override b=4 --on-indivisible fit " +
    "--dtype bfloat16 --architecture llama --layout mlx --max-shard-size 1GB --threads 3 --max-memory 1GiB " +
    "--overwrite --dry-run --json --quiet";
  expect(request(...flags.split(" "))).toEqual({
    source: "m",
    output: "out",
    options: {
      quantization: { mode: "affine", bits: 8, groupSize: 32 },
      overrides: [
        { layers: /a/, what: "skip", text: "a=skip" },
        { layers: /b/, what: { mode: "affine", bits: 4, groupSize: 32 }, text: "b=4" },
      ],
      onIndivisible: "fit",
      dtype: "bfloat16",
      architecture: "llama",
      layout: "mlx",
      maxShardBytes: 1e9,
      threads: 3,
      maxMemoryBytes: 2 ** 30,
    },
    overwrite: true,
    dryRun: true,
    json: true,
    quiet: true,
    notes: [],
  });
});

describe("mlx_lm's names", () => {
  test.each(["--hf-path", "--model"])("%s is the source", (flag) => {
    expect(request(flag, "model").source).toBe("model");
    expect(request("model", flag, "model").source).toBe("model");
  });

  test("a command line of mlx_lm.convert", () => {
    const made = request(
      ..."--hf-path m --mlx-path o -q --q-bits 4 --q-group-size 32 --q-mode affine --trust-remote-code".split(
        " ",
      ),
    );
    expect(made.output).toBe("o");
    expect(made.options.quantization).toEqual({ mode: "affine", bits: 4, groupSize: 32 });
    expect(made.notes).toEqual(["--trust-remote-code is ignored: remote code is never run"]);
  });

  test("-q alone is affine, 4 bits, groups of 64; a mode has its own defaults", () => {
    expect(request("m", "-q").options.quantization).toEqual({ mode: "affine", bits: 4, groupSize: 64 });
    expect(request("m", "-q", "--q-mode", "nvfp4").options.quantization).toEqual({
      mode: "nvfp4",
      bits: 4,
      groupSize: 16,
    });
  });
});

describe("what does not go together", () => {
  test.each([
    [[], "<source> is missing", "mlx-convert convert <file or directory>"],
    [[""], "<source> is missing", "mlx-convert convert <file or directory>"],
    [["a", "--model", "b"], "<source> a and --model b say different things", "give one of them"],
    [
      ["m", "-o", "a", "--mlx-path", "b"],
      "--output a and --mlx-path b say different things",
      "give one of them",
    ],
    [
      ["m", "-q", "--bits", "4", "--q-bits", "8"],
      "--bits 4 and --q-bits 8 say different things",
      "give one of them",
    ],
    [["m", "-q", "-d"], "Choose either quantize or dequantize, not both.", "leave out -q or -d"],
    [["m", "--bits", "4"], "--bits 4 has no effect without --quantize", "add -q"],
    [["m", "--q-bits", "4"], "--q-bits 4 has no effect without --quantize", "add -q"],
    [["m", "--group-size", "64"], "--group-size 64 has no effect without --quantize", "add -q"],
    [["m", "--mode", "mxfp4"], "--mode mxfp4 has no effect without --quantize", "add -q"],
    [["m", "--override", "x=8"], "--override 'x=8' has no effect without --quantize", "add -q"],
    [
      ["m", "-q", "--mode", "mxfp4", "--bits", "8"],
      "[quantize] mxfp4 quantization requires bits to be 4 but got 8.",
      "--bits 4",
    ],
    [
      ["m", "-d"],
      "--dequantize: this version does not support it yet",
      "mlx-convert convert --help lists what it supports",
    ],
    [
      ["m", "--recipe", "mixed_4_6"],
      "--recipe: this version does not support it yet",
      "--override '<regex>=<bits>' says it layer by layer",
    ],
    [
      ["m", "--quant-predicate", "mixed_4_6"],
      "--quant-predicate: this version does not support it yet",
      "--override '<regex>=<bits>' says it layer by layer",
    ],
    [
      ["m", "--kind", "x=Linear"],
      "--kind: this version does not support it yet",
      "mlx-convert convert --help lists what it supports",
    ],
    [
      ["m", "--map", "f"],
      "--map: this version does not support it yet",
      "mlx-convert convert --help lists what it supports",
    ],
    [
      ["m", "--key", "model"],
      "--key: this version does not support it yet",
      "mlx-convert convert --help lists what it supports",
    ],
    [
      ["m", "--upload-repo", "me/x"],
      "--upload-repo: this version does not support it yet",
      "convert first, then: hf upload <repo> <output>",
    ],
  ])("%j", (args, message, hint) => {
    const error = failure(() => request(...args));
    expect([error.message, error.hint, error.exitStatus]).toEqual([message, hint, 2]);
  });
});

test("what keeps layers in float needs no -q", () => {
  expect(request("m", "--override", "x=skip", "--override", "y=float32").options).toEqual({
    overrides: [
      { layers: /x/, what: "skip", text: "x=skip" },
      { layers: /y/, what: "float32", text: "y=float32" },
    ],
  });
});
