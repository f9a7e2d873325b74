import { describe, expect, test } from "vitest";
import { parseConfig } from "../../src/architectures/config.ts";
import type { LayerQuantization } from "../../src/plan/plan.ts";
import { quantization } from "../../src/quantization/modes.ts";
import { outputConfig, type OutputConfigOptions } from "../../src/writer/config.ts";

const write = (source: string, options?: OutputConfigOptions): string =>
  outputConfig(parseConfig(Buffer.from(source), "config.json"), options) ?? "";
const convert = (source: object, options?: OutputConfigOptions): unknown =>
  JSON.parse(write(JSON.stringify(source), options));

describe("what the source says stays", () => {
  test("in its order, with its spelling, its nulls and its letters", () => {
    const source = `{
    "zeta": 1000000.0,
    "rms_norm_eps": 1e-06,
    "10": true,
    "2": null,
    "limit": Infinity,
    "nested": {
        "low": -Infinity,
        "list": [
            1,
            1.0
        ]
    },
    "name": "größe"
}`;
    expect(write(source)).toBe(source);
  });

  test("but not where it came from", () => {
    expect(convert({ _name_or_path: "/home/me/model", hidden_size: 64 })).toEqual({ hidden_size: 64 });
  });
});

describe("quantization", () => {
  const options: OutputConfigOptions = {
    quantization: {
      default: quantization("affine", 4, 64),
      layers: new Map<string, LayerQuantization | false>([
        ["model.layers.0.mlp.gate", { groupSize: 64, bits: 8 }],
        ["lm_head", quantization("mxfp8")],
        ["model.embed_tokens", false],
      ]),
    },
  };
  const expected = {
    group_size: 64,
    bits: 4,
    mode: "affine",
    "model.layers.0.mlp.gate": { group_size: 64, bits: 8 },
    lm_head: { group_size: 32, bits: 8, mode: "mxfp8" },
    "model.embed_tokens": false,
  };

  test("is said twice, at the end, in mlx-lm's order of keys", () => {
    const text = write('{"a": 1}', options);
    expect(JSON.parse(text)).toEqual({ a: 1, quantization: expected, quantization_config: expected });
    expect(Object.keys(JSON.parse(text) as object)).toEqual(["a", "quantization", "quantization_config"]);
    expect(text).toContain(
      '"quantization": {\n        "group_size": 64,\n        "bits": 4,\n        "mode": "affine",',
    );
  });

  test("replaces the source's own, inside text_config too", () => {
    const source = {
      quantization_config: { quant_method: "fp8" },
      quantization: { bits: 2 },
      text_config: { a: 1, quantization_config: { quant_method: "fp8" } },
    };
    expect(convert(source, options)).toEqual({
      text_config: { a: 1 },
      quantization: expected,
      quantization_config: expected,
    });
    expect(convert(source)).toEqual({ text_config: { a: 1 } });
  });

  test("stays the source's where its packed tensors were not touched", () => {
    const source = {
      quantization_config: { quant_method: "gptq" },
      text_config: { quantization_config: { quant_method: "gptq" } },
    };
    expect(convert(source, { quantization: "source" })).toEqual(source);
  });

  test("is all there is without a source's config; nothing quantized, nothing to write", () => {
    expect(JSON.parse(outputConfig(undefined, options) ?? "")).toEqual({
      quantization: expected,
      quantization_config: expected,
    });
    expect(outputConfig(undefined, { ...options, dtype: "float16" })).not.toContain("dtype");
    expect(outputConfig(undefined)).toBeUndefined();
    expect(outputConfig(undefined, { dtype: "float16" })).toBeUndefined();
  });
});

describe("dtype", () => {
  test.each([
    [{ dtype: "bfloat16" }, undefined, { dtype: "bfloat16", torch_dtype: "bfloat16" }],
    [{ torch_dtype: "float16" }, undefined, { dtype: "float16", torch_dtype: "float16" }],
    [{ torch_dtype: null, dtype: "float16" }, undefined, { dtype: "float16", torch_dtype: "float16" }],
    [{ torch_dtype: "float16", dtype: "bfloat16" }, undefined, { torch_dtype: "float16", dtype: "bfloat16" }],
    [{ torch_dtype: "float16" }, "float32", { dtype: "float32", torch_dtype: "float32" }],
    [
      { dtype: "float16", torch_dtype: "float16" },
      "bfloat16",
      { dtype: "bfloat16", torch_dtype: "bfloat16" },
    ],
    [{ dtype: { text_config: "float16" } }, undefined, { dtype: { text_config: "float16" } }],
    [{ a: 1 }, "float16", { a: 1, dtype: "float16", torch_dtype: "float16" }],
    [{ a: 1 }, undefined, { a: 1 }],
    [
      { text_config: { dtype: "float32" } },
      undefined,
      { text_config: { dtype: "float32", torch_dtype: "float32" } },
    ],
    [
      { text_config: { dtype: "float32" } },
      "float16",
      { text_config: { dtype: "float16", torch_dtype: "float16" }, dtype: "float16", torch_dtype: "float16" },
    ],
    [
      { text_config: { a: 1 } },
      "float16",
      { text_config: { a: 1 }, dtype: "float16", torch_dtype: "float16" },
    ],
  ] as const)("%j cast to %s", (source, dtype, expected) => {
    expect(convert(source, dtype === undefined ? {} : { dtype })).toEqual(expected);
  });
});

describe("the rotary embedding, spelled for both generations", () => {
  const yarn = { factor: 4.0, original_max_position_embeddings: 512 };

  test.each([
    [
      "transformers 5, nothing scaled",
      { rope_parameters: { rope_theta: 1e5, rope_type: "default" } },
      { rope_theta: 1e5, rope_scaling: null },
    ],
    [
      "transformers 5, scaled",
      { rope_parameters: { rope_theta: 1e5, rope_type: "yarn", ...yarn } },
      { rope_theta: 1e5, rope_scaling: { rope_type: "yarn", type: "yarn", ...yarn } },
    ],
    [
      "transformers 5, scaled, with the type's older name",
      { rope_parameters: { rope_theta: 1e5, type: "linear", factor: 2 } },
      { rope_theta: 1e5, rope_scaling: { rope_type: "linear", type: "linear", factor: 2 } },
    ],
    [
      "transformers 5, a part of each head rotates",
      { rope_parameters: { rope_theta: 1e5, partial_rotary_factor: 0.25, rope_type: "default" } },
      { rope_theta: 1e5, partial_rotary_factor: 0.25, rope_scaling: null },
    ],
    [
      "a field that is there is not changed",
      {
        rope_theta: 5,
        partial_rotary_factor: 0.5,
        rope_parameters: { rope_theta: 6, partial_rotary_factor: 1 },
      },
      { rope_scaling: null },
    ],
    ["transformers 4", { rope_theta: 1e5 }, { rope_parameters: { rope_theta: 1e5, rope_type: "default" } }],
    [
      "transformers 4, nothing scaled",
      { rope_theta: 1e5, rope_scaling: null, sliding_window: null },
      { rope_parameters: { rope_theta: 1e5, rope_type: "default" } },
    ],
    [
      "transformers 4, scaled",
      { rope_theta: 1e5, rope_scaling: { type: "yarn", ...yarn } },
      { rope_parameters: { rope_theta: 1e5, rope_type: "yarn", ...yarn } },
    ],
    [
      "transformers 4, a part of each head rotates, one kind of layer",
      {
        rope_theta: 1e5,
        partial_rotary_factor: 0.25,
        sliding_window: 4096,
        use_sliding_window: false,
        layer_types: ["a", "a"],
      },
      { rope_parameters: { rope_theta: 1e5, rope_type: "default", partial_rotary_factor: 0.25 } },
    ],
    [
      "each kind of layer its own",
      { rope_parameters: { full_attention: { rope_theta: 1e6 }, sliding_attention: { rope_theta: 1e4 } } },
      {},
    ],
    [
      "each kind of layer its own, one without",
      { rope_parameters: { full_attention: null, sliding_attention: {} } },
      {},
    ],
    ["the old spelling of two thetas (gemma3)", { rope_theta: 1e6, rope_local_base_freq: 1e4 }, {}],
    ["the old spelling of two thetas (mimo)", { rope_theta: 1e6, swa_rope_theta: 1e4 }, {}],
    [
      "two kinds of layers (olmo3)",
      { rope_theta: 1e6, layer_types: ["sliding_attention", "full_attention"] },
      {},
    ],
    ["a sliding window", { rope_theta: 1e6, sliding_window: 4096 }, {}],
    ["a theta for each layer (step3p5)", { rope_theta: [1e4, 1e6] }, {}],
    ["scaling of a kind nobody knows", { rope_theta: 1e4, rope_scaling: "linear" }, {}],
    ["no rotary embedding", { hidden_size: 8 }, {}],
  ] as const)("%s", (_title, source, added) => {
    expect(convert(source)).toEqual({ ...source, ...added });
    expect(convert({ text_config: source })).toEqual({ text_config: { ...source, ...added } });
  });

  test("with the source's spelling of the numbers", () => {
    expect(write('{"rope_parameters": {"rope_theta": 1000000.0}}')).toContain(
      '"rope_theta": 1000000.0,\n    "rope_scaling": null',
    );
  });
});
