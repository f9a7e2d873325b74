import { spawnSync } from "node:child_process";
import { resolve } from "node:path";
import { runProgram } from "../../src/cli/program.ts";
import type { Terminal } from "../../src/cli/terminal.ts";
import { floats, safetensorsFile } from "./checkpoint.ts";

export const root = resolve(import.meta.dirname, "../..");
export const executable = resolve(root, "bin/mlx-convert.js");

export interface Ran {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A terminal that remembers; `isTTY` makes it one with colors and progress. */
export function fakeTerminal(isTTY = false, env: Terminal["env"] = {}) {
  const text = { stdout: "", stderr: "" };
  const stream = (name: keyof typeof text) => ({
    isTTY,
    columns: 100,
    write(written: string): void {
      text[name] += written;
    },
  });
  return { terminal: { stdout: stream("stdout"), stderr: stream("stderr"), env }, text };
}

/** A command line, run in this process. */
export async function cli(...args: string[]): Promise<Ran> {
  const { terminal, text } = fakeTerminal();
  return { status: await runProgram(args, terminal), ...text };
}

/** A command line, run as users do. */
export function runExecutable(args: readonly string[], env: Readonly<Record<string, string>> = {}): Ran {
  const { status, stdout, stderr } = spawnSync(process.execPath, [executable, ...args], {
    encoding: "utf8",
    env: { ...process.env, ...env },
  });
  return { status, stdout, stderr };
}

const ramp = (rows: number, columns: number): Uint8Array =>
  floats(Array.from({ length: rows * columns }, (_, i) => Math.sin(i)));

/** The files of a llama of two layers. */
export const tinyLlama: Readonly<Record<string, string | Uint8Array>> = {
  "model/config.json": JSON.stringify({ model_type: "llama", num_hidden_layers: 2 }),
  "model/model.safetensors": safetensorsFile({
    "model.embed_tokens.weight": ["float32", [32, 64], ramp(32, 64)],
    "model.layers.0.mlp.up_proj.weight": ["float32", [96, 64], ramp(96, 64)],
    "model.layers.0.input_layernorm.weight": ["float32", [64], ramp(1, 64)],
    "model.layers.1.mlp.up_proj.weight": ["float32", [96, 64], ramp(96, 64)],
    "model.layers.1.input_layernorm.weight": ["float32", [64], ramp(1, 64)],
    "model.layers.1.self_attn.rotary_emb.inv_freq": ["float32", [32], ramp(1, 32)],
    "model.norm.weight": ["float32", [64], ramp(1, 64)],
  }),
};
