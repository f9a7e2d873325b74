import { type Architecture, dropTiedHead } from "./rules.ts";

/** Always tied; mlx-lm adds 1 to the norms' weights when it runs, so they stay as they are. */
export const gemma2: Architecture = {
  modelType: "gemma2",
  rules: [dropTiedHead("always")],
};
