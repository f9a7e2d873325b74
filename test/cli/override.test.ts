import { describe, expect, test } from "vitest";
import { parseOverride, quantizes, resolveOverride } from "../../src/cli/override.ts";
import type { Quantization } from "../../src/quantization/modes.ts";
import { failure } from "../support/failure.ts";

const resolve = (text: string, run?: Quantization): unknown =>
  resolveOverride(parseOverride("--override", text), run).what;

describe("what it can be", () => {
  const affine = { mode: "affine", bits: 4, groupSize: 32 } as const;
  const mxfp4 = { mode: "mxfp4", bits: 4, groupSize: 32 } as const;

  test.each<[string, Quantization, unknown]>([
    ["x=8", affine, { mode: "affine", bits: 8, groupSize: 32 }],
    ["x=8", mxfp4, { mode: "affine", bits: 8, groupSize: 64 }],
    ["x=6:128", affine, { mode: "affine", bits: 6, groupSize: 128 }],
    ["x=mxfp8", affine, { mode: "mxfp8", bits: 8, groupSize: 32 }],
    ["x=nvfp4", affine, { mode: "nvfp4", bits: 4, groupSize: 16 }],
    ["x=affine", mxfp4, { mode: "affine", bits: 4, groupSize: 64 }],
    ["x=bfloat16", affine, "bfloat16"],
    ["x=skip", affine, "skip"],
  ])("%s", (text, run, what) => {
    expect(resolve(text, run)).toEqual(what);
  });
});

test("the last = splits", () => {
  const { layers, what } = parseOverride("--override", "(?<=a)b|c=d=skip");
  expect(layers.source).toBe("(?<=a)b|c=d");
  expect(what).toBe("skip");
});

test("only some need a run that quantizes", () => {
  const needed = ["x=8", "x=4:32", "x=mxfp4"].map((text) => quantizes(parseOverride("--override", text)));
  const not = ["x=skip", "x=float16"].map((text) => quantizes(parseOverride("--override", text)));
  expect([...needed, ...not]).toEqual([true, true, true, false, false]);
});

describe("what it cannot be", () => {
  test.each([
    ["lm_head", "--override 'lm_head': expected '<regex>=<what>'"],
    ["=8", "--override '=8': expected '<regex>=<what>'"],
    [
      "x=int4",
      `--override 'x=int4': "int4" is not known; expected 1, 2, 3, 4, 5, 6, 8 (bits), <bits>:<group size>, affine, mxfp4, mxfp8, nvfp4, float16, bfloat16, float32 or skip`,
    ],
    ["x=", `--override 'x=': "" is not known`],
    ["(=8", "--override '(=8': not a regular expression: /(/: Unterminated group"],
    ["x=7", "--override 'x=7': [quantize] The requested number of bits 7 is not supported."],
    ["x=4:48", "--override 'x=4:48': [quantize] The requested group size 48 is not supported."],
  ])("%s", (text, message) => {
    const error = failure(() => resolve(text));
    expect(error.message).toContain(message);
    expect(error.hint).toBe(String.raw`--override 'lm_head|layers\.0\.=8'`);
    expect(error.exitStatus).toBe(2);
  });
});
