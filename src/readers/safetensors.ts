// https://github.com/huggingface/safetensors/blob/24b0b2857fef49be734b9ab72ce97c09bb25f5b9/README.md#format
import { readSafetensorsHeader } from "../formats/safetensors.ts";
import { withFile } from "../io/byte-source.ts";
import type { Reader } from "./checkpoint.ts";

export const safetensorsReader: Reader = {
  format: "safetensors",
  names: /\.safetensors$/,

  // Eight bytes of length and a brace. A length of at most 100 MB has zeros in it, which no text has.
  match: (head) => head[8] === 0x7b && head.subarray(0, 8).includes(0),

  open: (path) =>
    withFile(path, (source) => ({
      bytes: source.bytes,
      ...readSafetensorsHeader(source),
      globals: [],
      warnings: [],
    })),
};
