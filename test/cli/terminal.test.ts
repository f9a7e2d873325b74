import { describe, expect, test } from "vitest";
import { most, table } from "../../src/cli/table.ts";
import { printable, styleOf, voiceOf } from "../../src/cli/terminal.ts";
import { fakeTerminal } from "../support/cli.ts";

describe("colors", () => {
  const red = (isTTY: boolean, env = {}): string => styleOf({ write() {}, isTTY }, env).red("x");

  test("only on a terminal", () => {
    expect(red(true)).toBe("\u001b[31mx\u001b[39m");
    expect(red(false)).toBe("x");
  });

  test("not with NO_COLOR or on a dumb terminal", () => {
    expect(red(true, { NO_COLOR: "1" })).toBe("x");
    expect(red(true, { TERM: "dumb" })).toBe("x");
    expect(red(true, { NO_COLOR: "" })).not.toBe("x");
  });
});

test("what steers a terminal is shown, not sent", () => {
  expect(printable("a\u001b[2Jb\u0007\u009b\u202e\u2066c\r\nd é 漢 …")).toBe(
    String.raw`a\u001b[2Jb\u0007\u009b\u202e\u2066c\u000d d é 漢 …`,
  );
});

describe("voice", () => {
  const speak = (flags: { json: boolean; quiet: boolean }) => {
    const { terminal, text } = fakeTerminal();
    const voice = voiceOf(terminal, flags);
    voice.say("on the way");
    voice.warn("look");
    voice.answer(["line 1", "line 2"], { is: "json" });
    return text;
  };

  test("lines", () => {
    expect(speak({ json: false, quiet: false })).toEqual({
      stdout: "on the way\nline 1\nline 2\n",
      stderr: "warning: look\n",
    });
  });

  test("--json leaves standard output to the document", () => {
    expect(speak({ json: true, quiet: false })).toEqual({
      stdout: '{"is":"json"}\n',
      stderr: "on the way\nwarning: look\n",
    });
  });

  test("--quiet", () => {
    expect(speak({ json: false, quiet: true })).toEqual({ stdout: "", stderr: "" });
    expect(speak({ json: true, quiet: true })).toEqual({ stdout: '{"is":"json"}\n', stderr: "" });
  });
});

describe("table", () => {
  const style = styleOf({ write() {} }, {});

  test("aligns, and leaves out a column that says nothing", () => {
    const columns = [{ heading: "name" }, { heading: "note" }, { heading: "n", right: true }];
    const rows = [
      ["a", "", "5"],
      ["long\nname", "", "100"],
    ];
    expect(table(columns, rows, style)).toEqual(["  name         n", "  a            5", "  long name  100"]);
    expect(table(columns, [], style)).toEqual([]);
  });

  test("most takes any number of values", () => {
    expect(most(Array.from({ length: 500_000 }, (_, i) => i))).toBe(499_999);
  });
});
