import { parseConfig, type ModelConfig } from "../../src/architectures/config.ts";
import { serializeHeader } from "../../src/formats/safetensors.ts";
import type { Checkpoint } from "../../src/readers/checkpoint.ts";
import type { DType } from "../../src/tensor/dtype.ts";
import { contiguousStrides, type Shape } from "../../src/tensor/shape.ts";

export type Tensors = Readonly<Record<string, readonly [DType, Shape]>>;

/** A checkpoint that exists only as headers. */
export const checkpointOf = (tensors: Tensors): Checkpoint => ({
  source: "model",
  format: "safetensors",
  files: [],
  tensors: new Map(
    Object.entries(tensors).map(([name, [dtype, shape]]) => [
      name,
      { name, dtype, shape, file: "model.safetensors", offset: 0, strides: contiguousStrides(shape) },
    ]),
  ),
  metadata: {},
  globals: [],
  warnings: [],
});

export const configOf = (fields: object): ModelConfig =>
  parseConfig(new TextEncoder().encode(JSON.stringify(fields)), "config.json");

/** A safetensors file: each tensor's bytes by its name. */
export function safetensorsFile(
  tensors: Readonly<Record<string, readonly [DType, Shape, Uint8Array]>>,
): Uint8Array {
  const entries = Object.entries(tensors).map(([name, [dtype, shape]]) => ({ name, dtype, shape }));
  const header = serializeHeader(entries, {});
  const total = Object.values(tensors).reduce((sum, [, , bytes]) => sum + bytes.length, 0);
  const file = new Uint8Array(header.bytes.length + total);
  file.set(header.bytes);
  for (const [name, [, , bytes]] of Object.entries(tensors)) {
    file.set(bytes, header.bytes.length + (header.offsets.get(name) ?? 0));
  }
  return file;
}

/** The bytes of float32 values. */
export const floats = (values: Iterable<number>): Uint8Array =>
  new Uint8Array(Float32Array.from(values).buffer);
