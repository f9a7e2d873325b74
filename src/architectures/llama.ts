import { type Architecture, dropRotaryFrequencies, dropTiedHead } from "./rules.ts";

export const llama: Architecture = {
  modelType: "llama",
  aliases: ["mistral", "iquestcoder", "xverse"],
  rules: [dropRotaryFrequencies, dropTiedHead(true)],
};
