import { describe, expect, test } from "vitest";
import { progressLine, showProgress } from "../../src/cli/progress.ts";
import { fakeTerminal } from "../support/cli.ts";

describe("the line's text", () => {
  const GB = 1e9;

  test.each([
    [0, 4 * GB, 1, "  0%  0 B of 4.00 GB"],
    [1 * GB, 4 * GB, 0.1, " 25%  1.00 GB of 4.00 GB"],
    [1 * GB, 4 * GB, 2, " 25%  1.00 GB of 4.00 GB  500 MB/s  6 s left"],
    [3.99 * GB, 4 * GB, 10, " 99%  3.99 GB of 4.00 GB  399 MB/s  1 s left"],
    [1 * GB, 700 * GB, 1, "  0%  1.00 GB of 700 GB  1.00 GB/s  11:39 left"],
    [0, 0, 1, "100%  0 B of 0 B"],
  ])("%d of %d in %d s", (doneBytes, totalBytes, seconds, text) => {
    expect(showProgress({ doneBytes, totalBytes }, seconds)).toBe(text);
  });
});

const doing = { now: "converting", last: "flushing to the disk" };

test("on a terminal one line is written over and taken away", () => {
  const { terminal, text } = fakeTerminal(true);
  const progress = progressLine(terminal.stderr, doing, false);
  progress.onProgress?.({ doneBytes: 0, totalBytes: 1000 });
  progress.onProgress?.({ doneBytes: 1000, totalBytes: 1000 });
  progress.end();
  expect(text.stderr.split("\r\u001b[K")).toEqual([
    "",
    "converting   0%  0 B of 1.00 kB",
    "flushing to the disk",
    "",
  ]);
});

test("the line is never longer than the terminal is wide", () => {
  const { terminal, text } = fakeTerminal(true);
  const narrow = { ...terminal.stderr, columns: 20 };
  progressLine(narrow, doing, false).onProgress?.({ doneBytes: 1, totalBytes: 1e12 });
  expect(text.stderr).toBe("\r\u001b[Kconverting   0%  1 ");
});

test("nothing elsewhere, and nothing with --quiet", () => {
  const { terminal, text } = fakeTerminal(false);
  for (const progress of [
    progressLine(terminal.stderr, doing, false),
    progressLine(fakeTerminal(true).terminal.stderr, doing, true),
  ]) {
    expect(progress.onProgress).toBeUndefined();
    progress.end();
  }
  expect(text.stderr).toBe("");
});
