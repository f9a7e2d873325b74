import type { Shape } from "../tensor/shape.ts";

/** What layer a tensor seems to belong to, and what says so. */
export interface LayerEvidence {
  readonly kind: string;
  readonly evidence: string;
}

/** A guess from a tensor's name and number of dimensions; undefined where these say nothing. */
export function layerOfTensor(name: string, shape: Shape): LayerEvidence | undefined {
  const layer = /(?:^|\.)([^.]*)\.weight$/.exec(name)?.[1]?.toLowerCase();
  if (layer === undefined) return undefined;
  const evidence = `its name and ${shape.length} dimension${shape.length === 1 ? "" : "s"}`;
  if (shape.length === 1 && /norm|ln_|^ln|^bn/.test(layer)) return { kind: "Norm", evidence };
  if (shape.length !== 2) return undefined;
  return { kind: /embed|^wte$|^wpe$/.test(layer) ? "Embedding" : "Linear", evidence };
}
