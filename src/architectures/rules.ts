/**
 * The vocabulary in which an architecture says what becomes of a checkpoint's tensors. Rules are data: they are applied in
 * order by `apply.ts`, and each says the one thing it does. What mlx-lm 0.32.2 does in `Model.sanitize`, `quant_predicate`
 * and `cast_predicate` is written down here once per model_type.
 */
import type { ModelConfig } from "./config.ts";

export type Rule =
  | {
      readonly rule: "drop";
      readonly names: RegExp;
      readonly reason: string;
      /** Only where the config says so. */
      readonly when?: (config: ModelConfig) => boolean;
    }
  | { readonly rule: "rename"; readonly from: RegExp; readonly to: string }
  | {
      /** Tensors that differ in one number become one, on a new first axis. */
      readonly rule: "stack";
      /** Has a group `index`: the number that is stacked over, 0 … count - 1. */
      readonly from: RegExp;
      /** Name of the result; `$<group>` inserts a group of `from`. */
      readonly to: string;
      /** The config's field that says how many there must be. */
      readonly count: string;
    }
  | {
      /** One tensor becomes several along an axis: equal parts, one a name. */
      readonly rule: "split";
      readonly from: RegExp;
      readonly axis: number;
      readonly to: readonly string[];
    }
  | { readonly rule: "transpose"; readonly names: RegExp; readonly axes: readonly number[] };

/** How layers of some name are quantized instead of as asked for; `false`: not at all. */
export interface LayerRule {
  /** Matched against the path of a layer, without `.weight`. */
  readonly layers: RegExp;
  readonly quantization: { readonly bits: number; readonly groupSize: number } | false;
}

export interface Architecture {
  /** `model_type` in config.json. */
  readonly modelType: string;
  /** Other model types that mlx-lm treats the same. */
  readonly aliases?: readonly string[];
  readonly rules: readonly Rule[];
  /** First match wins; where none matches, a quantizable layer is quantized as asked for. */
  readonly layerRules?: readonly LayerRule[];
  /** Two-dimensional weights that belong to no Linear or Embedding, by the path of their layer. */
  readonly notQuantizable?: RegExp;
  /** Fields of config.json that mlx-lm reads under another name than some checkpoints have: mlx-lm's name → the other. */
  readonly configNames?: Readonly<Record<string, string>>;
  /** Tensors that `--dtype` leaves alone. */
  readonly keepDtype?: RegExp;
}

/** `lm_head` shares the embedding's weights: MLX computes with the embedding, so a saved copy is left out. */
export const dropTiedHead = (whenUnsaid: boolean | "always"): Rule => ({
  rule: "drop",
  names: /^lm_head\.weight$/,
  reason: "tied to the token embedding",
  when: (config) => whenUnsaid === "always" || (config.boolean("tie_word_embeddings") ?? whenUnsaid),
});

/** Old checkpoints carry the rotary frequencies, which every implementation computes. */
export const dropRotaryFrequencies: Rule = {
  rule: "drop",
  names: /rotary_emb\.inv_freq/,
  reason: "rotary frequencies are computed from the config",
};

/** `….experts.<e>.<from>.weight` of all experts → `….switch_mlp.<to>.weight` (experts, out, in). */
export const stackExperts = (
  layer: string,
  count: string,
  projections: Readonly<Record<string, string>>,
): readonly Rule[] =>
  Object.entries(projections).map(([from, to]) => ({
    rule: "stack",
    from: new RegExp(`^(?<layer>${layer})\\.experts\\.(?<index>\\d+)\\.${from}\\.(?<part>weight|bias)$`),
    to: `$<layer>.switch_mlp.${to}.$<part>`,
    count,
  }));
