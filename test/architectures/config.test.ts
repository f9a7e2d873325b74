import { symlinkSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { type ModelConfig, parseConfig, readConfig } from "../../src/architectures/config.ts";
import { failure } from "../support/failure.ts";
import { directoryWith } from "../support/files.ts";

const config = (text: string): ModelConfig => parseConfig(Buffer.from(text), "config.json");

describe("readConfig", () => {
  test("reads the config beside the weights", () => {
    const dir = directoryWith({ "config.json": '{"model_type": "llama", "rms_norm_eps": 1e-06}' });
    const read = readConfig(dir);
    expect(read?.modelType).toBe("llama");
    expect(read?.number("rms_norm_eps")).toBe(1e-6);
    expect(read?.file).toBe(join(dir, "config.json"));
  });

  test("a directory without one has none", () => {
    expect(readConfig(directoryWith())).toBeUndefined();
  });

  test.each([
    ['["llama"]', "expected a JSON object, got a list"],
    ["12", "expected a JSON object, got 12"],
    ['{"model_type": llama}', 'the config is not valid JSON: expected a value, got "l" (at character 15)'],
    ["", "this is an empty file, not a config"],
    [
      "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n",
      "this is a Git LFS pointer, not a config",
    ],
    ["<!DOCTYPE html><html></html>", "this is an HTML page, not a config"],
    ["\u001F\u008B", "the config is not valid JSON"],
  ])("refuses %j", (text, message) => {
    const dir = directoryWith({ "config.json": text });
    const error = failure(() => readConfig(dir));
    const whole = `${join(dir, "config.json")}: ${message}`;
    expect(error.message.slice(0, whole.length)).toBe(whole);
  });

  test("the hint for a Git LFS pointer", () => {
    const dir = directoryWith({ "config.json": "version https://git-lfs.github.com/spec/v1\n" });
    expect(failure(() => readConfig(dir)).hint).toBe("git lfs pull");
  });

  test("a link to nothing is not taken for no config", () => {
    const dir = directoryWith();
    symlinkSync("../blobs/gone", join(dir, "config.json"));
    expect(failure(() => readConfig(dir)).message).toBe(
      `${join(dir, "config.json")}: no such file or directory`,
    );
  });

  test("a config of absurd size is not read", () => {
    const dir = directoryWith({ "config.json": new Uint8Array(33 * 2 ** 20).fill(0x20) });
    expect(failure(() => readConfig(dir)).message).toContain(
      "the config is too large: expected at most 33554432 bytes, got 33554433",
    );
  });
});

describe("fields", () => {
  const full = config(
    '{"n": 8, "f": 8.0, "i": Infinity, "b": false, "s": "x", "l": ["x"], "z": null, "text_config": {"n": "8", "deep": {"b": 1}}}',
  );

  test("have their types", () => {
    expect(full.number("n")).toBe(8);
    expect(full.number("f")).toBe(8);
    expect(full.number("i")).toBe(Infinity);
    expect(full.boolean("b")).toBe(false);
    expect(full.string("s")).toBe("x");
    expect(full.strings("l")).toEqual(["x"]);
    expect(full.object("text_config")?.object("deep")?.number("b")).toBe(1);
  });

  test("absent and null are undefined", () => {
    for (const key of ["z", "absent", "__proto__", "constructor"]) {
      expect(full.number(key)).toBeUndefined();
      expect(full.boolean(key)).toBeUndefined();
      expect(full.string(key)).toBeUndefined();
      expect(full.strings(key)).toBeUndefined();
      expect(full.object(key)).toBeUndefined();
    }
  });

  test.each([
    [
      () => config('{"num_local_experts": "8"}').number("num_local_experts"),
      'num_local_experts: expected a number, got "8"',
    ],
    [() => full.boolean("n"), "n: expected true or false, got 8"],
    [() => full.string("f"), "f: expected a string, got 8.0"],
    [() => full.strings("s"), 's: expected a list of strings, got "x"'],
    [() => full.object("l"), "l: expected an object, got a list"],
    [() => full.number("text_config"), "text_config: expected a number, got an object"],
    [() => full.object("text_config")?.number("n"), 'text_config.n: expected a number, got "8"'],
    [
      () => full.object("text_config")?.object("deep")?.boolean("b"),
      "text_config.deep.b: expected true or false, got 1",
    ],
    [() => config('{"model_type": 3}').modelType, "model_type: expected a string, got 3"],
  ])("of another type are errors: %#", (read, message) => {
    expect(failure(read).message).toBe(`config.json: ${message}`);
  });
});

describe("dtype, as mlx-lm finds it", () => {
  test.each([
    ['{"torch_dtype": "bfloat16"}', "bfloat16"],
    ['{"torch_dtype": "float16", "text_config": {"dtype": "float32"}}', "float16"],
    ['{"torch_dtype": null, "text_config": {"dtype": "float32"}}', "float32"],
    ['{"dtype": "float16"}', undefined],
    ['{"text_config": {"torch_dtype": "float16"}}', undefined],
    ['{"torch_dtype": "float64", "text_config": {"dtype": "float32"}}', undefined],
    ['{"torch_dtype": "auto"}', undefined],
    ['{"torch_dtype": 16}', undefined],
    ["{}", undefined],
  ])("%s", (text, dtype) => {
    expect(config(text).dtype).toBe(dtype);
  });
});
