import { spawnSync } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { join, relative, resolve } from "node:path";

const root = resolve(import.meta.dirname, "../..");

/** Compiles one module of `src` with all it imports, so that a plain Node process can load it; returns the result's path. */
export function compile(source: string, into: string): string {
  writeFileSync(join(into, "package.json"), '{"type": "module"}');
  const options = {
    rootDir: join(root, "src"),
    outDir: into,
    declaration: false,
    sourceMap: false,
    typeRoots: [join(root, "node_modules/@types")],
  };
  const project = {
    extends: join(root, "tsconfig.build.json"),
    files: [join(root, source)],
    include: [],
    compilerOptions: options,
  };
  writeFileSync(join(into, "tsconfig.json"), JSON.stringify(project));
  const { stdout } = spawnSync(
    process.execPath,
    [join(root, "node_modules/typescript/bin/tsc"), "-p", into],
    { encoding: "utf8" },
  );
  const result = join(into, relative("src", source).replace(/\.ts$/, ".js"));
  if (!existsSync(result)) throw new Error(`${source} was not compiled: ${stdout}`);
  return result;
}
