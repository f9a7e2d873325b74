import { type Architecture, dropTiedHead } from "./rules.ts";

export const qwen3: Architecture = {
  modelType: "qwen3",
  rules: [dropTiedHead(true)],
};
