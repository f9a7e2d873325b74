import { MlxConvertError } from "../errors.ts";
import type { Plan, PlannedWeight } from "./plan.ts";
import { baseMemoryBytes, bytesPerTensor, tileElements, tileMemory } from "../expressions/tiles.ts";

const smallestScale = 1 / 32;

/** Chooses threads and tile size so that the run stays within `limit`, and says what it takes at most. */
export function fitMemory(
  weights: readonly PlannedWeight[],
  threads: number,
  limit = Infinity,
): Pick<Plan, "threads" | "tileScale" | "peakMemoryBytes"> {
  const fixed = baseMemoryBytes + weights.length * bytesPerTensor;
  for (let tileScale = 1; ; tileScale /= 2) {
    const tile = weights.reduce((most, { expression, quantization }) => {
      const elements = tileElements(expression, quantization, tileScale);
      return Math.max(most, tileMemory(expression, quantization, elements));
    }, 0);
    const peakMemoryBytes = Math.ceil(fixed + threads * tile);
    if (peakMemoryBytes <= limit) return { threads, tileScale, peakMemoryBytes };
    if (tileScale > smallestScale) continue;
    if (threads === 1) {
      throw new MlxConvertError(
        `--max-memory ${megabytes(limit)} is too little: this takes ${megabytes(peakMemoryBytes)}`,
        {
          hint: `--max-memory ${megabytes(peakMemoryBytes)}`,
        },
      );
    }
    return fitMemory(weights, threads - 1, limit);
  }
}

const megabytes = (bytes: number): string => `${Math.ceil(bytes / 1e6)}MB`;
