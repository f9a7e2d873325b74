/** What only another process can show: death at any moment, and a place where a user may not write. */
import { spawn, spawnSync } from "node:child_process";
import { chmodSync, existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { AtomicOutput, type OutputOptions } from "../../src/io/atomic-output.ts";
import { compile } from "../support/compile.ts";
import { directoryWith } from "../support/files.ts";

/** Writes one model after the other to the same place: each of two halves and a config that say the same number. */
const writer = `
import { writeFileSync } from "node:fs";
const [module, target] = process.argv.slice(2);
const { AtomicOutput } = await import(module);
console.log("ready");
for (let n = 0; ; n++) {
  const output = AtomicOutput.begin(target, { overwrite: true, singleFile: false, sources: [] });
  output.write("config.json", String(n));
  for (const name of ["model-1.safetensors", "model-2.safetensors"]) writeFileSync(output.path(name), String(n).repeat(100_000));
  await output.commit();
}
`;

const isModel = (dir: string): boolean => existsSync(join(dir, "config.json"));

/** Everything that the config stands for is there too. */
function isComplete(dir: string): boolean {
  const n = readFileSync(join(dir, "config.json"), "utf8");
  return ["model-1.safetensors", "model-2.safetensors"].every((name) => {
    return readFileSync(join(dir, name), "utf8") === n.repeat(100_000);
  });
}

test("kill -9 at any moment leaves whole models only, and the next run cleans up", {
  timeout: 120_000,
}, async () => {
  const module = compile("src/io/atomic-output.ts", directoryWith());
  const dir = directoryWith();
  const script = join(directoryWith({ "writer.mjs": writer }), "writer.mjs");
  const target = join(dir, "out");
  const options: OutputOptions = { overwrite: true, singleFile: false, sources: [] };
  let committed = false;
  let leftovers = 0;

  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 0, max: 40_000 }), async (microseconds) => {
      const child = spawn(process.execPath, [script, module, target], {
        stdio: ["ignore", "pipe", "inherit"],
      });
      await new Promise((ready) => child.stdout.once("data", ready));
      await new Promise((later) => setTimeout(later, microseconds / 1000));
      const dead = new Promise((exit) => child.once("exit", exit));
      child.kill("SIGKILL");
      await dead;

      const left = readdirSync(dir);
      expect(left.filter((name) => isModel(join(dir, name)) && !isComplete(join(dir, name)))).toEqual([]);
      committed ||= left.some((name) => name === "out" || name.endsWith(".replaced"));
      leftovers += left.filter((name) => name !== "out").length;

      AtomicOutput.begin(target, options).abort();
      expect(readdirSync(dir)).toEqual(committed ? ["out"] : []);
      expect(isModel(target) && isComplete(target)).toBe(committed);
    }),
    { numRuns: 30 },
  );
  // Else nothing was tested.
  expect(committed).toBe(true);
  expect(leftovers).toBeGreaterThan(0);
});

test("a place where the user may not write", () => {
  const module = compile("src/io/atomic-output.ts", directoryWith());
  const dir = directoryWith({
    "try.mjs": `
const [module, target] = process.argv.slice(2);
const { AtomicOutput } = await import(module);
if (process.getuid() === 0) process.setuid(65534);
for (const singleFile of [false, true]) {
  for (const place of [target, target + "/deep"]) {
    try {
      AtomicOutput.begin(place, { overwrite: false, singleFile, sources: [] });
    } catch (error) {
      console.log(error.message);
    }
  }
}
`,
  });
  chmodSync(dir, 0o555);
  const run = spawnSync(process.execPath, [join(dir, "try.mjs"), module, join(dir, "out")], {
    encoding: "utf8",
  });
  const expected = [dir, join(dir, "out")].map((parent) => `${parent}: permission denied\n`).join("");
  expect(run.stdout).toBe(expected + expected);
  chmodSync(dir, 0o755);
  writeFileSync(join(dir, "x"), "");
});
