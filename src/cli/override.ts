/** `--override '<regex>=<what>'`: what becomes of single layers. */
import type { Override } from "../plan/options.ts";
import {
  allBits,
  isQuantizationMode,
  modeDefaults,
  type Quantization,
  quantization,
  quantizationModes,
} from "../quantization/modes.ts";
import { floatDTypes, type FloatDType } from "../tensor/dtype.ts";
import { type Parse, usageError } from "./flags.ts";

/** An override as it was written; what `8` means depends on the run's own quantization. */
export interface OverrideFlag {
  readonly layers: RegExp;
  readonly what: string;
  readonly text: string;
}

const example = String.raw`--override 'lm_head|layers\.0\.=8'`;
const expected = `expected ${allBits.join(", ")} (bits), <bits>:<group size>, ${[
  ...quantizationModes,
  ...floatDTypes,
].join(", ")} or skip`;

/** The last `=` splits: a regular expression may have others. */
export const parseOverride: Parse<OverrideFlag> = (flag, text) => {
  const at = text.lastIndexOf("=");
  if (at <= 0) throw usageError(`${flag} '${text}': expected '<regex>=<what>'`, example);
  const what = text.slice(at + 1).trim();
  if (!isKnown(what)) throw usageError(`${flag} '${text}': "${what}" is not known; ${expected}`, example);
  try {
    return { layers: new RegExp(text.slice(0, at)), what, text };
  } catch (cause) {
    const reason = (cause as Error).message.replace(/^Invalid regular expression: /, "");
    throw usageError(`${flag} '${text}': not a regular expression: ${reason}`, example);
  }
};

const isFloat = (what: string): what is FloatDType => (floatDTypes as readonly string[]).includes(what);
const bitsPattern = /^(\d+)(?::(\d+))?$/;

const isKnown = (what: string): boolean =>
  what === "skip" || isFloat(what) || isQuantizationMode(what) || bitsPattern.test(what);

/** Whether an override says how to quantize, which needs a run that quantizes. */
export const quantizes = ({ what }: OverrideFlag): boolean => what !== "skip" && !isFloat(what);

/**
 * @param run what the other layers get
 * @throws MlxConvertError where no mode takes these bits and this group size
 */
export function resolveOverride(
  { layers, what, text }: OverrideFlag,
  run: Quantization | undefined,
): Override {
  if (what === "skip" || isFloat(what)) return { layers, what, text };
  try {
    return { layers, what: asQuantization(what, run), text };
  } catch (error) {
    throw usageError(`--override '${text}': ${(error as Error).message}`, example);
  }
}

/** `8` is affine and takes over the run's group size where that is affine's. */
function asQuantization(what: string, run: Quantization | undefined): Quantization {
  if (isQuantizationMode(what)) return quantization(what);
  const [, bits, groupSize] = bitsPattern.exec(what) ?? [];
  const usual = run?.mode === "affine" ? run.groupSize : modeDefaults("affine").groupSize;
  return quantization("affine", Number(bits), groupSize === undefined ? usual : Number(groupSize));
}
