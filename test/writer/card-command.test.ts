import { expect, test } from "vitest";
import { cardCommand } from "../../src/writer/card-command.ts";

test.each([
  [["convert", "SmolLM2-135M", "-q", "--bits", "4"], "mlx-convert convert SmolLM2-135M -q --bits 4"],
  [["convert", "/home/me/models/SmolLM2-135M", "-q"], "mlx-convert convert SmolLM2-135M -q"],
  [["convert", "--hf-path=/home/me/x", "-q"], "mlx-convert convert --hf-path=x -q"],
  [["convert", "../x", "~/y", "./z/w.pt"], "mlx-convert convert x y w.pt"],
  [["convert", "owner/name", "models/x"], "mlx-convert convert owner/name models/x"],
  [
    ["convert", "x", "-o", "out", "--overwrite", "-q", "--threads", "8", "--json"],
    "mlx-convert convert x -q",
  ],
  [
    ["convert", "x", "--output=out", "--mlx-path", "y", "--max-memory=1G", "--quiet"],
    "mlx-convert convert x",
  ],
  [["convert", "x", "--override", "lm_head$=8"], "mlx-convert convert x --override 'lm_head$=8'"],
  [["convert", "it's here"], String.raw`mlx-convert convert 'it'\''s here'`],
])("%j", (argv, command) => {
  expect(cardCommand(argv)).toBe(command);
});
