import { mkdirSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { describe, expect, test } from "vitest";
import { chooseFiles } from "../../src/readers/directory.ts";
import { failure } from "../support/failure.ts";
import { freshDirectory } from "../support/fresh-directory.ts";

const directory = freshDirectory();

/** Makes the files, empty: names alone decide. A name that ends with a slash is a directory. */
function make(names: readonly string[]): void {
  for (const name of names) {
    if (name.endsWith("/")) mkdirSync(join(directory.path, name));
    else writeFileSync(join(directory.path, name), "");
  }
}

function choose(names: readonly string[]): string | string[] {
  make(names);
  const choice = chooseFiles(directory.path);
  return "index" in choice ? basename(choice.index) : choice.files.map((file) => basename(file));
}

const shards = (stem: string, ending: string, count: number): string[] =>
  Array.from({ length: count }, (_, i) => `${stem}-0000${i + 1}-of-0000${count}.${ending}`);
const hubFiles = ["config.json", "tokenizer.json", ".gitattributes", "README.md", "onnx/"];
const trainingFiles = ["training_args.bin", "optimizer.pt", "scheduler.pt", "rng_state_0.pth", "scaler.pt"];

describe("chooses", () => {
  test.each<[string, string[], string | string[]]>([
    ["a file", ["model.safetensors", ...hubFiles], ["model.safetensors"]],
    [
      "the index before everything",
      [
        "model.safetensors.index.json",
        "model.safetensors",
        "other.safetensors.index.json",
        ...shards("model", "safetensors", 2),
      ],
      "model.safetensors.index.json",
    ],
    [
      "an index of another name",
      ["unet.safetensors.index.json", "model.safetensors"],
      "unet.safetensors.index.json",
    ],
    ["shards without an index", shards("model", "safetensors", 3), shards("model", "safetensors", 3)],
    [
      "model*.safetensors before others",
      ["model.fp16.safetensors", "vae.safetensors"],
      ["model.fp16.safetensors"],
    ],
    ["any safetensors before bin", ["vae.safetensors", "pytorch_model.bin"], ["vae.safetensors"]],
    ["the model, not its adapter", ["adapter_model.safetensors", "x.safetensors"], ["x.safetensors"]],
    [
      "the model, not Mistral's copy",
      ["consolidated.safetensors", "model.safetensors"],
      ["model.safetensors"],
    ],
    [
      "the model, not Mistral's copy as torch",
      ["consolidated.safetensors", "pytorch_model.bin"],
      ["pytorch_model.bin"],
    ],
    [
      "Mistral's copy where it is alone",
      ["consolidated.safetensors", "params.json"],
      ["consolidated.safetensors"],
    ],
    ["Mistral's index", ["consolidated.safetensors.index.json"], "consolidated.safetensors.index.json"],
    [
      "the index of torch files",
      ["pytorch_model.bin.index.json", ...shards("pytorch_model", "bin", 2)],
      "pytorch_model.bin.index.json",
    ],
    ["torch shards without an index", shards("pytorch_model", "bin", 2), shards("pytorch_model", "bin", 2)],
    [
      "pytorch_model.bin beside a run's state",
      ["pytorch_model.bin", ...trainingFiles],
      ["pytorch_model.bin"],
    ],
    ["a single .pth", ["yolo.pth", ...hubFiles, ...trainingFiles], ["yolo.pth"]],
    ["a single .ckpt", ["epoch=3.ckpt"], ["epoch=3.ckpt"]],
    ["no hidden file", ["._model.safetensors", "weights.pt"], ["weights.pt"]],
    ["no directory", ["model.safetensors/", "weights.bin"], ["weights.bin"]],
  ])("%s", (_what, names, expected) => {
    expect(choose(names)).toEqual(expected);
  });
});

describe("refuses", () => {
  const wanted =
    "give a directory with model.safetensors, an index (*.safetensors.index.json) and its shards, " +
    "pytorch_model.bin, or a single .pt, .pth, .bin or .ckpt file";

  test.each<[string, string[], string, string]>([
    ["an empty directory", [], "no checkpoint in this directory: the directory is empty", wanted],
    [
      "a directory without weights",
      ["config.json", "unet/", ...trainingFiles, "model.gguf", "a.txt", "b.txt"],
      "no checkpoint in this directory: only a.txt, b.txt, config.json, model.gguf, optimizer.pt, rng_state_0.pth, scaler.pt, scheduler.pt and 2 more",
      wanted,
    ],
    [
      "an adapter",
      ["adapter_model.safetensors", "adapter_config.json"],
      "only an adapter, not a model: adapter_model.safetensors",
      "merge it into its base model first, with merge_and_unload of peft or mlx_lm.fuse",
    ],
    [
      "adapters of mlx_lm",
      ["adapters.safetensors", "0000100_adapters.safetensors"],
      "only an adapter, not a model: 0000100_adapters.safetensors, adapters.safetensors",
      "merge it into its base model first, with merge_and_unload of peft or mlx_lm.fuse",
    ],
    [
      "a SavedModel",
      ["saved_model.pb", "variables/"],
      "this is a TensorFlow SavedModel, not a checkpoint",
      "give the PyTorch or safetensors files it was made from",
    ],
    [
      "a missing shard",
      [
        "model-00001-of-00005.safetensors",
        "model-00003-of-00005.safetensors",
        "model-00005-of-00005.safetensors",
      ],
      "missing from the 5 shards: model-00002-of-00005.safetensors, model-00004-of-00005.safetensors",
      "fetch the missing files into the same directory",
    ],
  ])("%s", (_what, names, message, hint) => {
    make(names);
    const error = failure(() => chooseFiles(directory.path));
    expect(error.message).toBe(`${directory.path}: ${message}`);
    expect(error.hint).toBe(hint);
  });

  test.each<[string, string[]]>([
    ["variants", ["model.fp16.safetensors", "model.safetensors"]],
    [
      "a file beside shards",
      ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors", "model.safetensors"],
    ],
    ["shards of two models", ["model-00001-of-00001.safetensors", "model-00001-of-00002.safetensors"]],
    ["several networks", ["generator.pth", "vocoder.pth"]],
    ["two indexes", ["a.safetensors.index.json", "b.safetensors.index.json"]],
  ])("several checkpoints: %s", (_what, names) => {
    make(names);
    const error = failure(() => chooseFiles(directory.path));
    expect(error.message).toBe(
      `${directory.path}: several checkpoints in one directory: ${names.join(", ")}`,
    );
    expect(error.hint).toBe(`name the file to take, e.g. ${join(directory.path, names[0] ?? "")}`);
  });

  test("a directory that is not there", () => {
    const path = join(directory.path, "none");
    expect(failure(() => chooseFiles(path)).message).toBe(`${path}: no such file or directory`);
  });
});
