/** Made checkpoints with the names and shapes of a llama, of any size. */
import { closeSync, ftruncateSync, mkdirSync, openSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { serializeHeader } from "../../src/formats/safetensors.ts";
import { type DType, dtypeBits } from "../../src/tensor/dtype.ts";
import type { Shape } from "../../src/tensor/shape.ts";

export interface MadeTensor {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: Shape;
}

export interface LlamaSize {
  readonly layers: number;
  readonly hidden: number;
  readonly intermediate: number;
  readonly vocabulary: number;
}

export function llamaTensors({ layers, hidden, intermediate, vocabulary }: LlamaSize): MadeTensor[] {
  const weights: [name: string, ...shape: number[]][] = [["model.embed_tokens", vocabulary, hidden]];
  for (let layer = 0; layer < layers; layer++) {
    const prefix = `model.layers.${layer}`;
    weights.push([`${prefix}.input_layernorm`, hidden], [`${prefix}.post_attention_layernorm`, hidden]);
    for (const name of ["q", "k", "v", "o"])
      weights.push([`${prefix}.self_attn.${name}_proj`, hidden, hidden]);
    for (const name of ["gate", "up"]) weights.push([`${prefix}.mlp.${name}_proj`, intermediate, hidden]);
    weights.push([`${prefix}.mlp.down_proj`, hidden, intermediate]);
  }
  weights.push(["model.norm", hidden], ["lm_head", vocabulary, hidden]);
  return weights.map(([name, ...shape]) => ({ name: `${name}.weight`, dtype: "bfloat16", shape }));
}

export const llamaConfig = ({ layers, hidden, intermediate, vocabulary }: LlamaSize): string =>
  JSON.stringify({
    model_type: "llama",
    num_hidden_layers: layers,
    hidden_size: hidden,
    intermediate_size: intermediate,
    vocab_size: vocabulary,
    torch_dtype: "bfloat16",
  });

export interface MixtralSize extends LlamaSize {
  readonly experts: number;
}

/** A llama whose MLPs are replaced by a router and experts. */
export function mixtralTensors(size: MixtralSize): MadeTensor[] {
  const { hidden, intermediate, experts } = size;
  const shapes: Readonly<Record<string, Shape>> = {
    w1: [intermediate, hidden],
    w2: [hidden, intermediate],
    w3: [intermediate, hidden],
  };
  const moe = (layer: number): MadeTensor[] => {
    const prefix = `model.layers.${layer}.block_sparse_moe`;
    const all = Array.from({ length: experts }, (_, expert) =>
      Object.entries(shapes).map(([name, shape]): MadeTensor => {
        return { name: `${prefix}.experts.${expert}.${name}.weight`, dtype: "bfloat16", shape };
      }),
    );
    return [{ name: `${prefix}.gate.weight`, dtype: "bfloat16", shape: [experts, hidden] }, ...all.flat()];
  };
  return [
    ...llamaTensors(size).filter(({ name }) => !name.includes(".mlp.")),
    ...Array.from({ length: size.layers }, (_, layer) => moe(layer)).flat(),
  ];
}

export const mixtralConfig = (size: MixtralSize): string =>
  JSON.stringify({
    ...(JSON.parse(llamaConfig(size)) as object),
    model_type: "mixtral",
    num_local_experts: size.experts,
    num_experts_per_tok: 2,
  });

/** What the tensors' bytes are: small numbers from a generator, or a hole that takes no disk and reads as zeros. */
export type Fill = "numbers" | "hole";

/** Writes a llama's directory; returns its path. */
export const writeLlama = (dir: string, size: LlamaSize, fill: Fill): string =>
  writeModel(dir, llamaConfig(size), llamaTensors(size), fill);

export const writeMixtral = (dir: string, size: MixtralSize, fill: Fill): string =>
  writeModel(dir, mixtralConfig(size), mixtralTensors(size), fill);

function writeModel(dir: string, config: string, tensors: readonly MadeTensor[], fill: Fill): string {
  mkdirSync(dir, { recursive: true });
  writeFileSync(join(dir, "config.json"), config);
  writeFileSync(join(dir, "tokenizer.json"), '{"version": "1.0"}');
  writeTensorFile(join(dir, "model.safetensors"), tensors, fill);
  return dir;
}

export function writeTensorFile(path: string, tensors: readonly MadeTensor[], fill: Fill): void {
  const header = serializeHeader(tensors, { format: "pt" }).bytes;
  const fd = openSync(path, "w");
  writeSync(fd, header);
  if (fill === "hole") ftruncateSync(fd, header.length + bytesOf(tensors));
  else writeSync(fd, bfloat16s(bytesOf(tensors) / 2));
  closeSync(fd);
}

/** The same in memory. */
export const tensorFile = (tensors: readonly MadeTensor[]): Buffer =>
  Buffer.concat([serializeHeader(tensors, { format: "pt" }).bytes, bfloat16s(bytesOf(tensors) / 2)]);

const bytesOf = (tensors: readonly MadeTensor[]): number =>
  tensors.reduce((sum, { dtype, shape }) => {
    return sum + (shape.reduce((count, size) => count * size, 1) * dtypeBits(dtype)) / 8;
  }, 0);

/** Numbers of both signs between 2^-7 and 2^-5, always the same. */
export function bfloat16s(count: number): Uint8Array {
  const words = new Uint32Array(Math.ceil(count / 2));
  let state = 2463534242;
  for (let i = 0; i < words.length; i++) {
    // https://www.jstatsoft.org/article/view/v008i14, xorshift of 32 bits
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    words[i] = (state & 0x80ff80ff) | 0x3c003c00;
  }
  return new Uint8Array(words.buffer, 0, count * 2);
}
