import { describe, expect, test } from "vitest";
import type { PlanOptions } from "../../src/plan/options.ts";
import { quantization } from "../../src/quantization/modes.ts";
import type { Tensors } from "../support/checkpoint.ts";
import { failure } from "../support/failure.ts";
import { layer, llama, planOf, q4, quantized, tensors } from "../support/plans.ts";

describe("a group size that does not divide", () => {
  const config = llama({ tie_word_embeddings: true });
  const what: Tensors = {
    ...layer(0, 576, 1536),
    ...layer(1, 576, 1536),
    "model.embed_tokens.weight": ["bfloat16", [100, 576]],
  };
  const q128 = quantization("affine", 4, 128);

  test("is an error that names the layers and what would work", () => {
    const error = failure(() => planOf(what, config, { quantization: q128 }));
    expect(error.message).toBe(
      "model.layers.0.self_attn.q_proj: [quantize] The last dimension of the matrix needs to be divisible by the quantization " +
        "group size 128. However the provided matrix has shape (576, 576); layers: model.layers.{0…1}.self_attn.q_proj (576, 576), " +
        "model.embed_tokens (100, 576)",
    );
    expect(error.hint).toBe("--group-size 32 or 64, or --on-indivisible keep, or --on-indivisible fit");
    expect(error.exitStatus).toBe(1);
  });

  test("keep leaves those layers in float", () => {
    const plan = planOf(what, config, { quantization: q128, onIndivisible: "keep" });
    expect(quantized(plan)).toEqual({
      "model.layers.0.mlp.down_proj.weight": "affine 4:128",
      "model.layers.1.mlp.down_proj.weight": "affine 4:128",
    });
    expect(plan.keptFloat).toContainEqual({
      name: "model.embed_tokens.weight",
      reason: "its last dimension 576 is not divisible by 128",
    });
  });

  test("fit uses the largest that divides, and says so", () => {
    const plan = planOf(what, config, { quantization: q128, onIndivisible: "fit" });
    expect(quantized(plan)["model.embed_tokens.weight"]).toBe("affine 4:64");
    expect(plan.layerQuantization.get("model.embed_tokens")).toEqual({
      mode: "affine",
      bits: 4,
      groupSize: 64,
    });
    expect(plan.warnings).toEqual([
      "a smaller group size was fitted to model.layers.{0…1}.self_attn.q_proj, model.embed_tokens",
    ]);
  });
});

describe("overrides", () => {
  const config = llama({ tie_word_embeddings: false });
  const override = (
    layers: RegExp,
    what: NonNullable<PlanOptions["overrides"]>[number]["what"],
  ): PlanOptions => ({
    quantization: q4,
    overrides: [{ layers, what, text: `${layers.source}=…` }],
  });

  test("change bits, keep a dtype, skip; the last that matches wins", () => {
    const plan = planOf(tensors, config, {
      quantization: q4,
      overrides: [
        { layers: /down_proj/, what: quantization("affine", 8, 32), text: "down_proj=8:32" },
        { layers: /lm_head/, what: "float32", text: "lm_head=float32" },
        { layers: /layers\.1\./, what: "skip", text: "layers.1.=skip" },
      ],
    });
    expect(quantized(plan)).toEqual({
      "model.embed_tokens.weight": "affine 4:64",
      "model.layers.0.self_attn.q_proj.weight": "affine 4:64",
      "model.layers.0.mlp.down_proj.weight": "affine 8:32",
    });
    expect(plan.weights.find(({ name }) => name === "lm_head.weight")?.expression.dtype).toBe("float32");
    expect(plan.keptFloat).toContainEqual({ name: "lm_head.weight", reason: "--override lm_head=float32" });
    expect([...plan.layerQuantization.keys()]).toEqual(["model.layers.0.mlp.down_proj"]);
  });

  test("a dtype is not for integers", () => {
    const what: Tensors = { "fc.weight": ["float32", [4, 64]], "fc.steps": ["int64", [1]] };
    const plan = planOf(what, undefined, { overrides: [{ layers: /fc/, what: "float16" }] });
    expect(plan.weights.map(({ tensors: [tensor] }) => tensor?.dtype)).toEqual(["float16", "int64"]);
  });

  test("one that matches nothing is an error", () => {
    expect(failure(() => planOf(tensors, config, override(/dwon_proj/, "skip"))).message).toBe(
      "--override dwon_proj=…: matches no layer",
    );
  });

  test("a group size of an override must divide, too", () => {
    expect(
      failure(() =>
        planOf(
          { ...tensors, "x.weight": ["float32", [4, 96]] },
          config,
          override(/^x$/, quantization("affine", 8, 64)),
        ),
      ).message,
    ).toMatch(/^x: \[quantize\] The last dimension .* group size 64\. .* shape \(4, 96\)/);
  });
});
