import { Command } from "commander";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseChoice, parseInteger, parseNumber, parseSize, parseText, valued } from "../../src/cli/flags.ts";
import { failure } from "../support/failure.ts";

describe("parseSize", () => {
  test.each([
    ["5GB", 5e9],
    ["5G", 5e9],
    ["5gb", 5e9],
    ["5 GB", 5e9],
    ["5GiB", 5 * 2 ** 30],
    ["1.5MiB", 1.5 * 2 ** 20],
    ["512kB", 512_000],
    ["2TB", 2e12],
    ["1000000", 1_000_000],
    ["1000B", 1000],
  ])("%s is %i bytes", (text, bytes) => {
    expect(parseSize("--max-memory", text)).toBe(bytes);
  });

  test.each(["", "GB", "5XB", "-5GB", "5e9", "5GBB", "0x10", "9999999TB", "5 i", "١GB"])(
    "refuses %j",
    (text) => {
      expect(failure(() => parseSize("--max-memory", text)).message).toBe(
        `--max-memory ${text}: expected a size such as 5GB, 512MiB or 1000000`,
      );
    },
  );

  test("takes a number without a unit for a forgotten one", () => {
    const error = failure(() => parseSize("--max-shard-size", "5"));
    expect(error.message).toBe("--max-shard-size 5: 5 bytes is too little");
    expect(error.hint).toBe("--max-shard-size 5GB");
    expect(failure(() => parseSize("--max-shard-size", "0GB")).hint).toBe("--max-shard-size 5GB");
  });

  test("reads every number of bytes back", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1000, max: Number.MAX_SAFE_INTEGER }), (bytes) => {
        expect(parseSize("--max-memory", String(bytes))).toBe(bytes);
      }),
    );
  });
});

test("a choice names the others, and the nearest", () => {
  const parse = parseChoice(["affine", "mxfp4"]);
  expect(parse("--mode", "mxfp4")).toBe("mxfp4");
  const error = failure(() => parse("--mode", "mxfp5"));
  expect(error.message).toBe("--mode mxfp5: expected one of affine, mxfp4");
  expect(error.hint).toBe("--mode mxfp4");
  expect(error.exitStatus).toBe(2);
  expect(failure(() => parse("--mode", "q4_k_m")).hint).toBe("--mode affine");
});

test.each(["0", "17", "1.5", "4.0", "-1", "all", "", " 4", "0x4", "1e1"])("refuses %j threads", (text) => {
  expect(failure(() => parseInteger(1, 16)("--threads", text)).message).toBe(
    `--threads ${text}: expected a whole number from 1 to 16`,
  );
});

test("numbers", () => {
  expect(parseNumber(0)("--atol", "1e-3")).toBe(0.001);
  expect(parseNumber(-Infinity)("--min-sqnr", "-3.5")).toBe(-3.5);
  expect(failure(() => parseNumber(0)("--atol", "-1")).message).toBe(
    "--atol -1: expected a number that is not negative",
  );
  expect(failure(() => parseNumber(-Infinity)("--min-sqnr", "much")).message).toBe(
    "--min-sqnr much: expected a number",
  );
  expect(failure(() => parseNumber(0)("--atol", " ")).message).toContain("--atol  : expected");
});

test("an empty text is refused", () => {
  expect(failure(() => parseText("a path")("--output", "")).message).toBe('--output "": expected a path');
});

test("a flag's error has the name that the user wrote", () => {
  const command = new Command().exitOverride();
  for (const name of ["--bits", "--q-bits"]) command.addOption(valued(`${name} <n>`, "", parseInteger(1, 4)));
  const run = (): unknown => command.parse(["--q-bits", "5"], { from: "user" });
  expect(failure(run).message).toBe("--q-bits 5: expected a whole number from 1 to 4");
});
