// https://docs.pytorch.org/docs/stable/tensor_view.html
import { MlxConvertError } from "../errors.ts";
import { dtypeBits } from "../tensor/dtype.ts";
import type { StoredTensor } from "../tensor/info.ts";
import { elementCount, showShape } from "../tensor/shape.ts";
import { describe, sequence, showName, type Value } from "./pickle-values.ts";
import { type AnyTensor, TorchStorage, TorchUnreadable } from "./torch-names.ts";

/** torch itself computes on no more than 64. */
const maxAxes = 64;

const loaded = "save the model after its weights are loaded";
const wholeBytes = "save tensor.to(torch.float32) instead, or in another dtype of whole bytes";

/** Where a storage's bytes lie in the file, and how many there are. */
export interface StoragePlace {
  readonly offset: number;
  readonly bytes: number;
}

/** Checks that a tensor's view stays inside its storage, and says where its first element lies in the file. */
export function placeTensor(
  name: string,
  tensor: AnyTensor,
  file: string,
  place: (storage: TorchStorage, fail: (what: string) => MlxConvertError) => StoragePlace,
): StoredTensor {
  const fail = (what: string, hint = "the file looks damaged: fetch it again"): MlxConvertError =>
    new MlxConvertError(what, { file, tensor: name, hint });
  if (tensor instanceof TorchUnreadable) {
    throw fail(`${tensor.what} (${showName(tensor.name)}) cannot be read`, tensor.hint);
  }
  const { dtype, storage } = tensor;
  if (!(storage instanceof TorchStorage)) throw fail("it has no storage");
  if (dtype === undefined)
    throw fail(`elements of ${unknownType(tensor.args[6], storage)} cannot be read`, wholeBytes);
  if (storage.location === "meta") throw fail("its storage is on the meta device, which has no data", loaded);
  const shape = sizes(tensor.size);
  const strides = sizes(tensor.strides);
  const first = tensor.offset;
  if (shape === undefined || strides?.length !== shape.length || !isSize(first)) {
    throw fail("its size, strides and offset are not the numbers of a view");
  }
  const elementBytes = dtypeBits(dtype) / 8;
  const count = elementCount(shape);
  if (!Number.isSafeInteger(count * elementBytes))
    throw fail(`shape ${showShape(shape)} has too many elements`);
  const where = place(storage, fail);
  if (count === 0) return { name, dtype, shape, file, offset: where.offset, strides };

  // Doubles are exact up to 2^53, and what is larger compares as larger.
  const last = shape.reduce((sum, size, axis) => sum + (size - 1) * (strides[axis] ?? 0), first);
  const needed = (last + 1) * elementBytes;
  if (needed > where.bytes) {
    throw fail(
      `shape ${showShape(shape)} with strides ${showShape(strides)} from element ${first} needs ${needed} bytes, ` +
        `its storage ${showName(storage.key)} has ${where.bytes}`,
    );
  }
  return { name, dtype, shape, file, offset: where.offset + first * elementBytes, strides };
}

const isSize = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

function sizes(value: Value | undefined): readonly number[] | undefined {
  const items = sequence(value);
  return items !== undefined && items.length <= maxAxes && items.every(isSize) ? items : undefined;
}

const unknownType = (dtype: Value | undefined, storage: TorchStorage): string =>
  storage.dtype === undefined || dtype === undefined ? showName(storage.name) : describe(dtype);
