/** The two programs of `.ci/run` that could hide a failure: they must not. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { directoryWith, type Files } from "./support/files.ts";
import { root } from "./support/repository.ts";

function run(program: string, args: readonly string[], cwd: string) {
  const { status, stdout, stderr } = spawnSync(program, args, { cwd, encoding: "utf8" });
  return { status, stdout, stderr, lines: stdout.trimEnd().split("\n") };
}

const vitest = (passed: number, failed: number, files: readonly object[] = []): string =>
  JSON.stringify({ numPassedTests: passed, numFailedTests: failed, testResults: files });
const pytest = (tests: number, failures: number, errors = 0, skipped = 0): string =>
  '<?xml version="1.0" encoding="utf-8"?><testsuites name="pytest tests"><testsuite name="pytest" ' +
  `errors="${errors}" failures="${failures}" skipped="${skipped}" tests="${tests}" time="1.5">…`;

const good: Files = {
  "steps.txt": "readme 0\ncheck 0\nnative 0\nconformance 0\n",
  "vitest.json": vitest(20, 0),
  "native.txt": "make: …\n7 passed, 0 failed\n",
  "conformance.xml": pytest(100, 0, 0, 1),
};

describe("count.js", () => {
  const count = (reports: Files) =>
    run(process.execPath, [join(root, ".ci/count.js"), directoryWith(reports)], root);

  test("adds the tests of all runners", () => {
    const { status, lines } = count(good);
    expect(lines.at(-1)).toBe("126 passed, 0 failed");
    expect(status).toBe(0);
  });

  test.each<[string, Files, string, string]>([
    [
      "a test of vitest fails",
      { "vitest.json": vitest(18, 2) },
      "readme: 18 tests passed, 2 failed",
      "124 passed, 2 failed",
    ],
    [
      "a test file does not load",
      { "vitest.json": vitest(20, 0, [{ status: "failed", assertionResults: [] }]) },
      "readme: 20 tests passed, 1 failed",
      "126 passed, 1 failed",
    ],
    [
      "a C++ test fails",
      { "native.txt": "FAILED x\n6 passed, 1 failed\n" },
      "native: 6 tests passed, 1 failed",
      "125 passed, 1 failed",
    ],
    [
      "conformance fails",
      { "conformance.xml": pytest(100, 2, 1) },
      "conformance: 97 tests passed, 3 failed",
      "124 passed, 3 failed",
    ],
    [
      "a step without tests fails",
      { "steps.txt": "readme 0\ncheck 1\nnative 0\nconformance 0\n" },
      "check: exit status 1",
      "126 passed, 1 failed",
    ],
    [
      "a step fails though its tests passed",
      { "steps.txt": "readme 0\ncheck 0\nnative 0\nconformance 2\n" },
      "conformance: 99 tests passed, 0 failed; exit status 2",
      "126 passed, 1 failed",
    ],
    [
      "a step did not run",
      { "steps.txt": "readme 0\ncheck 0\nnative 0\n" },
      "conformance: 99 tests passed, 0 failed; exit status undefined",
      "126 passed, 1 failed",
    ],
    [
      "a runner counts nothing",
      { "native.txt": "0 passed, 0 failed\n" },
      "native: 0 tests passed, 0 failed; native.txt counts no test",
      "119 passed, 1 failed",
    ],
    [
      "the C++ tests do not compile",
      { "native.txt": "error: expected ';'\n" },
      String.raw`native: 0 tests passed, 0 failed; native.txt cannot be read: no /^(\d+) passed, (\d+) failed$/m`,
      "119 passed, 1 failed",
    ],
  ])("%s", (_, change, line, last) => {
    const { status, lines } = count({ ...good, ...change });
    expect(lines).toContain(line);
    expect(lines.at(-1)).toBe(last);
    expect(status).toBe(1);
  });

  test("a report is missing", () => {
    const { "vitest.json": _, ...rest } = good;
    const { status, lines } = count(rest);
    expect(lines[0]).toMatch(/^readme: 0 tests passed, 0 failed; vitest\.json cannot be read: ENOENT/);
    expect(lines.at(-1)).toBe("106 passed, 1 failed");
    expect(status).toBe(1);
  });
});

describe("readme-block", () => {
  const block = (readme: string) =>
    run(join(root, ".ci/readme-block"), ["test it"], directoryWith({ "README.md": readme }));
  const fenced = (...lines: readonly string[]): string => ["```sh", ...lines, "```", ""].join("\n");

  test("runs that block and no other", () => {
    const others = [fenced("# run it", "echo other"), "# test it\n"];
    const { status, stdout } = block(
      [...others, fenced("# test it", "x=1", "echo $x", "", "echo 2"), ...others].join("\n"),
    );
    expect(stdout).toBe("1\n2\n");
    expect(status).toBe(0);
  });

  test("stops at the first command that fails", () => {
    const { status, stdout } = block(fenced("# test it", "echo 1", "sh -c 'exit 3'", "echo 2"));
    expect(stdout).toBe("1\n");
    expect(status).toBe(3);
  });

  test("says that it found no such block", () => {
    const { status, stderr } = block(fenced("# run it", "echo other"));
    expect(stderr).toBe('README.md has no sh block that begins with "# test it"\n');
    expect(status).toBe(1);
  });
});
