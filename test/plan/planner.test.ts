import { describe, expect, test } from "vitest";
import type { Plan } from "../../src/plan/plan.ts";
import { makePlan } from "../../src/plan/planner.ts";
import { quantization } from "../../src/quantization/modes.ts";
import { checkpointOf, type Tensors } from "../support/checkpoint.ts";
import { failure } from "../support/failure.ts";
import { llama, names, planOf, q4, quantized, tensors } from "../support/plans.ts";

describe("a llama", () => {
  test("a tied head is dropped with its reason, and every other tensor is there", () => {
    const plan = planOf(tensors, llama({ tie_word_embeddings: true }));
    expect(plan.dropped).toEqual([{ name: "lm_head.weight", reason: "tied to the token embedding" }]);
    expect(names(plan)).toEqual(Object.keys(tensors).filter((name) => name !== "lm_head.weight"));
  });

  test("an untied head stays", () => {
    expect(names(planOf(tensors, llama({ tie_word_embeddings: false })))).toContain("lm_head.weight");
  });

  test("Linear and Embedding are quantized, and what stays has a reason", () => {
    const plan = planOf(tensors, llama({ tie_word_embeddings: false }), { quantization: q4 });
    expect(Object.keys(quantized(plan))).toEqual([
      "model.embed_tokens.weight",
      "model.layers.0.self_attn.q_proj.weight",
      "model.layers.0.mlp.down_proj.weight",
      "model.layers.1.self_attn.q_proj.weight",
      "model.layers.1.mlp.down_proj.weight",
      "lm_head.weight",
    ]);
    expect(plan.keptFloat.slice(0, 2)).toEqual([
      { name: "model.layers.0.self_attn.q_proj.bias", reason: "not a layer's weight" },
      { name: "model.layers.0.input_layernorm.weight", reason: "a vector" },
    ]);
    const down = plan.weights.find(({ name }) => name === "model.layers.0.mlp.down_proj.weight");
    expect(down?.tensors.map(({ name, dtype, shape, bytes }) => [name, dtype, shape, bytes])).toEqual([
      ["model.layers.0.mlp.down_proj.weight", "uint32", [128, 32], 16384],
      ["model.layers.0.mlp.down_proj.scales", "bfloat16", [128, 4], 1024],
      ["model.layers.0.mlp.down_proj.biases", "bfloat16", [128, 4], 1024],
    ]);
  });

  test("sizes, bits per weight and peak memory are known", () => {
    const plan = planOf(tensors, llama({ tie_word_embeddings: false }), { quantization: q4, threads: 2 });
    const weights = 2 * 1000 * 128 + 2 * (128 * 128 + 128 * 256);
    expect(plan.parameters).toBe(weights + 2 * 2 * 128);
    expect(plan.bytes).toBe((weights * 4.5) / 8 + 2 * 2 * 128 * 2);
    expect(plan.bitsPerWeight).toBeCloseTo((plan.bytes * 8) / plan.parameters);
    expect(plan.diskBytes).toBe(plan.bytes + (plan.shards[0]?.header.length ?? 0));
    expect(plan.peakMemoryBytes).toBeGreaterThan(50e6);
    expect(plan.peakMemoryBytes).toBeLessThan(200e6);
  });

  test("--dtype is cast to, and the config's torch_dtype without it", () => {
    const dtypes = (plan: Plan): string[] => [
      ...new Set(plan.weights.map(({ expression }) => expression.dtype)),
    ];
    expect(dtypes(planOf(tensors, llama()))).toEqual(["bfloat16"]);
    expect(dtypes(planOf(tensors, llama({ torch_dtype: "float16" })))).toEqual(["float16"]);
    expect(dtypes(planOf(tensors, llama(), { dtype: "float32" }))).toEqual(["float32"]);
    expect(dtypes(planOf(tensors, llama({ torch_dtype: "float16" }), { layout: "keep" }))).toEqual([
      "bfloat16",
    ]);
  });
});

describe("stacked experts", () => {
  const experts = (count: number): Tensors =>
    Object.fromEntries(
      Array.from({ length: count }, (_, e) =>
        ["gate", "up", "down"].map(
          (p) => [`model.layers.0.mlp.experts.${e}.${p}_proj.weight`, ["float32", [64, 128]]] as const,
        ),
      ).flat(),
    );
  const config = { model_type: "qwen3_moe", num_experts: 4, tie_word_embeddings: false };

  test("become one tensor, and the router keeps more bits", () => {
    const what: Tensors = { ...experts(4), "model.layers.0.mlp.gate.weight": ["float32", [4, 128]] };
    const plan = planOf(what, config, { quantization: quantization("mxfp4") });
    expect(plan.weights.map(({ name, expression }) => [name, expression.shape])).toEqual([
      ["model.layers.0.mlp.switch_mlp.gate_proj.weight", [4, 64, 128]],
      ["model.layers.0.mlp.switch_mlp.up_proj.weight", [4, 64, 128]],
      ["model.layers.0.mlp.switch_mlp.down_proj.weight", [4, 64, 128]],
      ["model.layers.0.mlp.gate.weight", [4, 128]],
    ]);
    expect(quantized(plan)["model.layers.0.mlp.gate.weight"]).toBe("affine 8:64");
    expect([...plan.layerQuantization]).toEqual([["model.layers.0.mlp.gate", { bits: 8, groupSize: 64 }]]);
  });

  test("the config may name their number as transformers 5 does, and the output has both names", () => {
    const { num_experts, ...rest } = config;
    const plan = planOf(experts(4), { ...rest, num_local_experts: num_experts });
    expect(plan.weights.length).toBe(3);
    expect(plan.config?.number("num_experts")).toBe(4);
    expect(plan.config?.number("num_local_experts")).toBe(4);
  });

  test("one of them missing is found before any work", () => {
    const { ["model.layers.0.mlp.experts.2.up_proj.weight"]: _, ...rest } = experts(4);
    expect(failure(() => planOf(rest, config)).message).toBe(
      'tensor "model.layers.0.mlp.switch_mlp.up_proj.weight": number 2 of 4 (config.json: num_experts) is missing from the checkpoint',
    );
  });

  test("more of them than the config says are an error", () => {
    expect(failure(() => planOf(experts(5), config)).message).toBe(
      'tensor "model.layers.0.mlp.switch_mlp.gate_proj.weight": config.json says num_experts 4, but the checkpoint has 5',
    );
  });
});

describe("without a config.json", () => {
  test("names stay; matrices of Linear and Embedding are quantized, others are not", () => {
    const plan = planOf(
      {
        "fc.weight": ["float32", [10, 64]],
        "fc.bias": ["float32", [10]],
        "norm.weight": ["float32", [10, 64]],
        "norm.bias": ["float32", [10, 64]],
        "rnn.weight_ih_l0": ["float32", [256, 64]],
        "conv1.weight": ["float32", [64, 64]],
        "features.weight": ["float32", [64, 64, 3, 3]],
        counter: ["int64", []],
        weight: ["float32", [32, 64]],
      },
      undefined,
      { quantization: q4 },
    );
    expect(Object.keys(quantized(plan))).toEqual(["fc.weight", "weight"]);
    expect(names(plan)).toContain("scales");
    expect(Object.fromEntries(plan.keptFloat.map(({ name, reason }) => [name, reason]))).toEqual({
      "fc.bias": "not a layer's weight",
      "norm.weight": "its bias (10, 64) is not that of a Linear",
      "norm.bias": "not a layer's weight",
      "rnn.weight_ih_l0": "not a layer's weight",
      "conv1.weight": "a convolution",
      "features.weight": "4 dimensions: not a Linear or Embedding",
    });
    expect(plan.warnings).toEqual([
      "1 weights with three or more dimensions (features.weight, …) keep PyTorch's axis order; MLX convolutions want the input channels last",
    ]);
  });

  test("float64 becomes float32, which MLX has; --layout keep leaves it", () => {
    const what: Tensors = { "fc.weight": ["float64", [10, 64]] };
    expect(planOf(what, undefined).weights[0]?.tensors[0]?.dtype).toBe("float32");
    expect(planOf(what, undefined, { layout: "keep" }).weights[0]?.tensors[0]?.dtype).toBe("float64");
  });

  test("a dtype that MLX has not is an error, and --layout keep copies it", () => {
    const what: Tensors = { "fc.weight": ["float8_e4m3fn", [10, 64]] };
    const error = failure(() => planOf(what, undefined));
    expect(error.message).toBe('tensor "fc.weight": MLX has no arrays of float8_e4m3fn');
    expect(error.hint).toBe("--layout keep changes the container only");
    expect(planOf(what, undefined, { layout: "keep" }).bytes).toBe(640);
  });
});

describe("shards", () => {
  test("a new one begins where the limit would be exceeded, and a layer's tensors stay together", () => {
    const plan = planOf(tensors, llama({ tie_word_embeddings: false }), {
      quantization: q4,
      maxShardBytes: 80_000,
    });
    expect(plan.shards.map(({ file }) => file)).toEqual([
      "model-00001-of-00003.safetensors",
      "model-00002-of-00003.safetensors",
      "model-00003-of-00003.safetensors",
    ]);
    expect(plan.shards.reduce((sum, { dataBytes }) => sum + dataBytes, 0)).toBe(plan.bytes);
    for (const { tensors: parts } of plan.weights)
      expect(new Set(parts.map(({ shard }) => shard)).size).toBe(1);
  });

  test("tensors of a shard follow one another without holes, aligned to their dtype", () => {
    const plan = planOf({ ...tensors, mask: ["bool", [3]] }, undefined, { quantization: q4 });
    const placed = plan.weights.flatMap((weight) => weight.tensors).toSorted((a, b) => a.offset - b.offset);
    let end = 0;
    for (const { offset, bytes, dtype } of placed) {
      expect(offset).toBe(end);
      expect(offset % (dtype === "uint32" ? 4 : dtype === "bfloat16" ? 2 : 1)).toBe(0);
      end += bytes;
    }
    expect((plan.shards[0]?.header.length ?? 1) % 8).toBe(0);
  });

  test("one file takes everything", () => {
    const plan = planOf(tensors, undefined, { singleFile: "x.safetensors", maxShardBytes: 10 });
    expect(plan.shards.map(({ file }) => file)).toEqual(["x.safetensors"]);
  });
});

test("one file says in its header how it is quantized", () => {
  const plan = planOf(tensors, undefined, {
    singleFile: "x.safetensors",
    quantization: q4,
    overrides: [{ layers: /lm_head/, what: quantization("mxfp8") }],
  });
  const header = new TextDecoder().decode(plan.shards[0]?.header.subarray(8));
  const { __metadata__: metadata } = JSON.parse(header) as { __metadata__: Record<string, string> };
  expect(metadata["format"]).toBe("mlx");
  expect(JSON.parse(metadata["quantization"] ?? "")).toEqual({
    group_size: 64,
    bits: 4,
    mode: "affine",
    lm_head: { group_size: 32, bits: 8, mode: "mxfp8" },
  });
});

describe("memory", () => {
  test("a limit makes tiles smaller, then threads fewer", () => {
    const all = planOf(tensors, undefined, { threads: 16 });
    const half = planOf(tensors, undefined, { threads: 16, maxMemoryBytes: all.peakMemoryBytes - 4e6 });
    expect(half.tileScale).toBeLessThan(1);
    expect(half.peakMemoryBytes).toBeLessThanOrEqual(all.peakMemoryBytes - 4e6);
  });

  test("one that cannot be kept is an error that says what would do", () => {
    const error = failure(() => planOf(tensors, undefined, { maxMemoryBytes: 1e6 }));
    expect(error.message).toMatch(/^--max-memory 1MB is too little: this takes \d+MB$/);
    expect(error.hint).toMatch(/^--max-memory \d+MB$/);
  });
});

test("a rearranged tensor may be empty", () => {
  const checkpoint = checkpointOf({ x: ["float32", [3, 0, 2]] });
  const [x] = checkpoint.tensors.values();
  const turned = new Map([["x", { ...(x as NonNullable<typeof x>), strides: [1, 7, 3] }]]);
  expect(makePlan({ ...checkpoint, tensors: turned }, undefined).bytes).toBe(0);
});

test("an unknown model_type is an error with the nearest", () => {
  const error = failure(() => planOf(tensors, { model_type: "qwen3x" }));
  expect(error.message).toBe('config.json: model_type "qwen3x" is not known');
  expect(error.hint).toBe(
    "nearest: qwen3, qwen2 (--architecture <model_type>); --architecture none keeps the names and quantizes every Linear and Embedding",
  );
  expect(names(planOf(tensors, { model_type: "qwen3x" }, { architecture: "none" }))).toEqual(
    Object.keys(tensors),
  );
});

test("an architecture that is asked for needs the config it reads", () => {
  expect(failure(() => planOf(tensors, undefined, { architecture: "llama" })).message).toBe(
    "--architecture llama needs the model's config.json beside its weights",
  );
});

describe("a source that is quantized already", () => {
  const hint =
    "start from the model before it was quantized, or --layout keep without -q to change the container only";

  test.each([
    [
      "quantization_config in its config.json",
      { ...llama(), quantization_config: { quant_method: "gptq" } },
      tensors,
    ],
    [
      "quantization in its config.json",
      { model_type: "llama", text_config: { quantization: { bits: 4 } } },
      tensors,
    ],
    [
      'the tensor "fc.scales"',
      undefined,
      {
        "fc.weight": ["uint32", [8, 8]],
        "fc.scales": ["float16", [8, 1]],
        "fc.biases": ["float16", [8, 1]],
      },
    ],
  ] as [string, object | undefined, Tensors][])(
    "is refused for %s, but for a plain change of container",
    (evidence, config, what) => {
      const error = failure(() => planOf(what, config));
      expect(error.message).toBe(
        `model: the model is quantized already (it has ${evidence}), which this version cannot undo`,
      );
      expect(error.hint).toBe(hint);
      expect(names(planOf(what, config, { layout: "keep" }))).toEqual(Object.keys(what));
    },
  );
});
