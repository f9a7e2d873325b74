/** The architectures that are known: one file each, and one line here. */
import { MlxConvertError, quote } from "../errors.ts";
import { nearest } from "../nearest.ts";
import { gemma2 } from "./gemma2.ts";
import { llama } from "./llama.ts";
import { mixtral } from "./mixtral.ts";
import { phi3 } from "./phi3.ts";
import { qwen2 } from "./qwen2.ts";
import { qwen3 } from "./qwen3.ts";
import { qwen3Moe } from "./qwen3_moe.ts";
import type { Architecture } from "./rules.ts";

export const architectures: readonly Architecture[] = [gemma2, llama, mixtral, phi3, qwen2, qwen3, qwen3Moe];

const byModelType: ReadonlyMap<string, Architecture> = new Map(
  architectures.flatMap((a) => [a.modelType, ...(a.aliases ?? [])].map((name) => [name, a] as const)),
);

/** Every model_type that is understood, aliases too, sorted. */
const modelTypes: readonly string[] = [...byModelType.keys()].toSorted();

/** @throws MlxConvertError with the nearest names where the model type is not known */
export function architectureOf(modelType: string, file: string): Architecture {
  const found = byModelType.get(modelType);
  if (found !== undefined) return found;
  const near = nearest(modelType, modelTypes).join(", ");
  const suggestion = near === "" ? "" : `nearest: ${near} (--architecture <model_type>); `;
  throw new MlxConvertError(`model_type ${quote(modelType)} is not known`, {
    file,
    hint: `${suggestion}--architecture none keeps the names and quantizes every Linear and Embedding`,
  });
}
