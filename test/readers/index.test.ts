import { execFileSync } from "node:child_process";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { MlxConvertError } from "../../src/errors.ts";
import { openCheckpoint } from "../../src/readers/index.ts";
import { failure } from "../support/failure.ts";
import { writeTensors } from "../support/safetensors.ts";
import { freshDirectory } from "../support/fresh-directory.ts";

const directory = freshDirectory();
const at = (name: string): string => join(directory.path, name);
const indexName = "model.safetensors.index.json";
const one = "model-00001-of-00002.safetensors";
const two = "model-00002-of-00002.safetensors";

const writeIndex = (map: unknown, name = indexName): void =>
  writeFileSync(at(name), JSON.stringify({ metadata: { total_size: 3 }, weight_map: map }));

/** Two shards of `a` and `b`, `c`, with their index. */
function writeShards(): void {
  writeTensors(at(one), ["b", "a"], { format: "pt" });
  writeTensors(at(two), ["c"], { format: "pt" });
  writeIndex({ a: one, b: one, c: two });
}

/** The error of opening a source; its message without the directory. */
function refusal(source: string): { message: string; error: MlxConvertError } {
  const error = failure(() => openCheckpoint(source));
  return { message: error.message.replaceAll(`${directory.path}/`, ""), error };
}

describe("a file", () => {
  test("is opened by what it is, whatever its name", () => {
    writeTensors(at("weights.bin"), ["x"]);
    const checkpoint = openCheckpoint(at("weights.bin"));
    expect(checkpoint).toMatchObject({
      source: at("weights.bin"),
      format: "safetensors",
      metadata: {},
      warnings: [],
    });
    expect(checkpoint.files).toEqual([{ path: at("weights.bin"), bytes: 65 }]);
    expect([...checkpoint.tensors.keys()]).toEqual(["x"]);
  });

  test("is opened through a symbolic link, as caches have them", () => {
    writeTensors(at("blob"), ["x"]);
    symlinkSync("blob", at("model.safetensors"));
    expect(openCheckpoint(directory.path).files[0]?.path).toBe(at("model.safetensors"));
  });

  test("that is one shard of several says so", () => {
    writeShards();
    expect(openCheckpoint(at(two)).warnings).toEqual([
      `${at(two)}: one shard of 2; give the directory for the whole checkpoint`,
    ]);
  });

  test.each([
    [
      "model.safetensors",
      "version https://git-lfs.github.com/spec/v1\n",
      "a Git LFS pointer",
      "git lfs pull",
    ],
    [
      "model.safetensors",
      "<!doctype html>",
      "an HTML page",
      "it was fetched without a token, or its terms were not accepted: fetch it again with both",
    ],
    [
      "pytorch_model.bin",
      "GGUF\x03\0\0\0",
      "a GGUF file (version 3)",
      "give the PyTorch or safetensors files it was made from",
    ],
    [
      "model.safetensors",
      "\x08\x01\x12\x04",
      "a TensorFlow SavedModel",
      "give the PyTorch or safetensors files it was made from",
    ],
    [
      "config.json",
      '{"model_type":"llama"}',
      "a model's configuration (JSON)",
      "give the directory that holds it",
    ],
  ])("%s that is something else is called what it is", (name, text, what, hint) => {
    writeFileSync(at(name), text, "latin1");
    const { message, error } = refusal(at(name));
    expect(message).toBe(`${name}: this is ${what}, not a checkpoint`);
    expect(error.hint).toBe(hint);
  });

  test("of nothing known is judged by the reader of its name, or refused", () => {
    writeFileSync(at("model.safetensors"), Buffer.from("0102030405", "hex"));
    expect(refusal(at("model.safetensors")).message).toBe(
      "model.safetensors: the file is truncated: expected at least 8 bytes, got 5",
    );
    writeFileSync(at("model.dat"), Buffer.from("0102030405", "hex"));
    const { message, error } = refusal(at("model.dat"));
    expect(message).toBe("model.dat: neither safetensors nor a PyTorch file");
    expect(error.hint).toBe("a checkpoint is one of safetensors, torch");
  });
});

describe("a path", () => {
  test("that does not exist is said not to", () => {
    const { message, error } = refusal(at("none"));
    expect(message).toBe("none: path does not exist");
    expect(error.hint).toBe("give a checkpoint file, or its directory");
    expect(refusal("test/none").error.hint).toBe("give a checkpoint file, or its directory");
    expect(refusal("test/reader").error.hint).toBe("did you mean test/readers?");
    expect(refusal("./a/b").error.hint).toBe(
      "./a does not exist either: give a checkpoint file, or its directory",
    );
  });

  test("that can be a Hub id comes with the command to download it", () => {
    const { message, error } = refusal("Owner-1/some.Model_2");
    expect(message).toBe("Owner-1/some.Model_2: path does not exist");
    expect(error.hint).toBe(
      "downloads from the Hub are not supported in this version: hf download Owner-1/some.Model_2 --local-dir some.Model_2 " +
        "(or huggingface-cli download), then give some.Model_2",
    );
  });

  test("that leads through a file, and one that is a pipe, are refused at once", () => {
    writeFileSync(at("file"), "");
    expect(refusal(at("file/model")).message).toBe("file/model: a part of the path is not a directory");
    execFileSync("mkfifo", [at("pipe")]);
    expect(refusal(at("pipe")).message).toBe("pipe: neither a file nor a directory");
  });
});

describe("an index", () => {
  test.each(["directory", "index"])("opens its shards, given as %s", (given) => {
    writeShards();
    writeTensors(at("unrelated.safetensors"), ["z"]);
    const source = given === "index" ? at(indexName) : directory.path;
    const checkpoint = openCheckpoint(source);
    expect(checkpoint).toMatchObject({
      source,
      format: "safetensors",
      metadata: { format: "pt" },
      warnings: [],
    });
    expect(checkpoint.files.map(({ path }) => path)).toEqual([at(one), at(two)]);
    expect([...checkpoint.tensors.values()].map(({ name, file }) => [name, file])).toEqual([
      ["a", at(one)],
      ["b", at(one)],
      ["c", at(two)],
    ]);
  });

  test("may name files below its directory", () => {
    mkdirSync(at("part"));
    writeTensors(at("part/x.safetensors"), ["a"]);
    writeIndex({ a: "part/x.safetensors" });
    expect(openCheckpoint(directory.path).tensors.get("a")?.file).toBe(at("part/x.safetensors"));
  });

  test("that names missing files says which, and what they hold", () => {
    writeTensors(at(one), ["a"]);
    writeIndex({ a: one, b: two, c: two });
    const { message, error } = refusal(directory.path);
    expect(message).toBe(`${indexName}: missing from the 2 files it names: ${two} (2 of 3 tensors)`);
    expect(error.hint).toBe("fetch the missing files into the same directory");
  });

  test("that places a tensor where it is not", () => {
    writeShards();
    writeIndex({ a: two, b: one, c: two });
    const { message, error } = refusal(directory.path);
    expect(message).toBe(`${indexName}: tensor "a": expected in ${two}, got it in ${one}`);
    expect(error.hint).toBe("the index and the files are not of one checkpoint: fetch them again");
    writeIndex({ a: one, b: one, c: two, d: two });
    expect(refusal(directory.path).message).toBe(
      `${indexName}: tensor "d": expected in ${two}, got it in none of its files`,
    );
  });

  test("that leaves tensors out is warned of, with their number", () => {
    writeShards();
    writeTensors(at(two), ["c", "d", "e", "f", "g"]);
    const { warnings, tensors } = openCheckpoint(directory.path);
    expect(warnings).toEqual([
      `${at(indexName)}: does not name 4 of the tensors in its files, which are taken too: "d", "e", "f" and 1 more`,
    ]);
    expect(tensors.size).toBe(7);
  });

  test.each([["../x"], ["a/../../x"], ["a\\..\\x"], ["/etc/passwd"], ["C:\\x"], [""], [5], [null]])(
    "that names %j is refused",
    (file) => {
      writeIndex({ a: file });
      expect(refusal(directory.path).message).toBe(
        `${indexName}: tensor "a": the index names ${JSON.stringify(file)}: expected a file in its own directory`,
      );
    },
  );

  test.each<[string, string]>([
    ["{}", "expected a weight_map from tensors to files, got missing"],
    ['{"weight_map":{}}', "expected a weight_map from tensors to files, got {}"],
    ['{"weight_map":[1]}', "expected a weight_map from tensors to files, got [1]"],
    ["[]", "expected a weight_map from tensors to files, got missing"],
    ['{"weight_map":{"a":"x","a":"y"}}', 'the index has the key "a" twice (at character 23)'],
    ["", "the index is not valid JSON: expected a value, got the end (at character 0)"],
  ])("%j is refused", (text, message) => {
    writeFileSync(at(indexName), text);
    expect(refusal(directory.path).message).toBe(`${indexName}: ${message}`);
  });
});

test("a tensor in two shards is an error that names both", () => {
  writeTensors(at(one), ["a", "b"]);
  writeTensors(at(two), ["b"]);
  const { message, error } = refusal(directory.path);
  expect(message).toBe(`${two}: tensor "b": is in ${one} too`);
  expect(error.hint).toBe("the files are not of one checkpoint: remove the one that is left over");
});

test("a damaged shard is named", () => {
  writeShards();
  writeFileSync(at(two), "version https://git-lfs.github.com/spec/v1\n");
  expect(refusal(directory.path).message).toBe(`${two}: this is a Git LFS pointer, not a checkpoint`);
});
