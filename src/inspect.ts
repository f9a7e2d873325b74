import { layerOfTensor, type LayerEvidence } from "./layout/kinds.ts";
import { openModel } from "./open.ts";
import type { Quantization } from "./quantization/modes.ts";
import { storedLayers } from "./layout/quantized.ts";
import type { DType } from "./tensor/dtype.ts";
import type { StoredTensor } from "./tensor/info.ts";
import { tensorBytes } from "./tensor/size.ts";
import { elementCount, type Shape } from "./tensor/shape.ts";

export interface InspectReport {
  readonly source: string;
  readonly format: string;
  /** `model_type` of config.json, where there is one. */
  readonly architecture: string | undefined;
  /** Elements of all tensors; of packed weights those before they were packed. */
  readonly parameters: number;
  readonly bytes: number;
  readonly files: readonly { readonly path: string; readonly bytes: number }[];
  readonly tensors: readonly {
    readonly name: string;
    readonly dtype: DType;
    readonly shape: Shape;
    readonly layer: LayerEvidence | undefined;
    /** How the weight is packed, where it is. */
    readonly quantization: Quantization | undefined;
  }[];
  readonly metadata: Readonly<Record<string, string>>;
  /** What a pickle asks for, `module.name`. */
  readonly globals: readonly string[];
  readonly warnings: readonly string[];
}

/**
 * Says what is in a checkpoint; reads its headers only and needs no addon.
 * @param source a file or a directory
 * @throws MlxConvertError where it is none, or broken
 */
export function inspect(source: string): InspectReport {
  const { checkpoint, config } = openModel(source);
  const tensors = [...checkpoint.tensors.values()];
  const quantized = storedLayers(checkpoint, config);
  const layerName = (name: string): string => name.replace(/\.?(weight|scales|biases)$/, "");
  const parameters = ({ name, shape }: StoredTensor): number => {
    const layer = name.endsWith("bias") ? undefined : quantized.get(layerName(name));
    if (layer === undefined) return elementCount(shape);
    return name.endsWith("weight") ? layer.parameters : 0;
  };
  return {
    source: checkpoint.source,
    format: checkpoint.format,
    architecture: config?.modelType,
    parameters: tensors.reduce((sum, tensor) => sum + parameters(tensor), 0),
    bytes: tensors.reduce((sum, tensor) => sum + tensorBytes(tensor), 0),
    files: checkpoint.files,
    tensors: tensors.map(({ name, dtype, shape }) => ({
      name,
      dtype,
      shape,
      layer: layerOfTensor(name, shape),
      quantization: name.endsWith("weight") ? quantized.get(layerName(name))?.quantization : undefined,
    })),
    metadata: checkpoint.metadata,
    globals: checkpoint.globals,
    warnings: checkpoint.warnings,
  };
}
