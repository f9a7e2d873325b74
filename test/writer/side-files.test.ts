import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, symlinkSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { copySideFile, sideFiles } from "../../src/writer/side-files.ts";
import { directoryWith } from "../support/files.ts";
import { failure } from "../support/failure.ts";

const names = (dir: string, exclude = "/nowhere"): string[] => sideFiles(dir, exclude).map(({ to }) => to);
const having = (list: readonly string[]): string =>
  directoryWith(Object.fromEntries(list.map((name) => [name, "text"])));

describe("taken", () => {
  const taken = [
    "LICENSE",
    "NOTICE",
    "USE_POLICY.md",
    "added_tokens.json",
    "chat_template.jinja",
    "configuration_x.py",
    "generation_config.json",
    "merges.txt",
    "preprocessor_config.json",
    "sentencepiece.bpe.model",
    "source.spm",
    "special_tokens_map.json",
    "tokenizer.json",
    "tokenizer.model",
    "tokenizer_config.json",
    "vocab.json",
    "vocab.tiktoken",
  ];

  test.each(taken)("%s", (name) => {
    expect(names(having([name]))).toEqual([name]);
  });

  test("sorted by name, with sizes and places", () => {
    const dir = directoryWith({ b: "12", a: "1" });
    expect(sideFiles(dir, "/nowhere")).toEqual([
      { from: join(dir, "a"), to: "a", bytes: 1 },
      { from: join(dir, "b"), to: "b", bytes: 2 },
    ]);
  });

  test("folders of such files, with their own config.json", () => {
    const list = ["1_Pooling/config.json", "chat/templates/tool.jinja", "tokenizer/vocab.json"];
    expect(names(having(list))).toEqual(list);
  });

  test("what links to files lead to, as in the Hub's cache", () => {
    const dir = having(["blobs/abc", "snapshot/merges.txt"]);
    symlinkSync("../blobs/abc", join(dir, "snapshot/tokenizer.json"));
    const [, tokenizer] = sideFiles(join(dir, "snapshot"), "/nowhere");
    expect(tokenizer).toEqual({ from: join(dir, "snapshot/tokenizer.json"), to: "tokenizer.json", bytes: 4 });
  });
});

describe("left", () => {
  test.each([
    "config.json",
    "README.md",
    "hf_quant_config.json",
    "quantize_config.json",
    "model.safetensors",
    "model-00001-of-00002.safetensors",
    "model.safetensors.index.json",
    "model.safetensors.index.fp16.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
    "training_args.bin",
    "consolidated.00.pth",
    "optimizer.pt",
    "model.ckpt",
    "model.ckpt.data-00000-of-00001",
    "tf_model.h5",
    "flax_model.msgpack",
    "model.onnx",
    "model.onnx_data",
    "model-Q4_K_M.gguf",
    "rust_model.ot",
    "model.tflite",
    "weights.npz",
    "__0_0.distcp",
    "figure.PNG",
    "events.out.tfevents.1",
    ".gitattributes",
    ".git/config",
    ".cache/huggingface/x.json",
    "__pycache__/x.pyc",
    "onnx/config.json + onnx/model.onnx",
    "model.mlpackage/Data/weights/weight.bin + model.mlpackage/Manifest.json",
    "original/params.json + original/consolidated.00.pth",
    "a/b/c/d/e/deep.txt",
    "out.mlx-convert-partial.host.1/tokenizer.json",
    "x.safetensors.mlx-convert-partial.host.1",
  ])("%s", (list) => {
    expect(names(having([...list.split(" + "), "vocab.txt"]))).toEqual(["vocab.txt"]);
  });

  test("the output, where it lies inside the source, with the folder around it", () => {
    const dir = having(["vocab.txt", "mlx/tokenizer.json", "all/mlx/tokenizer.json"]);
    expect(names(dir, join(dir, "mlx"))).toEqual(["all/mlx/tokenizer.json", "vocab.txt"]);
    expect(names(dir, join(dir, "all/mlx"))).toEqual(["mlx/tokenizer.json", "vocab.txt"]);
  });

  test("folders behind links, pipes, and a folder of many files", () => {
    const dir = having(["vocab.txt", ...Array.from({ length: 201 }, (_, i) => `data/${i}.txt`)]);
    symlinkSync(directoryWith({ "x.txt": "" }), join(dir, "folder"));
    spawnSync("mkfifo", [join(dir, "pipe")]);
    expect(names(dir)).toEqual(["vocab.txt"]);
  });

  test("a file of gigabytes, whatever its name", () => {
    const dir = having(["vocab.txt", "voices.dat"]);
    truncateSync(join(dir, "voices.dat"), 2 ** 32);
    expect(names(dir)).toEqual(["vocab.txt"]);
  });
});

describe("errors", () => {
  test("a link to nothing", () => {
    const dir = having(["vocab.txt"]);
    symlinkSync("../blobs/gone", join(dir, "tokenizer.json"));
    const error = failure(() => sideFiles(dir, "/nowhere"));
    expect(error.message).toBe(`${join(dir, "tokenizer.json")}: no such file or directory`);
    expect(error.hint).toBe("a link to nowhere? fetch the model again, or remove it");
  });

  test("a link to itself", () => {
    const dir = having([]);
    symlinkSync("loop.txt", join(dir, "loop.txt"));
    expect(failure(() => sideFiles(dir, "/nowhere")).message).toMatch(/loop\.txt: too many symbolic links/);
  });

  test("a directory that went away", () => {
    const dir = having([]);
    expect(failure(() => sideFiles(join(dir, "gone"), "/nowhere")).message).toBe(
      `${join(dir, "gone")}: no such file or directory`,
    );
  });
});

describe("copySideFile", () => {
  test("copies byte for byte", () => {
    const bytes = Buffer.from([0, 255, 10, 13, 128]);
    const dir = directoryWith({ "tokenizer.model": bytes });
    const [file] = sideFiles(dir, "/nowhere");
    if (file === undefined) throw new Error("no file");
    copySideFile(file, join(dir, "copy"), "copy");
    expect(readFileSync(join(dir, "copy"))).toEqual(bytes);
  });

  test("names the file that it cannot read", () => {
    const dir = having(["vocab.txt"]);
    const [file] = sideFiles(dir, "/nowhere");
    if (file === undefined) throw new Error("no file");
    rmSync(file.from);
    expect(failure(() => copySideFile(file, join(dir, "copy"), "copy")).message).toBe(
      `${file.from}: no such file or directory`,
    );
    mkdirSync(join(dir, "copy"));
  });
});
