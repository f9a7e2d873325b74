// Times the addon's quantize on one array in memory, one thread: node quantize.mjs <file> <rounds> <dtype> <mode> <bits> <group size>
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const addon = createRequire(import.meta.url)("../../native/build/Release/convert.node");
const [file, rounds, ...numbers] = process.argv.slice(2);
const bytes = readFileSync(file);
const [dtype, mode, bits, groupSize] = numbers.map(Number);
let best = Infinity;
for (let i = 0; i < Number(rounds); i++) {
  const started = performance.now();
  addon.quantize(bytes, dtype, mode, bits, groupSize);
  best = Math.min(best, (performance.now() - started) / 1000);
}
process.stdout.write(JSON.stringify({ seconds: best, instructionSet: addon.instructionSet }));
