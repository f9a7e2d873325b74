import { type Architecture, dropTiedHead, stackExperts } from "./rules.ts";

export const mixtral: Architecture = {
  modelType: "mixtral",
  rules: [
    dropTiedHead(false),
    ...stackExperts(String.raw`model\.layers\.\d+\.block_sparse_moe`, "num_local_experts", {
      w1: "gate_proj",
      w2: "down_proj",
      w3: "up_proj",
    }),
  ],
};
