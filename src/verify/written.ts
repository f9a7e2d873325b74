import { MlxConvertError } from "../errors.ts";
import type { Plan } from "../plan/plan.ts";
import { safetensorsReader } from "../readers/safetensors.ts";
import { sameShape } from "../tensor/shape.ts";

/**
 * Opens what was written with the reader that opens any source and holds it against the plan.
 * @throws MlxConvertError where they differ, which would be a fault of this program
 */
export function checkWritten(plan: Plan, shards: readonly string[]): void {
  const opened = shards.map(
    (path) => new Map(safetensorsReader.open(path).tensors.map((tensor) => [tensor.name, tensor])),
  );
  for (const { tensors } of plan.weights) {
    for (const planned of tensors) {
      const found = opened[planned.shard]?.get(planned.name);
      if (found?.dtype !== planned.dtype || !sameShape(found.shape, planned.shape)) {
        throw new MlxConvertError("what was written is not what was planned", {
          file: shards[planned.shard] ?? "",
          tensor: planned.name,
        });
      }
    }
  }
}
