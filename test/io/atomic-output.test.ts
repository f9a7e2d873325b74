import {
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { AtomicOutput, freeBytes, type OutputOptions } from "../../src/io/atomic-output.ts";
import { failure } from "../support/failure.ts";
import { directoryWith } from "../support/files.ts";

const fresh: OutputOptions = { overwrite: false, singleFile: false, sources: [] };
const over: OutputOptions = { ...fresh, overwrite: true };
const partial = (name: string, pid: number | string = process.pid, host = hostname()): string =>
  `${name}.mlx-convert-partial.${host.replaceAll(/[^A-Za-z0-9-]+/g, "-").slice(0, 64)}.${pid}`;
/** Larger than any process number of Linux and macOS. */
const deadPid = 4_999_999;
const read = (...parts: string[]): string => readFileSync(join(...parts), "utf8");
const model = { "out/config.json": "old config", "out/model.safetensors": "old weights" };

async function make(target: string, options: OutputOptions): Promise<void> {
  const output = AtomicOutput.begin(target, options);
  writeFileSync(output.path("model.safetensors"), "new weights");
  output.write("config.json", "new config");
  await output.commit();
}

/** As renameat2 does it, but for the one step. */
function exchange(a: string, b: string): boolean {
  renameSync(a, `${b}.aside`);
  renameSync(b, a);
  renameSync(`${b}.aside`, b);
  return true;
}

describe("a new directory", () => {
  test("appears at the commit, with its folders, and nothing else is left", async () => {
    const dir = directoryWith();
    const output = AtomicOutput.begin(join(dir, "out"), fresh);
    output.write("config.json", "{}");
    output.write("1_Pooling/config.json", "{}");
    writeFileSync(output.path("model.safetensors"), "weights");
    expect(readdirSync(dir)).toEqual([partial("out")]);
    expect(output.directory).toBe(join(dir, partial("out")));
    expect(readdirSync(output.directory).toSorted()).toEqual([
      "1_Pooling",
      "config.json.partial",
      "model.safetensors.partial",
    ]);
    await output.commit();
    expect(readdirSync(dir)).toEqual(["out"]);
    expect(readdirSync(join(dir, "out")).toSorted()).toEqual([
      "1_Pooling",
      "config.json",
      "model.safetensors",
    ]);
    expect(readdirSync(join(dir, "out/1_Pooling"))).toEqual(["config.json"]);
    expect(read(dir, "out/model.safetensors")).toBe("weights");
    output.abort();
    expect(readdirSync(dir)).toEqual(["out"]);
    await expect(output.commit()).rejects.toThrow("finished before");
  });

  test("leaves nothing after an abort, which may come twice", () => {
    const dir = directoryWith();
    const output = AtomicOutput.begin(join(dir, "out"), fresh);
    output.write("a/b/c.txt", "x");
    output.abort();
    output.abort();
    expect(readdirSync(dir)).toEqual([]);
  });

  test("gets its parents, which go again at an abort unless somebody uses them", async () => {
    const dir = directoryWith();
    AtomicOutput.begin(join(dir, "a/b/out"), fresh).abort();
    expect(readdirSync(dir)).toEqual([]);
    const output = AtomicOutput.begin(join(dir, "a/b/out"), fresh);
    writeFileSync(join(dir, "a/mine"), "");
    output.abort();
    expect(readdirSync(join(dir, "a"))).toEqual(["mine"]);
    await make(join(dir, "a/b/out"), fresh);
    expect(read(dir, "a/b/out/config.json")).toBe("new config");
  });

  test("has config.json named last", async () => {
    const dir = directoryWith();
    const output = AtomicOutput.begin(join(dir, "out"), fresh);
    output.write("config.json", "{}");
    output.write("a.txt", "");
    output.write("z.txt", "");
    mkdirSync(join(output.directory, "z.txt/in the way"), { recursive: true });
    await expect(output.commit()).rejects.toThrow(`${join(dir, "out")}: `);
    expect(readdirSync(output.directory).toSorted()).toEqual([
      "a.txt",
      "config.json.partial",
      "z.txt",
      "z.txt.partial",
    ]);
    output.abort();
    expect(readdirSync(dir)).toEqual([]);
  });

  test("does not appear where a file was never written", async () => {
    const dir = directoryWith();
    const output = AtomicOutput.begin(join(dir, "out"), fresh);
    output.write("config.json", "{}");
    const missing = output.path("model.safetensors");
    await expect(output.commit()).rejects.toThrow(`${missing}: no such file or directory`);
    output.abort();
    expect(readdirSync(dir)).toEqual([]);
  });

  test("does not replace what came in between", async () => {
    const dir = directoryWith();
    const output = AtomicOutput.begin(join(dir, "out"), fresh);
    output.write("config.json", "{}");
    mkdirSync(join(dir, "out"));
    await expect(output.commit()).rejects.toThrow(`${join(dir, "out")}: already exists`);
    output.abort();
    expect(readdirSync(dir)).toEqual(["out"]);
  });

  test("takes only names inside it", () => {
    const output = AtomicOutput.begin(join(directoryWith(), "out"), fresh);
    for (const name of ["", ".", "..", "../x", "/etc/x", "a/../../x", "a//b", "a/", "./a"]) {
      expect(() => output.path(name)).toThrow("not a name inside the output");
    }
  });
});

describe("overwriting", () => {
  test.each([
    ["in one step", { ...over, exchange }],
    ["where the system knows no exchange", { ...over, exchange: () => false }],
    ["without being given an exchange", over],
  ])("replaces a model when the new one is complete, %s", async (_title, options) => {
    const dir = directoryWith({ ...model, "out/old.txt": "" });
    const output = AtomicOutput.begin(join(dir, "out"), options);
    output.write("config.json", "new config");
    expect(read(dir, "out/config.json")).toBe("old config");
    await output.commit();
    expect(readdirSync(dir)).toEqual(["out"]);
    expect(readdirSync(join(dir, "out"))).toEqual(["config.json"]);
    expect(read(dir, "out/config.json")).toBe("new config");
  });

  test("leaves the old model where the run is aborted", () => {
    const dir = directoryWith(model);
    const output = AtomicOutput.begin(join(dir, "out"), over);
    output.write("config.json", "new config");
    output.abort();
    expect(readdirSync(dir)).toEqual(["out"]);
    expect(read(dir, "out/config.json")).toBe("old config");
  });

  test("replaces an empty directory, and makes what is not there", async () => {
    const dir = directoryWith();
    mkdirSync(join(dir, "empty"));
    await make(join(dir, "empty"), over);
    await make(join(dir, "new"), over);
    expect(readdirSync(dir)).toEqual(["empty", "new"]);
  });
});

describe("a single file", () => {
  test("appears at the commit", async () => {
    const dir = directoryWith();
    const output = AtomicOutput.begin(join(dir, "x.safetensors"), { ...fresh, singleFile: true });
    writeFileSync(output.path("x.safetensors"), "weights", { flag: "wx" });
    expect(readdirSync(dir)).toEqual([partial("x.safetensors")]);
    expect(output.directory).toBe(dir);
    expect(() => output.path("config.json")).toThrow("the output is one file, not config.json");
    await output.commit();
    expect(readdirSync(dir)).toEqual(["x.safetensors"]);
    expect(read(dir, "x.safetensors")).toBe("weights");
  });

  test("leaves nothing after an abort, and what was there", () => {
    const dir = directoryWith({ "x.safetensors": "old" });
    const output = AtomicOutput.begin(join(dir, "x.safetensors"), { ...over, singleFile: true });
    writeFileSync(output.path("x.safetensors"), "new");
    output.abort();
    expect(readdirSync(dir)).toEqual(["x.safetensors"]);
    expect(read(dir, "x.safetensors")).toBe("old");
  });

  test("is replaced only by --overwrite", async () => {
    const dir = directoryWith({ "x.safetensors": "old" });
    const target = join(dir, "x.safetensors");
    expect(failure(() => AtomicOutput.begin(target, { ...fresh, singleFile: true })).message).toBe(
      `${target}: already exists`,
    );
    const output = AtomicOutput.begin(target, { ...over, singleFile: true });
    writeFileSync(output.path("x.safetensors"), "new");
    await output.commit();
    expect(read(dir, "x.safetensors")).toBe("new");
  });
});

describe("places that are refused", () => {
  test.each<
    [string, (dir: string) => [target: string, options: OutputOptions], message: string, hint: string]
  >([
    [
      "a directory that exists",
      (dir) => [join(dir, "out"), fresh],
      "OUT: already exists",
      "--overwrite replaces it once the new model is complete, or choose another -o",
    ],
    [
      "a file for a directory",
      (dir) => [join(dir, "file"), over],
      "DIR/file: is a file, expected a directory",
      "-o <name>.safetensors writes a single file",
    ],
    [
      "a directory for a file",
      (dir) => [join(dir, "out"), { ...over, singleFile: true }],
      "OUT: is a directory, expected a file",
      "-o <dir>/model.safetensors writes a file into it",
    ],
    [
      "the source directory",
      (dir) => [join(dir, "out"), { ...over, sources: [`${dir}/elsewhere/../out`] }],
      "OUT: is the source",
      "choose another -o: the source is never changed",
    ],
    [
      "the source directory under another name",
      (dir) => [join(dir, "way/out"), { ...over, sources: [join(dir, "out")] }],
      "DIR/way/out: is the source",
      "choose another -o: the source is never changed",
    ],
    [
      "the source file under another name",
      (dir) => [
        join(dir, "hard.safetensors"),
        { ...over, singleFile: true, sources: [join(dir, "out/model.safetensors")] },
      ],
      "DIR/hard.safetensors: is the source",
      "choose another -o: the source is never changed",
    ],
    [
      "what holds the source",
      (dir) => [dir, { ...over, sources: [join(dir, "out/model.safetensors")] }],
      "DIR: contains the source DIR/out/model.safetensors",
      "choose another -o: the source is never changed",
    ],
    [
      "a link",
      (dir) => [join(dir, "link"), over],
      "DIR/link: is a symbolic link to DIR/out",
      "give the place itself with -o, or remove the link",
    ],
    [
      "a link to nothing",
      (dir) => [join(dir, "dangling"), fresh],
      "DIR/dangling: is a symbolic link to nothing",
      "give the place itself with -o, or remove the link",
    ],
    [
      "something that is no model",
      (dir) => [join(dir, "photos"), over],
      "DIR/photos: does not look like a model (no config.json, no .safetensors in it), so it is not replaced",
      "choose another -o, or remove it yourself",
    ],
    [
      "the current directory",
      () => [".", over],
      ".: is or contains the current directory, so it is not replaced",
      "choose another -o",
    ],
    [
      "what holds the current directory",
      () => ["/", over],
      "/: is or contains the current directory, so it is not replaced",
      "choose another -o",
    ],
    [
      "a device",
      () => ["/dev/null", { ...over, singleFile: true }],
      "/dev/null: is not a regular file",
      "choose another -o",
    ],
  ])("%s", (_title, given, message, hint) => {
    const dir = directoryWith({ ...model, file: "", "photos/a.jpg": "", "elsewhere/x": "" });
    symlinkSync(join(dir, "out"), join(dir, "link"));
    symlinkSync("nothing", join(dir, "dangling"));
    symlinkSync(dir, join(dir, "way"));
    linkSync(join(dir, "out/model.safetensors"), join(dir, "hard.safetensors"));
    const before = readdirSync(dir);
    const error = failure(() => AtomicOutput.begin(...given(dir)));
    expect(error.message).toBe(message.replaceAll("OUT", join(dir, "out")).replaceAll("DIR", dir));
    expect(error.hint).toBe(hint);
    expect(error.exitStatus).toBe(1);
    expect(readdirSync(dir)).toEqual(before);
    expect(read(dir, "out/config.json")).toBe("old config");
  });

  test("a place below a file", () => {
    const dir = directoryWith({ file: "" });
    for (const target of [join(dir, "file/out"), join(dir, "file/deep/out")]) {
      expect(failure(() => AtomicOutput.begin(target, fresh)).message).toMatch(
        /: a part of the path is not a directory$/,
      );
    }
  });

  test("a second conversion to the same place in this process", () => {
    const dir = directoryWith();
    const first = AtomicOutput.begin(join(dir, "out"), fresh);
    const { message } = failure(() => AtomicOutput.begin(join(dir, "out"), fresh));
    expect(message).toBe(`${join(dir, "out")}: another conversion of this process writes to it`);
    expect(existsSync(first.directory)).toBe(true);
  });

  test("inside the source directory is allowed", async () => {
    const dir = directoryWith(model);
    await make(join(dir, "out/mlx"), { ...fresh, sources: [join(dir, "out")] });
    expect(read(dir, "out/mlx/config.json")).toBe("new config");
  });
});

describe("what killed runs left", () => {
  test("of this machine is removed, of running ones, other machines and other outputs is not", () => {
    const dir = directoryWith();
    const dead = partial("out", deadPid);
    const others = [
      partial("out", 1),
      partial("out", deadPid, "elsewhere"),
      partial("other", deadPid),
      partial("out", "12x"),
      "out.txt",
    ];
    for (const name of [dead, ...others]) mkdirSync(join(dir, name));
    writeFileSync(join(dir, dead, "config.json.partial"), "");
    AtomicOutput.begin(join(dir, "out"), fresh).abort();
    expect(readdirSync(dir).toSorted()).toEqual(others.toSorted());
  });

  test("a single file too", () => {
    const dir = directoryWith({ [partial("x.safetensors", deadPid)]: "half" });
    AtomicOutput.begin(join(dir, "x.safetensors"), { ...fresh, singleFile: true }).abort();
    expect(readdirSync(dir)).toEqual([]);
  });

  test("an old model whose replacement never came is put back", () => {
    const dir = directoryWith({
      [`${partial("out", deadPid)}.replaced/config.json`]: "old config",
      [`${partial("out", deadPid)}/config.json`]: "new config",
    });
    AtomicOutput.begin(join(dir, "out"), over).abort();
    expect(readdirSync(dir)).toEqual(["out"]);
    expect(read(dir, "out/config.json")).toBe("old config");
    expect(() => AtomicOutput.begin(join(dir, "out"), fresh)).toThrow("already exists");
  });

  test("an old model that was replaced goes", () => {
    const dir = directoryWith({
      ...model,
      [`${partial("out", deadPid)}.replaced/config.json`]: "older",
    });
    AtomicOutput.begin(join(dir, "out"), over).abort();
    expect(readdirSync(dir)).toEqual(["out"]);
    expect(read(dir, "out/config.json")).toBe("old config");
  });
});

test("freeBytes answers for a directory that is still to be made", () => {
  const dir = directoryWith();
  expect(freeBytes(dir)).toBeGreaterThan(0);
  expect(freeBytes(join(dir, "a/b/c"))).toBeGreaterThan(0);
});
