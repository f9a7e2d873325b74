/** What each weight becomes: its tensors, their dtypes and sizes. */
import type { ModelConfig } from "../architectures/config.ts";
import type { Architecture } from "../architectures/rules.ts";
import { MlxConvertError } from "../errors.ts";
import { cast, type Expression } from "../expressions/expression.ts";
import { type Quantization, quantizedParts } from "../quantization/modes.ts";
import { type DType, type FloatDType, isCastable, isMlxDType, safetensorsName } from "../tensor/dtype.ts";
import { tensorBytes } from "../tensor/size.ts";
import { layerOf } from "./choose.ts";
import type { PlanOptions } from "./options.ts";
import type { Unplaced } from "./shards.ts";

/** What dtype a tensor gets in the output. */
export function dtypeRule(
  architecture: Architecture | undefined,
  config: ModelConfig | undefined,
  options: PlanOptions,
): (name: string, dtype: DType) => DType {
  const keep = options.layout === "keep";
  const wanted = options.dtype ?? (keep ? undefined : config?.dtype);
  return (name, dtype) => {
    if (isCastable(dtype)) {
      if (wanted !== undefined && architecture?.keepDtype?.test(name) !== true) return wanted;
      return dtype === "float64" && !keep ? "float32" : dtype;
    }
    if (!keep && !isMlxDType(dtype)) {
      throw new MlxConvertError(`MLX has no arrays of ${dtype}`, {
        tensor: name,
        hint: "--layout keep changes the container only",
      });
    }
    if (safetensorsName(dtype) === undefined) {
      throw new MlxConvertError(`safetensors has no dtype for ${dtype}`, {
        tensor: name,
        hint: "save the source without it, or as another dtype",
      });
    }
    return dtype;
  };
}

export function plainWeight(name: string, value: Expression, dtype: DType): Unplaced {
  const expression = isCastable(value.dtype) ? cast(value, dtype as FloatDType) : value;
  const { shape } = value;
  const bytes = tensorBytes({ dtype, shape });
  return { name, expression, quantization: undefined, tensors: [{ name, dtype, shape, bytes }] };
}

export function quantizedWeight(
  name: string,
  expression: Expression,
  dtype: FloatDType,
  quantization: Quantization,
): Unplaced {
  const prefix = name.slice(0, name.length - "weight".length);
  const tensors = quantizedParts(expression.shape, dtype, quantization).map((part) => ({
    name: prefix + part.suffix,
    dtype: part.dtype,
    shape: part.shape,
    bytes: tensorBytes(part),
  }));
  return { name, expression, quantization, tensors };
}

/** A layer's scales may meet a tensor that the source has under their name. */
export function requireOneOfEachName(weights: readonly Unplaced[]): void {
  const names = new Set<string>();
  for (const { name } of weights.flatMap(({ tensors }) => tensors)) {
    if (names.has(name)) {
      throw new MlxConvertError("two tensors of the output get this name", {
        tensor: name,
        hint: `is the layer quantized already? --override '^${layerOf(name.replace(/[^.]*$/, "weight"))}$=skip'`,
      });
    }
    names.add(name);
  }
}
