import type { ModelConfig } from "../architectures/config.ts";
import { MlxConvertError, quote } from "../errors.ts";
import { packedWeights, scalesOf } from "../quantization/packed.ts";
import type { Checkpoint } from "../readers/checkpoint.ts";
import type { PlanOptions } from "./options.ts";

const fields = ["quantization", "quantization_config"];

/**
 * Packed weights would be taken for what they are not: a plain change of container is all that can be done with them.
 * @throws MlxConvertError where the config or the tensors say that the model is quantized already
 */
export function refuseQuantized(
  checkpoint: Checkpoint,
  config: ModelConfig | undefined,
  options: PlanOptions,
): void {
  if (options.layout === "keep" && options.quantization === undefined) return;
  const evidence = configEvidence(config) ?? tensorEvidence(checkpoint);
  if (evidence === undefined) return;
  throw new MlxConvertError(
    `the model is quantized already (it has ${evidence}), which this version cannot undo`,
    {
      file: checkpoint.source,
      hint: "start from the model before it was quantized, or --layout keep without -q to change the container only",
    },
  );
}

function configEvidence(config: ModelConfig | undefined): string | undefined {
  const has = (place: ModelConfig | undefined): string | undefined =>
    fields.find((field) => (place?.raw.get(field) ?? null) !== null);
  const field = has(config) ?? has(config?.object("text_config"));
  return field && `${field} in its config.json`;
}

function tensorEvidence({ tensors }: Checkpoint): string | undefined {
  const [packed] = packedWeights(tensors);
  return packed && `the tensor ${quote(scalesOf(packed.name))}`;
}
