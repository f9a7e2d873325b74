import { describe, expect, test } from "vitest";
import { collapse, collapseNames, groupBy, patternOf } from "../src/names.ts";

const layers = (numbers: readonly number[]): string[] => numbers.map((n) => `model.layers.${n}.up.weight`);

test("a pattern has a star for every number", () => {
  expect(patternOf("model.layers.12.experts.3.w1")).toBe("model.layers.*.experts.*.w1");
  expect(patternOf("0.weight")).toBe("*.weight");
  expect(patternOf("conv1.weight_2")).toBe("conv1.weight_2");
});

describe("collapse", () => {
  test.each([
    [[7], "model.layers.7.up.weight"],
    [[0, 1], "model.layers.{0…1}.up.weight"],
    [[0, 1, 2, 3], "model.layers.{0…3}.up.weight"],
    [[3, 1, 2, 0, 9, 11, 10], "model.layers.{0…3,9…11}.up.weight"],
    [[0, 2, 4, 6, 8, 10], "model.layers.{0,2,4,6,8,10}.up.weight"],
    [[0, 2, 4, 6, 8, 10, 12, 14], "model.layers.{0,2,4,6,8,…14}.up.weight"],
  ])("%j", (numbers, text) => {
    expect(collapse(layers(numbers))).toBe(text);
  });

  test("each number on its own", () => {
    const names = [0, 1, 2].flatMap((a) => [0, 1, 2, 3].map((b) => `layers.${a}.experts.${b}.w1`));
    expect(collapse(names)).toBe("layers.{0…2}.experts.{0…3}.w1");
  });
});

test("groups keep the order of their first members", () => {
  expect(groupBy(["b1", "a1", "b2", "c1"], (text) => text[0] ?? "")).toEqual([["b1", "b2"], ["a1"], ["c1"]]);
});

test("one text for each pattern", () => {
  expect(collapseNames([...layers([0, 1, 2]), "lm_head", ...layers([5])])).toEqual([
    "model.layers.{0…2,5}.up.weight",
    "lm_head",
  ]);
  expect(collapseNames(["a.0.b (64, 48)", "a.1.b (64, 48)", "a.2.b (64, 96)"])).toEqual([
    "a.{0…1}.b (64, 48)",
    "a.2.b (64, 96)",
  ]);
});
