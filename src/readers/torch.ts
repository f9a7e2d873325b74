// https://github.com/pytorch/pytorch/blob/v2.13.0/torch/serialization.py
import { MlxConvertError } from "../errors.ts";
import { readTorchZip } from "../formats/torch.ts";
import { isZip } from "../formats/zip.ts";
import { withFile } from "../io/byte-source.ts";
import type { Reader } from "./checkpoint.ts";

/** The number that begins a file of torch before 1.6, pickled by any protocol. */
const legacyMagic = Buffer.from("8a0a6cfc9c46f9206aa85019", "hex");
const legacyTextMagic = Buffer.from("119547037146038801333356");

/** How much of a file's head tells what it is. */
const headBytes = 64;

/** Files that `torch.save` wrote. */
export const torchReader: Reader = {
  format: "torch",
  names: /\.(bin|pt|pth|ckpt)$/,
  match: (head) => isZip(head) || isLegacy(head),

  open: (path) =>
    withFile(path, (source) => {
      const head = source.read(0, Math.min(source.bytes, headBytes));
      if (!isZip(head)) throw refuse(head, path);
      return { bytes: source.bytes, metadata: {}, ...readTorchZip(source) };
    }),
};

function refuse(head: Uint8Array, file: string): MlxConvertError {
  if (isLegacy(head)) {
    return new MlxConvertError("a file in the format of torch before 1.6, which is not read yet", {
      file,
      hint: "save it again with torch 1.6 or newer: torch.save(torch.load(file), file)",
    });
  }
  return new MlxConvertError("not a zip, which torch.save writes", {
    file,
    hint: "the file looks damaged: fetch it again",
  });
}

function isLegacy(head: Uint8Array): boolean {
  const start = Buffer.from(head.buffer, head.byteOffset, Math.min(head.length, headBytes));
  return start.includes(legacyMagic) || start.includes(legacyTextMagic);
}
