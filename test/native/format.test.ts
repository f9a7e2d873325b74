import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, expect, test } from "vitest";
import { freshDirectory } from "../support/fresh-directory.ts";
import { root } from "../support/repository.ts";

const fresh = freshDirectory();
const native = () => join(fresh.path, "native");
const format = (...flags: string[]) =>
  spawnSync(process.execPath, [join(native(), "format.js"), ...flags], { encoding: "utf8" });

beforeEach(() => {
  mkdirSync(join(native(), "kernels"), { recursive: true });
  for (const file of ["format.js", ".clang-format"]) {
    copyFileSync(join(root, "native", file), join(native(), file));
  }
  writeFileSync(join(fresh.path, "package.json"), '{ "type": "module" }');
  symlinkSync(join(root, "node_modules"), join(fresh.path, "node_modules"));
});

test("names the files that are not formatted, and formats them with --write", () => {
  const file = join(native(), "kernels", "a.cpp");
  writeFileSync(file, "int  f( ) {return 1 ;}\n");
  writeFileSync(join(native(), "fine.h"), "int f();\n");

  const checked = format();
  expect(checked.status).toBe(1);
  expect(checked.stderr).toBe(
    "not formatted, run `node native/format.js --write`:\n  native/kernels/a.cpp\n",
  );
  expect(format("--write").status).toBe(0);
  expect(readFileSync(file, "utf8")).toBe("int f() { return 1; }\n");
  expect(format().status).toBe(0);
});

test("fails where there is nothing to check", () => {
  const { status, stderr } = format();
  expect(status).toBe(1);
  expect(stderr).toContain("no C++ files to format");
});
