/** The text of config.json: the source's, made right for mlx-lm and for transformers of both generations. */
import type { ModelConfig } from "../architectures/config.ts";
import {
  isObject,
  JsonNumber,
  type SpelledJson,
  type SpelledObject,
  spelledJsonText,
} from "../formats/spelled-json.ts";
import type { LayerQuantization } from "../plan/plan.ts";
import type { Quantization } from "../quantization/modes.ts";
import type { FloatDType } from "../tensor/dtype.ts";
import { spellRopeBothWays } from "./rope.ts";

/** How the layers of the written model are quantized. */
export interface QuantizationConfig {
  readonly default: Quantization;
  /** Layers that differ from the default, by path; `false`: not quantized. */
  readonly layers: ReadonlyMap<string, LayerQuantization | false>;
}

export interface OutputConfigOptions {
  /** The dtype that the model was cast to; without, the source's words stay. */
  readonly dtype?: FloatDType;
  /** How the output is quantized, or `source`: as before, its packed tensors were not touched. Without: it is not. */
  readonly quantization?: QuantizationConfig | "source";
}

type Fields = Map<string, SpelledJson>;

/**
 * Every field of the source stays, in its place and with its numbers as they were spelled, but the quantization is what the
 * output has, the dtype and the rotary embedding are spelled in both ways, and `_name_or_path` goes.
 * @returns undefined where there is nothing to say: no source config and no quantization
 */
export function outputConfig(
  source: ModelConfig | undefined,
  options: OutputConfigOptions = {},
): string | undefined {
  const fields: Fields = new Map(source?.raw);
  fields.delete("_name_or_path");
  spellBothWays(fields, options.dtype);
  const text = fields.get("text_config");
  if (isObject(text)) fields.set("text_config", textConfig(text, options));
  if (source !== undefined && options.dtype !== undefined) setDtype(fields, options.dtype);
  if (options.quantization !== "source") setQuantization(fields, options.quantization);
  return fields.size === 0 ? undefined : spelledJsonText(fields);
}

/** The language model inside a multimodal one. Its layers' quantization is said outside, where mlx-lm looks. */
function textConfig(source: SpelledObject, options: OutputConfigOptions): SpelledObject {
  const fields: Fields = new Map(source);
  spellBothWays(fields, options.dtype);
  if (options.quantization !== "source") fields.delete("quantization_config");
  return fields;
}

function spellBothWays(fields: Fields, dtype: FloatDType | undefined): void {
  spellRopeBothWays(fields);
  const [old, now] = [fields.get("torch_dtype") ?? null, fields.get("dtype") ?? null];
  if (old === null && now === null) return;
  // A dtype that is an object says one for each part of the model: only transformers 5 understands it.
  if (dtype !== undefined) setDtype(fields, dtype);
  else if (old === null && typeof now === "string") fields.set("torch_dtype", now);
  else if (now === null && typeof old === "string") fields.set("dtype", old);
}

function setDtype(fields: Fields, dtype: FloatDType): void {
  fields.set("torch_dtype", dtype);
  fields.set("dtype", dtype);
}

function setQuantization(fields: Fields, quantization: QuantizationConfig | undefined): void {
  fields.delete("quantization");
  fields.delete("quantization_config");
  if (quantization === undefined) return;
  const value: Fields = new Map(entry(quantization.default));
  for (const [layer, how] of quantization.layers) value.set(layer, how === false ? false : entry(how));
  fields.set("quantization", value);
  // The same twice: mlx-lm reads the first, transformers and the Hub the second.
  fields.set("quantization_config", value);
}

function entry({ groupSize, bits, mode }: LayerQuantization): SpelledObject {
  const fields: Fields = new Map<string, SpelledJson>([
    ["group_size", new JsonNumber(groupSize)],
    ["bits", new JsonNumber(bits)],
  ]);
  if (mode !== undefined) fields.set("mode", mode);
  return fields;
}
