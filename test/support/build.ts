/** Runs once before all tests: they run what is compiled, side by side, so none of them may compile it. */
import { execFileSync } from "node:child_process";
import { resolve } from "node:path";

export default function setup(): void {
  const compiler = ["node_modules/typescript/bin/tsc", "-p", "tsconfig.build.json"];
  execFileSync(process.execPath, compiler, {
    cwd: resolve(import.meta.dirname, "../.."),
    stdio: "inherit",
  });
}
