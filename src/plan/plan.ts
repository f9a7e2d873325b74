import type { Dropped } from "../architectures/apply.ts";
import type { ModelConfig } from "../architectures/config.ts";
import type { Quantization } from "../quantization/modes.ts";
import type { DType } from "../tensor/dtype.ts";
import type { Shape } from "../tensor/shape.ts";
import type { Expression } from "../expressions/expression.ts";

/** A tensor of the output. */
export interface PlannedTensor {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: Shape;
  readonly bytes: number;
  /** The number of its shard, and where it lies behind that shard's header. */
  readonly shard: number;
  readonly offset: number;
}

/** One weight of the model: a tensor, or a quantized layer's weight, scales and biases. */
export interface PlannedWeight {
  /** The name in the unquantized model, e.g. `model.layers.0.mlp.up_proj.weight`. */
  readonly name: string;
  /** What is computed from the source, before it is quantized. */
  readonly expression: Expression;
  readonly quantization: Quantization | undefined;
  /** weight, scales, biases; or the tensor itself. */
  readonly tensors: readonly PlannedTensor[];
}

export interface Shard {
  /** File name in the model directory. */
  readonly file: string;
  /** The file's beginning: length, JSON, padding. */
  readonly header: Uint8Array;
  readonly dataBytes: number;
}

/** What becomes of one layer where it is not what was asked for in general; written to config.json. */
export interface LayerQuantization {
  readonly bits: number;
  readonly groupSize: number;
  /** Left out where mlx-lm leaves it out, which means affine. */
  readonly mode?: Quantization["mode"];
}

/** Everything that is decided before a tensor's bytes are read. */
export interface Plan {
  readonly source: string;
  readonly format: string;
  /** The model_type whose rules were applied, or undefined: names and layout as in the source. */
  readonly architecture: string | undefined;
  /** The source's config, from which the output's is made. */
  readonly config: ModelConfig | undefined;
  readonly quantization: Quantization | undefined;
  readonly layerQuantization: ReadonlyMap<string, LayerQuantization>;
  readonly weights: readonly PlannedWeight[];
  readonly shards: readonly Shard[];
  readonly dropped: readonly Dropped[];
  /** Floating-point weights that stay unquantized although quantization was asked for. */
  readonly keptFloat: readonly Dropped[];
  readonly warnings: readonly string[];
  /** Elements of all weights, as before quantization. */
  readonly parameters: number;
  /** Bytes of all output tensors. */
  readonly bytes: number;
  readonly bitsPerWeight: number;
  /** Bytes of the output files with tensors, headers included. */
  readonly diskBytes: number;
  /** Bytes of source tensors that will be read. */
  readonly readBytes: number;
  /** Bytes of all weights before quantization: what progress counts. */
  readonly workBytes: number;
  readonly threads: number;
  readonly peakMemoryBytes: number;
  /** Part of the usual tile size that memory allows, 1 if all. */
  readonly tileScale: number;
}
