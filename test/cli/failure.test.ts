import { describe, expect, test } from "vitest";
import { reportFailure } from "../../src/cli/failure.ts";
import { Interrupted } from "../../src/cli/interrupt.ts";
import { MlxConvertError } from "../../src/errors.ts";
import { fakeTerminal, type Ran } from "../support/cli.ts";

function report(error: unknown, json = false, env = {}, isTTY = false): Ran {
  const { terminal, text } = fakeTerminal(isTTY, env);
  return { status: reportFailure(error, json, terminal), ...text };
}

const ours = new MlxConvertError("is cut off", {
  file: "m.safetensors",
  tensor: "w",
  hint: "fetch it again",
});

describe("an error of ours", () => {
  test("the message, the hint and its status", () => {
    expect(report(ours)).toEqual({
      status: 1,
      stdout: "",
      stderr: 'error: m.safetensors: tensor "w": is cut off\nhint: fetch it again\n',
    });
    expect(report(new MlxConvertError("no", { exitStatus: 2 }))).toEqual({
      status: 2,
      stdout: "",
      stderr: "error: no\n",
    });
  });

  test("with --json it is the document too", () => {
    const { stdout, stderr } = report(ours, true);
    expect(stderr).toBe(report(ours).stderr);
    expect(JSON.parse(stdout)).toEqual({
      error: {
        message: 'm.safetensors: tensor "w": is cut off',
        hint: "fetch it again",
        file: "m.safetensors",
        tensor: "w",
      },
    });
    expect(JSON.parse(report(new MlxConvertError("no"), true).stdout)).toEqual({
      error: { message: "no", hint: null, file: null, tensor: null },
    });
  });

  test("a check that failed has its report as the document already", () => {
    expect(report(new MlxConvertError("not right", { exitStatus: 3 }), true)).toEqual({
      status: 3,
      stdout: "",
      stderr: "error: not right\n",
    });
  });

  test("cannot steer the terminal", () => {
    expect(report(new MlxConvertError("a\u001b[2Jb", { hint: "c\nd" })).stderr).toBe(
      String.raw`error: a\u001b[2Jb` + "\nhint: c d\n",
    );
  });

  test("has colors on a terminal", () => {
    expect(report(ours, false, {}, true).stderr).toContain("\u001b[31merror:\u001b[39m m.safe");
  });
});

test("an interruption says what it means", () => {
  expect(report(new Interrupted("SIGTERM", "nothing was written to out"))).toEqual({
    status: 143,
    stdout: "",
    stderr: "interrupted: nothing was written to out\n",
  });
});

test("what the system says is no bug", () => {
  const error = Object.assign(new Error("ENOSPC: no space left"), {
    code: "ENOSPC",
    syscall: "write",
    path: "/x/y",
  });
  expect(report(error)).toEqual({
    status: 1,
    stdout: "",
    stderr:
      "error: /x/y: no space left on the device\nhint: make room, or choose an output on another disk\n",
  });
});

describe("anything else is a bug", () => {
  const bug = new TypeError("x is not a function");

  test("one line, and where to report it", () => {
    expect(report(bug)).toEqual({
      status: 1,
      stdout: "",
      stderr:
        "error: this is a bug in mlx-convert: TypeError: x is not a function\n" +
        "hint: please report it to the package mlx-convert, with what MLX_CONVERT_DEBUG=1 prints\n",
    });
    expect(report("a string").stderr).toContain("this is a bug in mlx-convert: a string\n");
  });

  test("MLX_CONVERT_DEBUG=1 shows where, and what caused it", () => {
    const { stderr } = report(new Error("outer", { cause: bug }), false, { MLX_CONVERT_DEBUG: "1" });
    expect(stderr).toMatch(/\nError: outer\n {4}at .*\ncaused by TypeError: x is not a function\n {4}at /s);
    expect(report(bug, false, { MLX_CONVERT_DEBUG: "0" }).stderr).not.toContain("    at ");
  });
});
