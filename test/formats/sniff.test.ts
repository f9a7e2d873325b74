import { describe, expect, test } from "vitest";
import { describeDirectory, describeFile } from "../../src/formats/sniff.ts";

const bytes = (text: string): Uint8Array => Buffer.from(text, "latin1");
const what = (head: Uint8Array, path = "model.safetensors"): string | undefined =>
  describeFile(head, path, head.length)?.what;

/** The first bytes of real files. */
const heads: [what: string, head: string, path?: string][] = [
  ["an empty file", ""],
  ["a Git LFS pointer", "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 269060552\n"],
  ["an HTML page", "<!DOCTYPE html>\n<html class=''>"],
  ["an HTML page", "\n  <html><head><title>401"],
  ["an XML document", "<?xml version='1.0'?><Error><Code>AccessDenied"],
  ['plain text that begins with "Entry not found"', "Entry not found"],
  ['plain text that begins with "# Model"', "\n# Model\nA card"],
  ["a GGUF file (version 3)", "GGUF\x03\0\0\0\x10\x01\0\0\0\0\0\0"],
  ["a GGML file", "lmgg\0\x7d\0\0"],
  ["a GGML file (ggmf)", "fmgg\x01\0\0\0"],
  ["a GGML file (ggjt)", "tjgg\x03\0\0\0"],
  ["a GGML adapter (ggla)", "algg\x01\0\0\0"],
  ["an ONNX model", "\x08\x08\x12\x07pytorch\x1a\x052.3.1:\xe9\xda"],
  ["an ONNX model", "\x08\x07\x12\x0cPaddlePaddle:\xa2\xde\x2d"],
  ["an ONNX model", "\x08\x08:\xa0\xd2\xa1\x02\x0a\x86\x01"],
  ["a TensorFlow SavedModel", "\x08\x01\x12\xd4\x9a\x02\x0a\xb2\x01"],
  ["a TensorFlow graph", "\n;\n\x05input\x12\x0bPlaceholder*\x0b"],
  ["a TensorFlow graph", "\n\xbb\x01\n\x09conv1/wgt\x12\x05Const*"],
  ["a part of a TensorFlow checkpoint", "\0\0\x0a\x09", "model.ckpt.meta"],
  ["a part of a TensorFlow checkpoint", "\x9a\xb2\0\x3c", "variables.data-00000-of-00001"],
  ["a TensorFlow Lite model", "\x1c\0\0\0TFL3\x14\0"],
  ["an HDF5 file, as Keras writes", "\x89HDF\r\n\x1a\n\0\0"],
  ["a Core ML model", "\x08\x04\x12\x86\x01\x0a\x1c", "net.mlmodel"],
  ["a NumPy array (.npy)", "\x93NUMPY\x01\0v\0{'descr'"],
  ["a gzip archive", "\x1f\x8b\x08\0"],
  ["a Zstandard archive", "(\xb5/\xfd\x04"],
  ["an xz archive", "\xfd7zXZ\0\0"],
  ["a bzip2 archive", "BZh91AY&SY"],
  ["a 7-Zip archive", "7z\xbc\xaf'\x1c\0\x04"],
  ["a tar archive", `model.safetensors${"\0".repeat(240)}ustar\x0000`],
  ["a bare pickle", "\x80\x04\x95\x10\0\0\0"],
  ["a program or library (ELF)", "\x7fELF\x02\x01"],
  ["a program or library (Mach-O)", "\xcf\xfa\xed\xfe\x0c"],
  ["a program or library (Mach-O)", "\xca\xfe\xba\xbe\0"],
  ["a PDF document", "%PDF-1.7\n%\xe2"],
  ["a PNG image", "\x89PNG\r\n\x1a\n"],
  ["a file that begins with nothing but zeros", "\0".repeat(512)],
  ["the index of a sharded checkpoint", '{"metadata":{},"weight_map":{"a":"b"}}', "weights.json"],
  ["a tokenizer (JSON)", '{"version":"1.0","truncation":null,"added_tokens":[', "renamed.json"],
  ["a tokenizer (JSON)", '{\n  "bos_token": "<s>"', "tokenizer_config.json"],
  ["a model's configuration (JSON)", '{\n  "architectures": ["LlamaForCausalLM"]', "renamed.safetensors"],
  ["a model's configuration (JSON)", "{}", "config.json"],
  ["a JSON file", '{"error":"Repository not found"}'],
  ["a JSON file", "[1, 2]"],
];

describe("describeFile", () => {
  test.each(heads)("%s", (expected, head, path) => {
    expect(what(bytes(head), path)).toBe(expected);
  });

  test("every kind has a hint", () => {
    for (const [, head, path] of heads) {
      const start = bytes(head);
      expect(describeFile(start, path ?? "x", start.length)?.hint).toMatch(/\w{3}/);
    }
    expect(describeFile(bytes("version https://git-lfs"), "x", 130)?.hint).toBe("git lfs pull");
  });

  test("a character that the head cuts is text all the same", () => {
    expect(what(Buffer.from("é").subarray(0, 1))).toBe('plain text that begins with ""');
    expect(what(Buffer.concat([Buffer.from("Über é"), Buffer.from("é").subarray(0, 1)]))).toBe(
      'plain text that begins with "Über é"',
    );
  });

  test.each([
    ["numbers", "\x01\x02\x03\x04\xff\xfe"],
    ["a length and a brace, as safetensors begins", '\x40\0\0\0\0\0\0\0{"a":'],
    ["one byte", "\x80"],
    ["an ONNX-like version that no ONNX has", "\x08\x7f\x12\x03abc"],
    ["a graph-like beginning without an operation", "\n;\n\x05input\x13\x0b"],
  ])("says nothing of %s", (_what, head) => {
    expect(what(bytes(head))).toBeUndefined();
  });
});

describe("describeDirectory", () => {
  test.each([
    [["saved_model.pb", "variables/"], "a TensorFlow SavedModel"],
    [["Data/", "Manifest.json"], "a Core ML package"],
    [["model_index.json", "unet/"], "a pipeline of several models"],
    [["README.md"], undefined],
  ])("%j", (names, expected) => {
    expect(describeDirectory(names)?.what).toBe(expected);
  });
});
