import { type Architecture, dropRotaryFrequencies, dropTiedHead } from "./rules.ts";

export const qwen2: Architecture = {
  modelType: "qwen2",
  rules: [dropRotaryFrequencies, dropTiedHead(true)],
};
