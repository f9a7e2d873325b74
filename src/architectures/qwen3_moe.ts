import { type Architecture, dropTiedHead, stackExperts } from "./rules.ts";

export const qwen3Moe: Architecture = {
  modelType: "qwen3_moe",
  configNames: { num_experts: "num_local_experts" }, // transformers 5 writes the second
  rules: [
    dropTiedHead(true),
    ...stackExperts(String.raw`model\.layers\.\d+\.mlp`, "num_experts", {
      gate_proj: "gate_proj",
      up_proj: "up_proj",
      down_proj: "down_proj",
    }),
  ],
  // The router decides which experts run: it keeps more bits.
  layerRules: [{ layers: /mlp\.gate$/, quantization: { bits: 8, groupSize: 64 } }],
};
