// https://github.com/file/file/tree/FILE5_46/magic/Magdir
import { basename } from "node:path";
import { show } from "./json.ts";

/** What a file is that is not a checkpoint, with its article, and what the user can do about it. */
export interface FileKind {
  readonly what: string;
  readonly hint: string;
}

const original = "give the PyTorch or safetensors files it was made from";
const unpack = "unpack it and give the directory";
const fetchAgain = "fetch it again: the download failed";
const withToken = "it was fetched without a token, or its terms were not accepted: fetch it again with both";
const torchSave = "load it with the program that wrote it and save its state dict with torch.save";
const saveArrays = "load it with numpy and save its arrays with safetensors.numpy.save_file";
const giveWeights = "give the weights: a .safetensors, .bin, .pt, .pth or .ckpt file, or their directory";
const giveDirectory = "give the directory that holds it";

/** Signatures, one character a byte, at the first byte or, where a number says so, further on. */
const signatures: readonly (readonly [magic: string, what: string, hint: string, at?: number])[] = [
  ["version https://git-lfs", "a Git LFS pointer", "git lfs pull"],
  ["lmgg", "a GGML file", original],
  ["fmgg", "a GGML file (ggmf)", original],
  ["tjgg", "a GGML file (ggjt)", original],
  ["algg", "a GGML adapter (ggla)", original],
  ["TFL3", "a TensorFlow Lite model", original, 4],
  ["\x89HDF\r\n\x1a\n", "an HDF5 file, as Keras writes", original],
  ["\x93NUMPY", "a NumPy array (.npy)", saveArrays],
  ["\x1f\x8b", "a gzip archive", unpack],
  ["\x28\xb5\x2f\xfd", "a Zstandard archive", unpack],
  ["\xfd7zXZ\0", "an xz archive", unpack],
  ["BZh", "a bzip2 archive", unpack],
  ["7z\xbc\xaf\x27\x1c", "a 7-Zip archive", unpack],
  ["ustar", "a tar archive", unpack, 257],
  ["\x7fELF", "a program or library (ELF)", giveWeights],
  ["\xcf\xfa\xed\xfe", "a program or library (Mach-O)", giveWeights],
  ["\xca\xfe\xba\xbe", "a program or library (Mach-O)", giveWeights],
  ["%PDF-", "a PDF document", giveWeights],
  ["\x89PNG\r\n", "a PNG image", giveWeights],
];

/**
 * Says what a file is that no reader takes, from its first bytes (512 are enough) and, where those leave a choice, its
 * name. Undefined where it is nothing known.
 */
export function describeFile(head: Uint8Array, path: string, bytes: number): FileKind | undefined {
  if (bytes === 0) return { what: "an empty file", hint: fetchAgain };
  const raw = Buffer.from(head).toString("latin1");
  const name = basename(path).toLowerCase();
  for (const [magic, what, hint, at] of signatures) {
    if (raw.startsWith(magic, at)) return { what, hint };
  }
  const text = decodeText(head);
  return text === undefined ? binaryKind(raw, name) : textKind(text, name);
}

function binaryKind(raw: string, name: string): FileKind | undefined {
  const starts = (magic: string): boolean => raw.startsWith(magic);
  if (starts("GGUF")) return { what: `a GGUF file (version ${raw.charCodeAt(4)})`, hint: original };
  if (starts("\x80") && raw.charCodeAt(1) >= 2 && raw.charCodeAt(1) <= 5) {
    return { what: "a bare pickle", hint: torchSave };
  }
  if (name.endsWith(".mlmodel")) return { what: "a Core ML model", hint: original };
  if (isOnnx(raw)) return { what: "an ONNX model", hint: original };
  if (starts("\x08\x01\x12")) return { what: "a TensorFlow SavedModel", hint: original };
  if (isGraphDef(raw)) return { what: "a TensorFlow graph", hint: original };
  if (/\.(ckpt|data-\d+-of-\d+)\.|\.data-\d/.test(name))
    return { what: "a part of a TensorFlow checkpoint", hint: original };
  if (raw.replaceAll("\0", "") === "")
    return { what: "a file that begins with nothing but zeros", hint: fetchAgain };
  return undefined;
}

/** ModelProto: `ir_version`, then the producer's name or the graph. https://github.com/onnx/onnx/blob/v1.17.0/onnx/onnx.proto */
function isOnnx(raw: string): boolean {
  const version = raw.charCodeAt(1);
  if (raw[0] !== "\x08" || version < 3 || version > 20) return false;
  return raw[2] === "\x3a" || (raw[2] === "\x12" && isWord(raw.slice(4, 4 + raw.charCodeAt(3))));
}

/**
 * GraphDef: a node of so many bytes, whose name comes first and its operation next.
 * https://github.com/tensorflow/tensorflow/blob/v2.18.0/tensorflow/core/framework/node_def.proto
 */
const isGraphDef = (raw: string): boolean =>
  [1, 2, 3].some((varint) => {
    const name = 1 + varint;
    const operation = name + 2 + raw.charCodeAt(name + 1);
    const tags = `${raw[0]}${raw[name]}${raw[operation]}`;
    return tags === "\n\n\x12" && isWord(raw.slice(name + 2, operation));
  });

const isWord = (text: string): boolean => /^[\w.:/ -]+$/.test(text);

function textKind(text: string, name: string): FileKind {
  if (/^\s*(<!doctype html|<html)/i.test(text)) return { what: "an HTML page", hint: withToken };
  if (/^\s*<\?xml/.test(text)) return { what: "an XML document", hint: withToken };
  if (/^\s*[{[]/.test(text)) return jsonKind(text, name);
  const line = show(
    text
      .trimStart()
      .split(/[\r\n]/, 1)[0]
      ?.slice(0, 40),
  );
  return { what: `plain text that begins with ${line}`, hint: giveWeights };
}

function jsonKind(text: string, name: string): FileKind {
  if (text.includes('"weight_map"')) {
    return { what: "the index of a sharded checkpoint", hint: `${giveDirectory}, or name it *.index.json` };
  }
  if (name.startsWith("tokenizer") || text.includes('"added_tokens"')) {
    return { what: "a tokenizer (JSON)", hint: giveDirectory };
  }
  if (name === "config.json" || /"(architectures|model_type)"/.test(text)) {
    return { what: "a model's configuration (JSON)", hint: giveDirectory };
  }
  return { what: "a JSON file", hint: giveWeights };
}

/** The text where the bytes are UTF-8 without control characters; the last character may be cut. */
function decodeText(head: Uint8Array): string | undefined {
  if (head.some((byte) => byte < 0x20 && byte !== 0x09 && byte !== 0x0a && byte !== 0x0d)) return undefined;
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(head, { stream: true });
  } catch {
    return undefined;
  }
}

/** What a directory is that holds no checkpoint of its own, by the names in it. */
export function describeDirectory(names: readonly string[]): FileKind | undefined {
  if (names.includes("saved_model.pb")) return { what: "a TensorFlow SavedModel", hint: original };
  if (names.includes("Manifest.json") && names.includes("Data/")) {
    return { what: "a Core ML package", hint: original };
  }
  if (names.includes("model_index.json")) {
    return {
      what: "a pipeline of several models",
      hint: "give the directory of one of them, e.g. unet or transformer",
    };
  }
  return undefined;
}
