/** Which weights are quantized and how: what was asked for, the architecture's rules, the user's overrides. */
import type { Architecture } from "../architectures/rules.ts";
import { MlxConvertError } from "../errors.ts";
import { collapseNames, listSome } from "../names.ts";
import { groupSizesOf, indivisible, type Quantization } from "../quantization/modes.ts";
import { type FloatDType, isCastable } from "../tensor/dtype.ts";
import { showShape } from "../tensor/shape.ts";
import type { Expression } from "../expressions/expression.ts";
import type { Override, PlanOptions } from "./options.ts";
import type { LayerQuantization } from "./plan.ts";

export type Choice =
  | { readonly quantization: Quantization; readonly entry?: LayerQuantization }
  | { readonly keep: string; readonly dtype?: FloatDType };

/** More would be no message but a page. */
const mostLayers = 16;

const overridden = (override: Override): string => `--override ${override.text ?? override.layers.source}`;

type Weights = ReadonlyMap<string, Expression>;

/** The path of the layer that a weight belongs to: `….up_proj.weight` → `….up_proj`. */
export const layerOf = (name: string): string => name.replace(/(^|\.)weight$/, "");

/** Chooses for one weight after the other and remembers what cannot be: `finish` reports it in one error. */
export function makeChooser(
  weights: Weights,
  architecture: Architecture | undefined,
  options: PlanOptions,
): { choose(name: string, value: Expression): Choice; finish(): readonly string[] } {
  const misfits: { layer: string; value: Expression; quantization: Quantization }[] = [];
  const fitted: string[] = [];
  const unused = new Set(options.overrides ?? []);

  const overrideFor = (layer: string): Override | undefined => {
    const matching = (options.overrides ?? []).filter(({ layers }) => layers.test(layer));
    for (const override of matching) unused.delete(override);
    return matching.at(-1);
  };

  const fit = (name: string, value: Expression, wanted: Quantization, entry?: LayerQuantization): Choice => {
    const last = value.shape.at(-1) ?? 0;
    if (last % wanted.groupSize === 0) return { quantization: wanted, ...(entry && { entry }) };
    const layer = layerOf(name);
    const keep = { keep: `its last dimension ${last} is not divisible by ${wanted.groupSize}` };
    switch (options.onIndivisible ?? "error") {
      case "error":
        misfits.push({ layer, value, quantization: wanted });
        return keep;
      case "keep":
        return keep;
      case "fit": {
        const groupSize = groupSizesOf(wanted.mode).findLast((size) => last % size === 0);
        if (groupSize === undefined)
          return { keep: `no group size of ${wanted.mode} divides its last dimension ${last}` };
        fitted.push(layer);
        const quantization = { ...wanted, groupSize };
        return { quantization, entry: quantization };
      }
    }
  };

  return {
    choose(name, value) {
      const layer = layerOf(name);
      const override = overrideFor(layer);
      const what = override?.what;
      if (override !== undefined && typeof what === "string") {
        const keep = overridden(override);
        return what === "skip" ? { keep } : { keep, dtype: what };
      }
      const asked = options.quantization;
      const why =
        asked === undefined ? "quantization was not asked for" : whyNot(name, value, weights, architecture);
      if (why !== undefined || asked === undefined) return { keep: why ?? "" };
      if (typeof what === "object") return fit(name, value, what, what);
      const rule = architecture?.layerRules?.find(({ layers }) => layers.test(layer));
      if (rule?.quantization === false) return { keep: `${architecture?.modelType} keeps it in float` };
      // mlx-lm looks at the general group size before it asks the rule, whose mode is always affine.
      if (rule !== undefined && (value.shape.at(-1) ?? 0) % asked.groupSize === 0) {
        return fit(name, value, { mode: "affine", ...rule.quantization }, rule.quantization);
      }
      return fit(name, value, asked);
    },
    finish() {
      if (misfits.length > 0) throw misfitError(misfits);
      const [first] = unused;
      if (first !== undefined) {
        throw new MlxConvertError(`${overridden(first)}: matches no layer`, {
          hint: "`mlx-convert plan <source>` lists the layers",
        });
      }
      return fitted.length === 0
        ? []
        : [`a smaller group size was fitted to ${listSome(collapseNames(fitted), mostLayers)}`];
    },
  };
}

/** Why a weight is none that MLX quantizes; undefined for Linear, Embedding and stacked experts. */
function whyNot(
  name: string,
  value: Expression,
  weights: Weights,
  architecture: Architecture | undefined,
): string | undefined {
  if (!isCastable(value.dtype)) return "not floating point";
  if (!/(^|\.)weight$/.test(name)) return "not a layer's weight";
  const layer = layerOf(name);
  if (value.shape.length < 2) return "a vector";
  if (/conv[^.]*$/i.test(layer)) return "a convolution";
  if (architecture?.notQuantizable?.test(layer) === true)
    return `not quantizable in ${architecture.modelType}`;
  if (architecture !== undefined) return undefined;
  if (value.shape.length > 2) return `${value.shape.length} dimensions: not a Linear or Embedding`;
  const bias = weights.get(layer === "" ? "bias" : `${layer}.bias`);
  if (bias !== undefined && (bias.shape.length !== 1 || bias.shape[0] !== value.shape[0])) {
    return `its bias ${showShape(bias.shape)} is not that of a Linear`;
  }
  return undefined;
}

function misfitError(
  misfits: readonly { layer: string; value: Expression; quantization: Quantization }[],
): MlxConvertError {
  const [first] = misfits as [(typeof misfits)[number]];
  const { mode, groupSize } = first.quantization;
  const works = groupSizesOf(mode).filter((size) =>
    misfits.every(({ value }) => (value.shape.at(-1) ?? 0) % size === 0),
  );
  const names = collapseNames(misfits.map(({ layer, value }) => `${layer} ${showShape(value.shape)}`));
  return new MlxConvertError(
    `${first.layer}: ${indivisible(first.value.shape, groupSize)}; layers: ${listSome(names, mostLayers)}`,
    {
      hint: [
        ...(works.length > 0 ? [`--group-size ${works.join(" or ")}`] : []),
        "--on-indivisible keep",
        "--on-indivisible fit",
      ].join(", or "),
    },
  );
}
