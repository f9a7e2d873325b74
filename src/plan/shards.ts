import { serializeHeader } from "../formats/safetensors.ts";
import type { PlannedTensor, PlannedWeight, Shard } from "./plan.ts";

/** A weight's tensors before they have a place. */
export interface Unplaced extends Omit<PlannedWeight, "tensors"> {
  readonly tensors: readonly Omit<PlannedTensor, "shard" | "offset">[];
}

/**
 * Gives every tensor its shard and offset. Weights keep their order; a new shard begins where the next weight would exceed
 * `maxBytes`, and a layer's weight, scales and biases stay together. Inside a shard wider dtypes come first, so that every
 * tensor is aligned without holes, which the format does not allow.
 */
export function placeInShards(
  weights: readonly Unplaced[],
  maxBytes: number,
  fileName: (shard: number, count: number) => string,
  metadata: Readonly<Record<string, string>>,
): { weights: PlannedWeight[]; shards: Shard[] } {
  const groups: Unplaced[][] = [[]];
  let filled = 0;
  for (const weight of weights) {
    const bytes = weight.tensors.reduce((sum, tensor) => sum + tensor.bytes, 0);
    if (filled > 0 && filled + bytes > maxBytes) {
      groups.push([]);
      filled = 0;
    }
    groups.at(-1)?.push(weight);
    filled += bytes;
  }
  const placed: PlannedWeight[] = [];
  const shards = groups.map((group, shard): Shard => {
    const tensors = group.flatMap((weight) => weight.tensors);
    const header = serializeHeader(tensors, metadata);
    for (const weight of group) {
      placed.push({
        ...weight,
        tensors: weight.tensors.map((tensor) => ({
          ...tensor,
          shard,
          offset: header.offsets.get(tensor.name) ?? 0,
        })),
      });
    }
    return {
      file: fileName(shard, groups.length),
      header: header.bytes,
      dataBytes: tensors.reduce((sum, tensor) => sum + tensor.bytes, 0),
    };
  });
  return { weights: placed, shards };
}

/** `model.safetensors`, or `model-00002-of-00005.safetensors`. */
export function shardName(shard: number, count: number): string {
  const number = (n: number): string => String(n).padStart(5, "0");
  return count === 1 ? "model.safetensors" : `model-${number(shard + 1)}-of-${number(count)}.safetensors`;
}
