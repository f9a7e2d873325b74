import { type ModelConfig, parseConfig } from "../architectures/config.ts";
import type { Checkpoint } from "../readers/checkpoint.ts";
import { elementCount } from "../tensor/shape.ts";
import { isQuantizationMode, type Quantization } from "../quantization/modes.ts";
import { packedWeights } from "../quantization/packed.ts";

/** A layer of an MLX model whose weight is packed. */
export interface StoredLayer {
  readonly quantization: Quantization;
  /** Elements of the weight before it was packed. */
  readonly parameters: number;
}

/**
 * The quantized layers of a checkpoint by their paths: a packed weight with scales beside it, of which config.json (or, in a
 * single file of ours, the header) says how. Layers of which nothing says it are left out.
 */
export function storedLayers(
  { source, tensors, metadata }: Checkpoint,
  config: ModelConfig | undefined,
): ReadonlyMap<string, StoredLayer> {
  const layers = new Map<string, StoredLayer>();
  const said = config?.object("quantization") ?? fromHeader(metadata["quantization"], source);
  if (said === undefined) return layers;
  for (const { name, shape } of packedWeights(tensors)) {
    const layer = name.replace(/\.?weight$/, "");
    const quantization = quantizationOf(said, layer);
    if (quantization === undefined) continue;
    layers.set(layer, { quantization, parameters: (elementCount(shape) * 32) / quantization.bits });
  }
  return layers;
}

function quantizationOf(said: ModelConfig, layer: string): Quantization | undefined {
  const own = said.raw.get(layer) instanceof Map ? said.object(layer) : said;
  const [mode, bits, groupSize] = [
    own?.string("mode") ?? "affine",
    own?.number("bits"),
    own?.number("group_size"),
  ];
  if (!isQuantizationMode(mode) || bits === undefined || groupSize === undefined) return undefined;
  return { mode, bits, groupSize };
}

const fromHeader = (text: string | undefined, file: string): ModelConfig | undefined =>
  text === undefined ? undefined : parseConfig(new TextEncoder().encode(text), file);
