import type { StoredTensor } from "../tensor/info.ts";

/** The weights that MLX has packed: unsigned words with scales beside them. */
export function packedWeights(tensors: ReadonlyMap<string, StoredTensor>): StoredTensor[] {
  return [...tensors.values()].filter(
    ({ name, dtype }) => dtype === "uint32" && name.endsWith("weight") && tensors.has(scalesOf(name)),
  );
}

/** `fc.weight` → `fc.scales`. */
export const scalesOf = (weight: string): string => weight.replace(/weight$/, "scales");
