/** What is published: everything that a user needs, and nothing else. Needs `npm run build`. */
import { execFileSync } from "node:child_process";
import { basename } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { filesBelow, readText, root } from "./support/repository.ts";

interface Manifest {
  readonly version: string;
  readonly bin: Readonly<Record<string, string>>;
  readonly types: string;
  readonly exports: { readonly ".": Readonly<Record<string, string>> };
}

const manifest = JSON.parse(readText("package.json")) as Manifest;
let packed: readonly string[] = [];

beforeAll(() => {
  const options = { cwd: root, encoding: "utf8", shell: process.platform === "win32" } as const;
  const answer = execFileSync("npm", ["pack", "--dry-run", "--json", "--ignore-scripts"], {
    ...options,
    stdio: ["ignore", "pipe", "ignore"],
  });
  const [report] = JSON.parse(answer) as { files: { path: string }[] }[];
  packed = report?.files.map(({ path }) => path).toSorted() ?? [];
});

test("what package.json names is in the package", () => {
  const named = [...Object.values(manifest.bin), manifest.types, ...Object.values(manifest.exports["."])];
  expect(named.length).toBeGreaterThanOrEqual(4);
  for (const path of named) expect(packed).toContain(path.replace(/^\.\//, ""));
});

test("the compiled files are those of src", () => {
  const compiled = filesBelow("src", /\.ts$/).flatMap((path) => {
    const name = path.replace(/^src/, "dist").replace(/\.ts$/, "");
    return [`${name}.js`, `${name}.d.ts`];
  });
  // Others are left from sources that have moved: remove dist and build again.
  expect(packed.filter((path) => path.startsWith("dist/"))).toEqual(compiled.toSorted());
});

test("the sources of the addon are there, without what is built and tested", () => {
  const wanted = ["convert", "kernels"].flatMap((folder) => filesBelow(`native/${folder}`, /\.(cpp|h)$/));
  const others = ["native/binding.gyp", "native/build.js"];
  expect(packed.filter((path) => path.startsWith("native/"))).toEqual([...wanted, ...others].toSorted());
  const gyp = readText("native/binding.gyp");
  const built = [...gyp.matchAll(/"([\w/]+\.cpp)"/g)].map(([, path]) => `native/${path}`);
  expect(built.length).toBeGreaterThan(5);
  expect(wanted.filter((path) => path.endsWith(".cpp"))).toEqual(built.toSorted());
});

test("the rest is documents", () => {
  const rest = packed.filter((path) => !/^(dist|native)\//.test(path));
  expect(rest).toEqual(
    [
      "CHANGELOG.md",
      "LICENSE",
      "README.md",
      "bin/mlx-convert.js",
      ...filesBelow("docs", /\.md$/),
      "package.json",
    ].toSorted(),
  );
});

test("the changelog begins with this version", () => {
  const [, version] = /^## (\S+)/m.exec(readText("CHANGELOG.md")) ?? [];
  expect(version).toBe(manifest.version);
});

test("the program is one import", () => {
  expect(basename(manifest.bin["mlx-convert"] ?? "")).toBe("mlx-convert.js");
  expect(readText("bin/mlx-convert.js")).toBe('#!/usr/bin/env node\nimport "../dist/cli/main.js";\n');
});
