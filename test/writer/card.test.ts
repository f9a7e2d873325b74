import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { type ModelConfig, parseConfig } from "../../src/architectures/config.ts";
import type { PlanOptions } from "../../src/plan/options.ts";
import { makePlan } from "../../src/plan/planner.ts";
import type { Plan } from "../../src/plan/plan.ts";
import { quantization } from "../../src/quantization/modes.ts";
import { contiguousStrides } from "../../src/tensor/shape.ts";
import { version } from "../../src/version.ts";
import { modelCard } from "../../src/writer/card.ts";
import { directoryWith } from "../support/files.ts";

const llama = parseConfig(
  Buffer.from('{"model_type": "llama", "architectures": ["LlamaForCausalLM"]}'),
  "config.json",
);
const none = parseConfig(Buffer.from("{}"), "config.json");
const layers = {
  "model.embed_tokens": 64,
  "model.layers.0.mlp.up_proj": 64,
  "model.layers.1.mlp.up_proj": 64,
  "model.odd": 40,
};

function plan(options: PlanOptions, source = "/home/me/Tiny Llama", config: ModelConfig = llama): Plan {
  const tensors = [
    ...Object.entries(layers).map(([layer, size]) => [`${layer}.weight`, [4, size]] as const),
    ["model.norm.weight", [64]] as const,
  ];
  const stored = tensors.map(([name, shape]) => {
    return [
      name,
      { name, dtype: "float32", shape, file: "x", offset: 0, strides: contiguousStrides(shape) },
    ] as const;
  });
  const files = [{ path: "x", bytes: 4096 }];
  return makePlan(
    {
      source,
      format: "safetensors",
      files,
      tensors: new Map(stored),
      metadata: {},
      globals: [],
      warnings: [],
    },
    config,
    { threads: 1, ...options },
  );
}

const q4 = quantization("affine", 4, 32);

describe("a quantized language model", () => {
  const made = plan({
    quantization: q4,
    onIndivisible: "keep",
    overrides: [{ layers: /layers/, what: quantization("affine", 8, 64), text: "layers=8:64" }],
  });

  test("says what it is, how it was made and how to load it", () => {
    const directory = directoryWith({
      "README.md": "---\nlicense: apache-2.0\nlanguage:\n- en\n- 'no'\ntags: [pytorch]\n---\n# Old\n",
    });
    expect(modelCard(made, { config: llama, directory }, { command: "mlx-convert convert x -q" })).toBe(`---
library_name: mlx
pipeline_tag: text-generation
license: apache-2.0
language:
- en
- "no"
tags:
- mlx
- mlx-convert
- "4-bit"
---

# Tiny Llama, converted to MLX

\`Tiny Llama\` (safetensors) in the format of [MLX](https://github.com/ml-explore/mlx), made by mlx-convert ${version}: 992 parameters (llama), 13.419 bits per weight.

\`\`\`sh
mlx-convert convert x -q
\`\`\`

## Quantization

Mode affine, 4 bits, group size 32: 3 layers.

Quantized otherwise:

- model.layers.{0…1}.mlp.up_proj: affine, 8 bits, group size 64

Kept in floating point:

- model.odd.weight: its last dimension 40 is not divisible by 32

## Use

\`\`\`sh
pip install mlx-lm
mlx_lm.generate --model <this directory> --prompt 'Hello'
\`\`\`
`);
  });

  test("says nothing of the machine, and the same wherever the source lies", () => {
    const card = modelCard(made, { config: llama, directory: undefined });
    expect(card).not.toContain("/home");
    const elsewhere = plan({ quantization: q4, onIndivisible: "keep" }, join("/srv", "Tiny Llama"));
    const here = plan({ quantization: q4, onIndivisible: "keep", threads: 7 });
    const cards = [elsewhere, here].map((one) => modelCard(one, { config: llama, directory: undefined }));
    expect(cards[0]).toBe(cards[1]);
  });
});

describe("a model of no known architecture", () => {
  const source = { config: undefined, directory: undefined };

  test("is loaded with mlx.nn, quantized", () => {
    const card = modelCard(plan({ quantization: q4, onIndivisible: "keep" }, "/x/model", none), source);
    expect(card).toContain(`weights = mx.load("model.safetensors")
nn.quantize(
    model, group_size=32, bits=4, mode="affine",
    class_predicate=lambda path, module: f"{path}.scales" in weights,
)
model.load_weights(list(weights.items()))`);
    expect(card).not.toContain("pipeline_tag");
    expect(card).not.toContain("mlx_lm");
  });

  test("is loaded with mlx.nn, not quantized", () => {
    const card = modelCard(plan({}, "/x/model", none), source);
    expect(card).toContain(
      'weights = mx.load("model.safetensors")\nmodel.load_weights(list(weights.items()))',
    );
    expect(card).not.toContain("uantiz");
    expect(card).toContain("tags:\n- mlx\n- mlx-convert\n---");
  });

  test("is loaded from all its shards", () => {
    const card = modelCard(plan({ maxShardBytes: 1024 }, "/x/model", none), source);
    expect(card).toContain(
      'for i in range(1, 5) for k, v in mx.load(f"model-{i:05d}-of-00004.safetensors").items()',
    );
  });
});

test("a language model is one whose class says so", () => {
  const config = parseConfig(
    Buffer.from('{"model_type": "llama", "architectures": ["LlamaForSequenceClassification", 3]}'),
    "c",
  );
  expect(modelCard(plan({}, "/x/model", config), { config, directory: undefined })).not.toContain(
    "pipeline_tag",
  );
});

test("names bring no markup with them", () => {
  const card = modelCard(plan({}, "/x/a`<b>\n# c", none), {
    config: undefined,
    directory: undefined,
  });
  expect(card).toContain("# ab# c, converted to MLX");
  expect(card).toContain("`ab# c` (safetensors)");
});

test("at most 20 layers are listed", () => {
  const made = plan({ quantization: q4, onIndivisible: "keep" });
  const layerQuantization = new Map(
    Array.from({ length: 23 }, (_, i) => [`layer${i}`, { bits: 8, groupSize: 64 }] as const),
  );
  const card = modelCard({ ...made, layerQuantization }, { config: llama, directory: undefined });
  expect(card).toContain("- layer19: affine, 8 bits, group size 64\n- and 3 more");
  expect(card).not.toContain("layer20");
});
