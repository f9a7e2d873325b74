import type { PlanOptions } from "../../src/plan/options.ts";
import type { Plan } from "../../src/plan/plan.ts";
import { makePlan } from "../../src/plan/planner.ts";
import { quantization } from "../../src/quantization/modes.ts";
import { checkpointOf, configOf, type Tensors } from "./checkpoint.ts";

/** A llama of two layers, and its plans. */
export const layer = (i: number, hidden = 128, inner = 256): Tensors => ({
  [`model.layers.${i}.self_attn.q_proj.weight`]: ["bfloat16", [hidden, hidden]],
  [`model.layers.${i}.self_attn.q_proj.bias`]: ["bfloat16", [hidden]],
  [`model.layers.${i}.mlp.down_proj.weight`]: ["bfloat16", [hidden, inner]],
  [`model.layers.${i}.input_layernorm.weight`]: ["bfloat16", [hidden]],
});
export const tensors: Tensors = {
  "model.embed_tokens.weight": ["bfloat16", [1000, 128]],
  ...layer(0),
  ...layer(1),
  "lm_head.weight": ["bfloat16", [1000, 128]],
};
export const llama = (fields: object = {}): object => ({
  model_type: "llama",
  torch_dtype: "bfloat16",
  ...fields,
});
export const q4 = quantization("affine", 4, 64);

export const planOf = (what: Tensors, config: object | undefined, options: PlanOptions = {}): Plan =>
  makePlan(checkpointOf(what), config && configOf(config), options);
export const names = (plan: Plan): string[] =>
  plan.weights.flatMap((weight) => weight.tensors.map(({ name }) => name));
export const quantized = (plan: Plan): Record<string, string> =>
  Object.fromEntries(
    plan.weights.flatMap(({ name, quantization: q }) =>
      q ? [[name, `${q.mode} ${q.bits}:${q.groupSize}`]] : [],
    ),
  );
