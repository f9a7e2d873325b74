import { expect, test } from "vitest";
import { indexFile } from "../../src/writer/index-file.ts";

test("the index is what Python's json.dump with an indent of 4 writes, sorted by name", () => {
  const weightMap = new Map([
    ["model.norm.weight", "model-00002-of-00002.safetensors"],
    ["lm_head.weight", "model-00001-of-00002.safetensors"],
    ["10", "model-00001-of-00002.safetensors"],
    ["2", "model-00001-of-00002.safetensors"],
  ]);
  expect(indexFile({ totalSize: 269_060_552, totalParameters: 134_515_008, weightMap })).toBe(`{
    "metadata": {
        "total_size": 269060552,
        "total_parameters": 134515008
    },
    "weight_map": {
        "10": "model-00001-of-00002.safetensors",
        "2": "model-00001-of-00002.safetensors",
        "lm_head.weight": "model-00001-of-00002.safetensors",
        "model.norm.weight": "model-00002-of-00002.safetensors"
    }
}`);
});
