/** The addon computes what an expression says: random trees, random tiles, against the plainest evaluation in TypeScript. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { run } from "../../src/execute.ts";
import {
  add,
  concat,
  type Expression,
  inputsOf,
  reshape,
  scale,
  slice,
  source,
  stack,
  transpose,
} from "../../src/expressions/expression.ts";
import { numberFiles } from "../../src/plan/jobs.ts";
import { lower } from "../../src/expressions/lower.ts";
import { contiguousStrides, elementCount, type Shape } from "../../src/tensor/shape.ts";

const elements = 40_000;
let dir: string;
let path: string;
const data = Float32Array.from({ length: elements }, (_, i) => i);

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), "expressions-"));
  path = join(dir, "data.bin");
  writeFileSync(path, data);
});
afterAll(() => {
  rmSync(dir, { recursive: true });
});

/** Every element in row-major order. */
function evaluate(e: Expression): Float32Array {
  const inputs = inputsOf(e).map(evaluate);
  const out = new Float32Array(elementCount(e.shape));
  for (let flat = 0; flat < out.length; flat++) out[flat] = element(e, inputs, indexOf(flat, e.shape), flat);
  return out;
}

function element(e: Expression, inputs: Float32Array[], index: number[], flat: number): number {
  const at = (input: number, position: readonly number[]): number =>
    inputs[input]?.[flatOf(position, inputsOf(e)[input]?.shape ?? [])] ?? NaN;
  switch (e.op) {
    case "source":
      return data[e.tensor.offset / 4 + dot(index, e.tensor.strides)] ?? NaN;
    case "transpose":
      return at(
        0,
        index.map((_, axis) => index[e.axes.indexOf(axis)] ?? 0),
      );
    case "reshape":
      return inputs[0]?.[flat] ?? NaN;
    case "slice":
      return at(0, index.with(e.axis, (index[e.axis] ?? 0) + e.start));
    case "stack":
      return at(index[0] ?? 0, index.slice(1));
    case "add":
      return (inputs[0]?.[flat] ?? NaN) + (inputs[1]?.[flat] ?? NaN);
    case "scale":
      return Math.fround(Math.fround((inputs[0]?.[flat] ?? NaN) * e.factor) + e.offset);
    case "concat": {
      let position = index[e.axis] ?? 0;
      const part = e.inputs.findIndex((input) => {
        const size = input.shape[e.axis] ?? 0;
        if (position < size) return true;
        position -= size;
        return false;
      });
      return at(part, index.with(e.axis, position));
    }
    default:
      throw new Error(`not evaluated here: ${e.op}`);
  }
}

const dot = (a: readonly number[], b: readonly number[]): number =>
  a.reduce((sum, x, i) => sum + x * (b[i] ?? 0), 0);
const flatOf = (index: readonly number[], shape: Shape): number => dot(index, contiguousStrides(shape));
const indexOf = (flat: number, shape: Shape): number[] =>
  contiguousStrides(shape).map((stride, axis) => Math.floor(flat / stride) % Math.max(shape[axis] ?? 1, 1));

const shapes = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 4 });

/** A source of this shape: contiguous, or a view with its axes in another order, gaps, or repeated. */
const sources = (shape: Shape): fc.Arbitrary<Expression> =>
  fc
    .record({
      order: fc.shuffledSubarray(
        shape.map((_, axis) => axis),
        { minLength: shape.length },
      ),
      gaps: fc.array(fc.constantFrom(1, 1, 1, 2), { minLength: shape.length, maxLength: shape.length }),
      expanded: fc.constantFrom(-1, -1, -1, 0),
      offset: fc.integer({ min: 0, max: 50 }),
    })
    .map(({ order, gaps, expanded, offset }) => {
      const strides = shape.map(() => 0);
      let step = 1;
      for (const axis of order) {
        step *= gaps[axis] ?? 1;
        strides[axis] = axis === expanded ? 0 : step;
        step *= shape[axis] ?? 1;
      }
      return source({ name: "t", dtype: "float32", shape, file: path, offset: offset * 4, strides });
    });

/** A tree whose root has this shape. */
const trees = (shape: Shape, depth: number): fc.Arbitrary<Expression> => {
  if (depth === 0) return sources(shape);
  const below = (s: Shape): fc.Arbitrary<Expression> => trees(s, depth - 1);
  const axis = fc.integer({ min: 0, max: shape.length - 1 });
  const options: fc.Arbitrary<Expression>[] = [
    sources(shape),
    fc.tuple(below(shape), below(shape)).map(([a, b]) => add(a, b)),
    fc
      .tuple(below(shape), fc.constantFrom(1, 0.5, 3), fc.constantFrom(0, 1))
      .map(([a, f, o]) => scale(a, f, o)),
    fc
      .shuffledSubarray(
        shape.map((_, i) => i),
        { minLength: shape.length },
      )
      .chain((axes) =>
        below(axes.map((_, i) => shape[axes.indexOf(i)] ?? 1)).map((input) => transpose(input, axes)),
      ),
    fc
      .tuple(axis, fc.integer({ min: 0, max: 3 }), fc.integer({ min: 0, max: 3 }))
      .chain(([a, before, after]) =>
        below(shape.with(a, (shape[a] ?? 0) + before + after)).map((input) =>
          slice(input, a, before, shape[a] ?? 0),
        ),
      ),
    axis.chain((a) => {
      const size = shape[a] ?? 1;
      return fc
        .integer({ min: 1, max: size })
        .chain((first) =>
          first === size
            ? below(shape)
            : fc
                .tuple(below(shape.with(a, first)), below(shape.with(a, size - first)))
                .map((parts) => concat(parts, a)),
        );
    }),
  ];
  if (shape.length > 1) {
    options.push(
      fc.array(below(shape.slice(1)), { minLength: shape[0] ?? 1, maxLength: shape[0] ?? 1 }).map(stack),
    );
    options.push(sources([elementCount(shape)]).map((input) => reshape(input, shape)));
  }
  return fc.oneof(...options);
};

async function compute(
  expressions: readonly Expression[],
  tile: number,
  threads: number,
): Promise<Float32Array[]> {
  const files = numberFiles(expressions);
  const outputs = expressions.map((_, i) => join(dir, `out${i}`));
  for (const [i, e] of expressions.entries())
    writeFileSync(outputs[i] ?? "", new Uint8Array(elementCount(e.shape) * 4));
  await run({
    inputs: files.paths,
    outputs,
    jobs: expressions.map((e, i) => ({
      input: lower(e, files.number),
      tile,
      places: [{ file: files.paths.length + i, offset: 0 }],
    })),
    threads,
    totalBytes: 0,
  });
  return outputs.map((file) => new Float32Array(new Uint8Array(readFileSync(file)).buffer));
}

/** Rearranging a sum or a stack across axes is not supported everywhere; the planner refuses it before any work. */
const refused = /is not supported|cannot be rearranged/;

test("random expressions", async () => {
  let computed = 0;
  await fc.assert(
    fc.asyncProperty(
      shapes.chain((shape) => trees(shape, 3)),
      fc.integer({ min: 1, max: 700 }),
      fc.constantFrom(1, 3),
      async (e, tile, threads) => {
        let got: Float32Array;
        try {
          [got = new Float32Array()] = await compute([e], tile, threads);
        } catch (error) {
          if (refused.test((error as Error).message)) return;
          throw error;
        }
        computed++;
        expect(got).toEqual(evaluate(e));
      },
    ),
    { numRuns: 400 },
  );
  expect(computed).toBeGreaterThan(300);
});

test("a matrix larger than a tile is transposed by blocks", async () => {
  const matrix = source({
    name: "t",
    dtype: "float32",
    shape: [200, 199],
    file: path,
    offset: 0,
    strides: [199, 1],
  });
  const turned = transpose(matrix, [1, 0]);
  const [got] = await compute([turned], 200 * 7, 2);
  expect(got).toEqual(evaluate(turned));
});

test.each([
  [
    [1, 0],
    [150, 131],
  ],
  [
    [0, 2, 1],
    [4, 70, 65],
  ],
  [
    [2, 1, 0],
    [35, 3, 66],
  ],
  [
    [2, 0, 1],
    [40, 33, 3],
  ],
  [
    [3, 1, 2, 0],
    [33, 2, 3, 34],
  ],
])("axes %j of a block of %j, more than a square each way", async (axes, shape) => {
  const strides = contiguousStrides(shape);
  const turned = transpose(
    source({ name: "t", dtype: "float32", shape, file: path, offset: 0, strides }),
    axes,
  );
  const [got] = await compute([turned], elementCount(shape), 2);
  expect(got).toEqual(evaluate(turned));
});
