// https://huggingface.co/docs/transformers/big_models#shard-metadata
import { JsonNumber, type SpelledJson, spelledJsonText } from "../formats/spelled-json.ts";

export interface IndexContents {
  /** Bytes of all tensors. */
  readonly totalSize: number;
  /** Elements of all weights, as before quantization. */
  readonly totalParameters: number;
  /** Tensor → the shard that holds it. */
  readonly weightMap: ReadonlyMap<string, string>;
}

/** The text of `model.safetensors.index.json`, as mlx-lm writes it: names sorted, indented by 4. */
export function indexFile({ totalSize, totalParameters, weightMap }: IndexContents): string {
  const metadata = new Map([
    ["total_size", new JsonNumber(totalSize)],
    ["total_parameters", new JsonNumber(totalParameters)],
  ]);
  const sorted = new Map([...weightMap].toSorted(([a], [b]) => (a < b ? -1 : 1)));
  return spelledJsonText(
    new Map<string, SpelledJson>([
      ["metadata", metadata],
      ["weight_map", sorted],
    ]),
  );
}
