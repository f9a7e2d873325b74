/** Sources whose files are damaged, are something else, or want to do harm: what a user of the command sees. */
import { existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { instead } from "../support/command.ts";
import { bfloat16s, llamaConfig, type LlamaSize, llamaTensors, tensorFile } from "../support/llama.ts";
import { checkpoint, dict, pickle, reduce, tensor, text } from "../support/pickle.ts";
import { attempt, type Refusal, refused } from "../support/refusal.ts";
import { safetensorsFile } from "../support/safetensors.ts";

const size: LlamaSize = { layers: 2, hidden: 64, intermediate: 128, vocabulary: 96 };
const convert = ["convert", "model", "-q", "-o", "out"];
const config = llamaConfig(size);
const good = tensorFile(llamaTensors(size));
const headerEnd = 8 + Number(good.readBigUInt64LE());
const goodBin = checkpoint(pickle(dict({ "model.norm.weight": tensor() })));

const deep = "[".repeat(1_000_000);
const fetchAgain = /fetch .*again/;

/** A llama's directory with this file instead of its model.safetensors. */
const safetensors = (bytes: string | Uint8Array) => () => ({
  "model/config.json": config,
  "model/tokenizer.json": "{}",
  "model/model.safetensors": bytes,
});
const bin = (bytes: string | Uint8Array) => () => ({
  "model/config.json": config,
  "model/pytorch_model.bin": bytes,
});

function claim(length: bigint): Uint8Array {
  const bytes = Buffer.from(good);
  bytes.writeBigUInt64LE(length);
  return bytes;
}

/** Other bytes at a place of a file. */
function damaged(bytes: Uint8Array, at: number, by: Uint8Array): Buffer {
  const copy = Buffer.from(bytes);
  copy.set(by, at);
  return copy;
}

const f32 = (begin: number, end: number): object => ({
  dtype: "F32",
  shape: [(end - begin) / 4],
  data_offsets: [begin, end],
});

const broken: readonly Refusal[] = [
  {
    what: "a missing path",
    error: /^model: path does not exist$/,
    hint: /directory/,
  },
  {
    what: "an empty file",
    files: safetensors(""),
    error: /^model\/model\.safetensors: this is an empty file, not a checkpoint$/,
    hint: fetchAgain,
  },
  ...[
    ["the length", 5, /the file is truncated: expected at least 8 bytes, got 5$/],
    [
      "the header",
      headerEnd - 100,
      /the file is truncated: the header is \d+ bytes, of which \d+ are there$/,
    ],
    ["the first tensor", headerEnd + 10, /truncated/],
    ["the last tensor", good.length - 1, /truncated/],
  ].map(([place, length, error]) => ({
    what: `a file that ends in ${String(place)}`,
    files: safetensors(good.subarray(0, Number(length))),
    error: error as RegExp,
    hint: fetchAgain,
  })),
  {
    what: "bytes behind the last tensor",
    files: safetensors(Buffer.concat([good, Buffer.alloc(1)])),
    error: /^model\/model\.safetensors: .*1 /,
    hint: fetchAgain,
  },
  {
    what: "random bytes in the header",
    files: safetensors(damaged(good, 100, bfloat16s(32))),
    error: /^model\/model\.safetensors: the header is not UTF-8 text$/,
    hint: fetchAgain,
  },
  {
    what: "zeros in the header",
    files: safetensors(damaged(good, 100, Buffer.alloc(64))),
    error: /^model\/model\.safetensors: the header .* \(at character \d+\)$/,
    hint: fetchAgain,
  },
  {
    what: "nothing but random bytes",
    files: safetensors(bfloat16s(10_000)),
    error: /^model\/model\.safetensors: a header of \d+ bytes: safetensors allows at most 100000000$/,
    hint: fetchAgain,
  },
  {
    what: "overlapping offsets",
    files: safetensors(safetensorsFile({ a: f32(0, 8), b: f32(4, 12) }, 12)),
    error: /^model\/model\.safetensors: tensor "b": .*overlap/,
    hint: fetchAgain,
  },
  {
    what: "a hole between tensors",
    files: safetensors(safetensorsFile({ a: f32(0, 4), b: f32(8, 12) }, 12)),
    error: /^model\/model\.safetensors: tensor "b": /,
    hint: fetchAgain,
  },
  {
    what: "a header of 2^60 bytes",
    files: safetensors(claim(2n ** 60n)),
    error: /a header of 1152921504606846976 bytes: safetensors allows at most 100000000$/,
    hint: /damaged/,
  },
  {
    what: "deep JSON in the header",
    files: safetensors(safetensorsFile(`{"x":${deep}`)),
    error: /the header is nested deeper than 64 levels/,
    hint: fetchAgain,
  },
  {
    what: "a dtype that nobody knows",
    files: safetensors(safetensorsFile({ x: { dtype: "F7", shape: [1], data_offsets: [0, 1] } }, 1)),
    error: /tensor "x": dtype is not one of safetensors: "F7"$/,
    hint: /known are .*BF16/,
  },
  {
    what: "a tensor's name that would steer the terminal",
    files: safetensors(safetensorsFile({ "\u001b[2J": { dtype: "F7", shape: [], data_offsets: [0, 1] } }, 1)),
    error: /tensor "\\u001b\[2J": /,
    hint: /known are/,
  },
  {
    what: "a .bin that ends in the central directory",
    files: bin(goodBin.subarray(0, goodBin.length - 30)),
    error: /^model\/pytorch_model\.bin: /,
    hint: /truncated|fetch/,
  },
  {
    what: "a .bin that ends in the pickle",
    files: bin(goodBin.subarray(0, 60)),
    error: /^model\/pytorch_model\.bin: /,
    hint: /truncated|fetch/,
  },
  {
    what: "a .bin whose pickle ends early",
    files: bin(checkpoint(pickle(dict({ w: tensor() })).subarray(0, 40))),
    error: /^model\/pytorch_model\.bin: .*pickle/,
    hint: /damaged|fetch/,
  },
  {
    what: "a .bin whose storage is shorter than its tensor",
    files: bin(checkpoint(pickle(dict({ w: tensor({ size: [100, 100], strides: [100, 1] }) })))),
    error: /^model\/pytorch_model\.bin: tensor "w": /,
    hint: /damaged|fetch/,
  },
].map((refusal) => ({ args: convert, ...refusal }));

describe("a damaged file", () => {
  test.each(broken)("$what", async (refusal) => {
    expect(await attempt(refusal)).toEqual(refused(refusal));
  });
});

const strangers: readonly (readonly [
  what: string,
  bytes: Uint8Array | string,
  error: RegExp,
  hint: RegExp,
])[] = [
  [
    "a Git LFS pointer",
    "version https://git-lfs.github.com/spec/v1\noid sha256:0123456789abcdef\nsize 269060552\n",
    /this is a Git LFS pointer, not a checkpoint$/,
    /^git lfs pull$/,
  ],
  [
    "an HTML page",
    "<!DOCTYPE html>\n<html><head><title>Access denied</title></head></html>",
    /this is an HTML page, not a checkpoint$/,
    /token/,
  ],
  [
    "a GGUF file",
    Buffer.concat([Buffer.from("GGUF\x03\0\0\0"), Buffer.alloc(1000)]),
    /this is a GGUF file \(version 3\), not a checkpoint$/,
    /made from/,
  ],
  [
    "a TensorFlow SavedModel",
    Buffer.concat([Buffer.from("\x08\x01\x12\xff\x01\x0a\x05"), Buffer.alloc(1000)]),
    /this is a TensorFlow SavedModel, not a checkpoint$/,
    /made from/,
  ],
  [
    "a Keras file",
    Buffer.concat([Buffer.from("\x89HDF\r\n\x1a\n", "latin1"), Buffer.alloc(1000)]),
    /this is an HDF5 file, as Keras writes, not a checkpoint$/,
    /made from/,
  ],
];

describe.each(["model.safetensors", "pytorch_model.bin"])("%s is something else", (name) => {
  test.each(strangers)("%s", async (what, bytes, error, hint) => {
    const files = () => ({ "model/config.json": config, [`model/${name}`]: bytes });
    const refusal = { what, files, args: convert, error, hint };
    expect(await attempt(refusal)).toEqual(refused(refusal));
  });
});

test.each(["convert", "plan", "inspect"])("%s executes nothing of a pickle", async (command) => {
  const canary = join(tmpdir(), `mlx-convert-canary-${process.pid}`);
  const refusal = {
    what: "os.system",
    files: bin(checkpoint(pickle(dict({ w: tensor(), x: reduce("os", "system", text(`touch ${canary}`)) })))),
    args: command === "convert" ? convert : [command, "model"],
    error:
      /^model\/pytorch_model\.bin: the pickle asks for os\.system, which is not on the allow-list; nothing was executed$/,
    hint: /torch\.save\(model\.state_dict\(\)/,
  };
  expect(await attempt(refusal)).toEqual(refused(refusal));
  expect(existsSync(canary)).toBe(false);
});

test.each([
  ["to nearly nothing", 100],
  ["by a byte", good.length - 1],
])("a source that becomes shorter after its header was read: %s", async (what, length) => {
  const refusal: Refusal = {
    what,
    files: safetensors(good),
    args: [...convert, "--quiet"],
    error: /^model\/model\.safetensors: the file became shorter while it was read$/,
    hint: /^something else writes it/,
  };
  // The room on the disk is asked for after the plan and before the work.
  const node = instead(
    "statfsSync",
    `fs.truncateSync("model/model.safetensors", ${length}); return original(...args);`,
  );
  const outcome = await attempt(refusal, undefined, { node });
  expect(outcome).toEqual({ ...refused(refusal), changed: ["model/model.safetensors"] });
});
