// node quantize.js <cases.safetensors>: runs the addon's kernels, in every instruction set of this machine, over the cases that
// test_quantize.py wrote, and prints as JSON what differs from what MLX gave.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const addon = createRequire(import.meta.url)("../../native/build/Release/convert.node");

const file = readFileSync(process.argv[2]);
const headerBytes = Number(file.readBigUInt64LE(0));
const { __metadata__: metadata, ...header } = JSON.parse(file.toString("utf8", 8, 8 + headerBytes));
const array = (index, part) => {
  const tensor = header[`${index}.${part}`];
  if (tensor === undefined) return undefined;
  const [begin, end] = tensor.data_offsets;
  return new Uint8Array(file.subarray(8 + headerBytes + begin, 8 + headerBytes + end));
};

const instructionSets = ["portable", "avx2", "avx512", "neon"].filter((name) => {
  try {
    addon.cast(new Uint8Array(0), 0, 1, name);
    return true;
  } catch {
    return false;
  }
});

const cases = JSON.parse(metadata.cases);
const differences = [];
let differing = 0;

function compare(what, expected, got) {
  if (Buffer.compare(expected ?? Buffer.alloc(0), got ?? Buffer.alloc(0)) === 0) return;
  differing++;
  if (differences.length >= 10) return;
  const at = expected?.findIndex((byte, i) => byte !== got?.[i]);
  differences.push({
    ...what,
    at,
    expected: expected?.[at],
    got: got?.[at],
    bytes: [expected?.length, got?.length],
  });
}

for (const [index, one] of cases.entries()) {
  for (const set of instructionSets) {
    const of = (part) => ({ index, ...one, set, part });
    if ("from" in one) {
      compare(of("cast"), array(index, "out"), addon.cast(array(index, "in"), one.from, one.to, set));
      continue;
    }
    const { mode, bits, group_size: groupSize, dtype, out } = one;
    const quantized = addon.quantize(array(index, "w"), dtype, mode, bits, groupSize, set);
    for (const part of ["packed", "scales", "biases"]) {
      compare(of(part), array(index, part), quantized[part]);
    }
    const [packed, scales, biases] = ["packed2", "scales2", "biases2"].map((part) => array(index, part));
    const count = (packed.length * 8) / bits;
    compare(
      of("values"),
      array(index, "values"),
      addon.dequantize(packed, scales, biases, dtype, out, mode, bits, groupSize, count, set),
    );
  }
}
process.stdout.write(
  JSON.stringify({ cases: cases.length, instruction_sets: instructionSets, differing, differences }),
);
