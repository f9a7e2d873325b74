/** Sources whose files are whole but do not make a model: config, index, shards, experts, dtypes, group sizes. */
import { describe, expect, test } from "vitest";
import type { Files } from "../support/files.ts";
import {
  llamaConfig,
  type LlamaSize,
  llamaTensors,
  type MadeTensor,
  mixtralConfig,
  mixtralTensors,
  tensorFile,
} from "../support/llama.ts";
import { checkpoint, dict, pickle, tensor } from "../support/pickle.ts";
import { attempt, type Refusal, refused } from "../support/refusal.ts";

const size: LlamaSize = { layers: 2, hidden: 64, intermediate: 128, vocabulary: 96 };
const experts = { ...size, experts: 4 };
const convert = ["convert", "model", "-q", "-o", "out"];
const tensors = llamaTensors(size);
const config = JSON.parse(llamaConfig(size)) as object;
const deep = "[".repeat(1_000_000);

const model =
  (configText: string, made: readonly MadeTensor[] = tensors) =>
  () => ({
    "model/config.json": configText,
    "model/model.safetensors": tensorFile(made),
  });
const withConfig = (fields: object, made?: readonly MadeTensor[]): (() => Files) =>
  model(JSON.stringify({ ...config, ...fields }), made);

const half = Math.floor(tensors.length / 2);
const [one, two] = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"];
const shards: Files = {
  "model/config.json": llamaConfig(size),
  [`model/${one}`]: tensorFile(tensors.slice(0, half)),
  [`model/${two}`]: tensorFile(tensors.slice(half)),
};
const weightMap = Object.fromEntries(tensors.map(({ name }, i) => [name, i < half ? one : two]));
const index = (map: object): Files => ({
  "model/model.safetensors.index.json": JSON.stringify({ metadata: {}, weight_map: map }),
});
const without = (files: Files, path: string): Files =>
  Object.fromEntries(Object.entries(files).filter(([name]) => name !== path));

const refusals: Readonly<Record<string, readonly (Omit<Refusal, "args"> & { args?: readonly string[] })[]>> =
  {
    "a group size": [
      {
        what: "that divides no input dimension",
        files: () => ({
          "model/config.json": llamaConfig({ ...size, hidden: 576 }),
          "model/model.safetensors": tensorFile(llamaTensors({ ...size, hidden: 576 })),
        }),
        args: [...convert, "--group-size", "128"],
        error:
          /^model\.embed_tokens: \[quantize\] The last dimension of the matrix needs to be divisible by the quantization group size 128\. However the provided matrix has shape \(96, ?576\)\.?; layers: model\.embed_tokens \(96, 576\), model\.layers\.\{0…1\}\.mlp\.gate_proj \(128, 576\), .*self_attn\.v_proj \(576, 576\)$/,
        hint: /^--group-size 32 or 64, or --on-indivisible keep, or --on-indivisible fit$/,
      },
      {
        what: "that divides none of 5000 layers with names of their own",
        files: model(
          "{}",
          Array.from({ length: 5000 }, (_, i) => ({
            name: `layer_${i}.weight`,
            dtype: "bfloat16",
            shape: [1, 33],
          })),
        ),
        error: /^layer_0: \[quantize\].* and \d+ more$/,
        hint: /^--on-indivisible keep/,
      },
    ],
    "config.json": [
      {
        what: "with a model_type that nobody knows",
        files: withConfig({ model_type: "qwen3x" }),
        error: /^model\/config\.json: model_type "qwen3x" is not known$/,
        hint: /^nearest: qwen3, qwen2.*--architecture none/,
      },
      {
        what: "with a model_type of a megabyte",
        files: withConfig({ model_type: "x".repeat(1_000_000) }),
        error: /^model\/config\.json: model_type "x+…" is not known$/,
        hint: /--architecture none/,
      },
      {
        what: "that is not JSON",
        files: model("model_type: llama\n"),
        error: /^model\/config\.json: the config is not valid JSON: expected .* \(at character 0\)$/,
        hint: /save_pretrained/,
      },
      {
        what: "that is empty",
        files: model(""),
        error: /^model\/config\.json: this is an empty file, not a config$/,
        hint: /fetch it again/,
      },
      {
        what: "that is a Git LFS pointer",
        files: model("version https://git-lfs.github.com/spec/v1\n"),
        error: /^model\/config\.json: this is a Git LFS pointer, not a config$/,
        hint: /^git lfs pull$/,
      },
      {
        what: "that is a list",
        files: model("[]"),
        error: /^model\/config\.json: expected a JSON object, got a list$/,
        hint: /save_pretrained/,
      },
      {
        what: "that nests a million times",
        files: model(`{"x":${deep}`),
        error: /^model\/config\.json: the config is nested deeper than 64 levels/,
        hint: /save_pretrained/,
      },
      {
        what: "whose model_type is a number",
        files: withConfig({ model_type: 8 }),
        error: /^model\/config\.json: model_type: expected a string, got 8$/,
        hint: /save_pretrained/,
      },
      {
        what: "whose tie_word_embeddings is a list of a megabyte",
        files: withConfig({ tie_word_embeddings: "x".repeat(1_000_000) }),
        error: /^model\/config\.json: tie_word_embeddings: expected true or false, got "x+…"$/,
        hint: /save_pretrained/,
      },
      {
        what: "whose num_local_experts is text",
        files: model(
          mixtralConfig(experts).replace('"num_local_experts":4', '"num_local_experts":"8"'),
          mixtralTensors(experts),
        ),
        error: /^model\/config\.json: num_local_experts: expected a number, got "8"$/,
        hint: /save_pretrained/,
      },
      {
        what: "that says nothing of the experts that are there",
        files: model(mixtralConfig(experts).replace('"num_local_experts":4,', ""), mixtralTensors(experts)),
        error: /config\.json: num_local_experts is missing/,
        hint: /./,
      },
      {
        what: "that says there are 10^15 experts",
        files: model(
          mixtralConfig(experts).replace('"num_local_experts":4', '"num_local_experts":1e15'),
          mixtralTensors(experts),
        ),
        error:
          /number 4 of 1000000000000000 \(config\.json: num_local_experts\) is missing from the checkpoint$/,
        hint: /./,
      },
      {
        what: "that says there are 2.5 experts",
        files: model(
          mixtralConfig(experts).replace('"num_local_experts":4', '"num_local_experts":2.5'),
          mixtralTensors(experts),
        ),
        error: /config\.json says num_local_experts 2\.5, but the checkpoint has 4$/,
        hint: /./,
      },
    ],
    names: [
      {
        what: "that a quantized layer would need",
        files: () => ({
          "model.safetensors": tensorFile([
            { name: "a.fc.weight", dtype: "bfloat16", shape: [64, 64] },
            { name: "a.fc.biases", dtype: "bfloat16", shape: [1] },
          ]),
        }),
        args: ["convert", "model.safetensors", "-q", "-o", "out"],
        error: /^tensor "a\.fc\.biases": two tensors of the output get this name$/,
        hint: /--override '\^a\.fc\$=skip'$/,
      },
    ],
    experts: [
      {
        what: "of which one is missing",
        files: model(
          mixtralConfig(experts),
          mixtralTensors(experts).filter(
            ({ name }) => !name.includes("layers.1.block_sparse_moe.experts.2.w1"),
          ),
        ),
        error:
          /tensor "model\.layers\.1\.block_sparse_moe\.switch_mlp\.gate_proj\.weight": number 2 of 4 \(config\.json: num_local_experts\) is missing from the checkpoint$/,
        hint: /fetch the source again/,
      },
      {
        what: "of which there is one too many",
        files: model(mixtralConfig(experts), mixtralTensors({ ...experts, experts: 5 })),
        error: /config\.json says num_local_experts 4, but the checkpoint has 5/,
        hint: /./,
      },
      {
        what: "that differ in their shapes",
        files: model(
          mixtralConfig(experts),
          mixtralTensors(experts).map((made) =>
            made.name.includes("layers.0.block_sparse_moe.experts.3.w2")
              ? { ...made, shape: [64, 64] }
              : made,
          ),
        ),
        error:
          /^stack: "model\.layers\.0\.block_sparse_moe\.experts\.3\.w2\.weight" bfloat16 \(64, 64\) does not fit .*experts\.0\.w2\.weight" bfloat16 \(64, 128\)$/,
        hint: /./,
      },
    ],
    "an index": [
      {
        what: "that names a shard which is missing",
        files: () => ({ ...without(shards, `model/${two}`), ...index(weightMap) }),
        error:
          /^model\/model\.safetensors\.index\.json: missing from the 2 files it names: model-00002-of-00002\.safetensors \(\d+ of \d+ tensors\)$/,
        hint: /^fetch the missing files/,
      },
      {
        what: "that has a tensor in another shard",
        files: () => ({ ...shards, ...index({ ...weightMap, "lm_head.weight": one }) }),
        error:
          /tensor "lm_head\.weight": expected in model-00001-of-00002\.safetensors, got it in model-00002-of-00002\.safetensors$/,
        hint: /fetch them again/,
      },
      {
        what: "that names a tensor which no shard has",
        files: () => ({ ...shards, ...index({ ...weightMap, nothing: two }) }),
        error:
          /tensor "nothing": expected in model-00002-of-00002\.safetensors, got it in none of its files$/,
        hint: /fetch them again/,
      },
      {
        what: "that leads out of its directory",
        files: () => ({ ...shards, ...index({ ...weightMap, "lm_head.weight": "../../etc/passwd" }) }),
        error:
          /tensor "lm_head\.weight": the index names "\.\.\/\.\.\/etc\/passwd": expected a file in its own directory$/,
        hint: /fetch it again/,
      },
      {
        what: "that leads to an absolute path",
        files: () => ({ ...shards, ...index({ ...weightMap, "lm_head.weight": "/etc/passwd" }) }),
        error: /the index names "\/etc\/passwd": expected a file in its own directory$/,
        hint: /fetch it again/,
      },
      {
        what: "that names itself",
        files: () => ({
          ...shards,
          ...index({ ...weightMap, "lm_head.weight": "model.safetensors.index.json" }),
        }),
        error: /model\.safetensors\.index\.json: this is the index of a sharded checkpoint, not a checkpoint/,
        hint: /./,
      },
      {
        what: "that nests a million times",
        files: () => ({ ...shards, "model/model.safetensors.index.json": `{"weight_map":${deep}` }),
        error: /^model\/model\.safetensors\.index\.json: the index is nested deeper than 64 levels/,
        hint: /fetch it again/,
      },
      {
        what: "without a weight_map",
        files: () => ({ ...shards, "model/model.safetensors.index.json": "{}" }),
        error: /expected a weight_map from tensors to files, got missing$/,
        hint: /fetch it again/,
      },
    ],
    shards: [
      {
        what: "of which one is missing, without an index",
        files: () => without(shards, `model/${one}`),
        error: /^model: missing from the 2 shards: model-00001-of-00002\.safetensors$/,
        hint: /^fetch the missing files/,
      },
      {
        what: "that both have a tensor",
        files: () => ({ ...shards, [`model/${two}`]: tensorFile(tensors.slice(half - 1)) }),
        error:
          /^model\/model-00002-of-00002\.safetensors: tensor ".*": is in model-00001-of-00002\.safetensors too$/,
        hint: /not of one checkpoint/,
      },
    ],
    "a directory": [
      {
        what: "without any checkpoint",
        files: () => ({ "model/config.json": llamaConfig(size), "model/README.md": "# A model" }),
        error: /^model: no checkpoint in this directory: only README\.md, config\.json$/,
        hint: /model\.safetensors/,
      },
      {
        what: "with several checkpoints",
        files: () => ({
          "model/a.safetensors": tensorFile(tensors),
          "model/b.safetensors": tensorFile(tensors),
        }),
        error: /^model: several checkpoints in one directory: a\.safetensors, b\.safetensors$/,
        hint: /name the file to take/,
      },
      {
        what: "with an adapter alone",
        files: () => ({ "model/adapter_model.safetensors": tensorFile(tensors) }),
        error: /^model: only an adapter, not a model: adapter_model\.safetensors$/,
        hint: /fuse/,
      },
      {
        what: "with a checkpoint of no tensors",
        files: model(llamaConfig(size), []),
        error: /^model: there is no tensor in it$/,
        hint: /./,
      },
    ],
    "a dtype": [
      {
        what: "that MLX has not",
        files: model(llamaConfig(size), [
          ...tensors,
          { name: "x.weight", dtype: "float8_e4m3fn", shape: [4, 64] },
        ]),
        error: /^tensor "x\.weight": MLX has no arrays of float8_e4m3fn$/,
        hint: /--layout keep/,
      },
      {
        what: "of a .bin that safetensors has not, kept as it is",
        files: () => ({
          "model/pytorch_model.bin": checkpoint(
            pickle(dict({ w: tensor({ type: "ComplexDoubleStorage", count: 1, size: [1], strides: [1] }) })),
          ),
        }),
        args: ["convert", "model", "--layout", "keep", "-o", "out"],
        error: /tensor "w": safetensors has no dtype for complex128$/,
        hint: /./,
      },
    ],
  };

describe.each(Object.entries(refusals))("%s", (_title, cases) => {
  test.each(cases.map((refusal) => ({ args: convert, ...refusal })))("$what", async (refusal) => {
    expect(await attempt(refusal)).toEqual(refused(refusal));
  });
});
