import { type Architecture, dropTiedHead } from "./rules.ts";

/** `qkv_proj` and `gate_up_proj` stay fused. */
export const phi3: Architecture = {
  modelType: "phi3",
  rules: [dropTiedHead(false)],
};
