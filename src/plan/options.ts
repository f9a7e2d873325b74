import type { Quantization } from "../quantization/modes.ts";
import type { FloatDType } from "../tensor/dtype.ts";

/** What happens to the layers whose path matches. */
export interface Override {
  readonly layers: RegExp;
  /** Quantized so, kept as a float of this dtype, or (`skip`) not quantized. */
  readonly what: Quantization | FloatDType | "skip";
  /** As the user wrote it, for messages; default: the source of `layers`. */
  readonly text?: string;
}

export const onIndivisible = ["error", "keep", "fit"] as const;

export interface PlanOptions {
  /** Quantize every Linear and Embedding so; without, nothing is quantized. */
  readonly quantization?: Quantization;
  /** For single layers; the last that matches wins. */
  readonly overrides?: readonly Override[];
  /**
   * A layer whose last dimension the group size does not divide: `error` (default), `keep` it in float, or `fit`: use the
   * largest group size that divides it.
   */
  readonly onIndivisible?: (typeof onIndivisible)[number];
  /** Floating-point tensors get this dtype; default: what config.json says, else what they have. */
  readonly dtype?: FloatDType;
  /** A model_type, `auto` (default: config.json says it, where there is one) or `none`: names as they are. */
  readonly architecture?: string;
  /** `mlx` (default), or `keep`: a plain change of container, every tensor as it is. */
  readonly layout?: "mlx" | "keep";
  /** Bytes of tensors in one file; default 5 GiB, as mlx-lm. */
  readonly maxShardBytes?: number;
  /** One file of this name instead of a model directory. */
  readonly singleFile?: string;
  /** Default: one a core. */
  readonly threads?: number;
  /** Tiles are made smaller until the run fits; default: no limit. */
  readonly maxMemoryBytes?: number;
}
