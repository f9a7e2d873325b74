/** Outputs that cannot be: places that are taken, strange or closed, and disks that are full. */
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { instead, mlxConvert, program } from "../support/command.ts";
import { directoryWith } from "../support/files.ts";
import { llamaConfig, type LlamaSize, llamaTensors, tensorFile } from "../support/llama.ts";
import { attempt, type Refusal, refused } from "../support/refusal.ts";
import { snapshot } from "../support/snapshot.ts";

const size: LlamaSize = { layers: 1, hidden: 64, intermediate: 128, vocabulary: 4096 };
const model = {
  "model/config.json": llamaConfig(size),
  "model/model.safetensors": tensorFile(llamaTensors(size)),
  "model/tokenizer.json": "x".repeat(100_000),
};
const convertTo = (output: string, ...flags: string[]): string[] => [
  "convert",
  "model",
  "-q",
  "-o",
  output,
  ...flags,
];

const taken: readonly Refusal[] = [
  {
    what: "an output that exists",
    files: () => ({ ...model, "out/config.json": "{}" }),
    args: convertTo("out"),
    error: /^out: already exists$/,
    hint: /^--overwrite replaces it once the new model is complete, or choose another -o$/,
  },
  {
    what: "an output that is empty",
    files: () => ({ ...model, "out/x": "" }),
    args: convertTo("out"),
    error: /^out: already exists$/,
    hint: /--overwrite/,
  },
  {
    what: "an output file that exists",
    files: () => ({ ...model, "out.safetensors": "" }),
    args: convertTo("out.safetensors"),
    error: /^out\.safetensors: already exists$/,
    hint: /--overwrite/,
  },
  {
    what: "photos in the place of the output",
    files: () => ({ ...model, "out/holiday.jpg": "" }),
    args: convertTo("out", "--overwrite"),
    error: /^out: does not look like a model .*, so it is not replaced$/,
    hint: /remove it yourself/,
  },
  {
    what: "the source as the output",
    files: () => model,
    args: convertTo("model", "--overwrite"),
    error: /^model: is the source$/,
    hint: /the source is never changed/,
  },
  {
    what: "the source's file as the output",
    files: () => model,
    args: ["convert", "model/model.safetensors", "-o", "model/model.safetensors", "--overwrite"],
    error: /^model\/model\.safetensors: is the source$/,
    hint: /the source is never changed/,
  },
  {
    what: "the source spelled in another way",
    files: () => model,
    args: convertTo("./nothing/../model/", "--overwrite"),
    error: /is the source$/,
    hint: /the source is never changed/,
  },
  {
    what: "a directory around the source",
    files: () => ({ ...model, "config.json": "{}" }),
    args: convertTo("../", "--overwrite"),
    error: /contains the source model|contains the current directory|is or contains/,
    hint: /choose another -o/,
  },
  {
    what: "a file in the place of the directory",
    files: () => ({ ...model, out: "" }),
    args: convertTo("out", "--overwrite"),
    error: /^out: is a file, expected a directory$/,
    hint: /-o <name>\.safetensors/,
  },
  {
    what: "a directory in the place of the file",
    files: () => ({ ...model, "out.safetensors/x": "" }),
    args: convertTo("out.safetensors", "--overwrite"),
    error: /^out\.safetensors: is a directory, expected a file$/,
    hint: /-o <dir>\/model\.safetensors/,
  },
  {
    what: "an output inside a file",
    files: () => model,
    args: convertTo("model/config.json/out"),
    error: /a part of the path is not a directory$/,
    hint: /directories/,
  },
  {
    what: "an output in /proc",
    files: () => model,
    args: convertTo("/proc/out"),
    error: /^\/proc: (no such file or directory|permission denied|operation not permitted|is a directory)$/,
    hint: /./,
  },
  {
    what: "an output whose name is too long",
    files: () => model,
    args: convertTo("o".repeat(300)),
    error: /the name is too long$/,
    hint: /shorter/,
  },
  {
    what: "an output whose name leaves no room for the unfinished one's",
    files: () => model,
    args: convertTo("o".repeat(250)),
    error: /the name is too long$/,
    hint: /shorter/,
  },
];

describe("a place that is taken or cannot be", () => {
  test.each(taken)("$what", async (refusal) => {
    expect(await attempt(refusal)).toEqual(refused(refusal));
  });

  test("a link, whose target would be replaced", async () => {
    const dir = directoryWith({ ...model, "elsewhere/config.json": "{}" });
    symlinkSync("elsewhere", join(dir, "out"));
    const refusal = {
      what: "a link",
      args: convertTo("out", "--overwrite"),
      error: /^out: is a symbolic link to elsewhere$/,
      hint: /./,
    };
    expect(await attempt(refusal, dir)).toEqual(refused(refusal));
  });
});

const mounting = spawnSync("unshare", ["--mount", "true"]).status === 0 && process.getuid?.() === 0;

/** A file system of its own in `dir`, gone when the test ends. */
function mount(dir: string, options: string): void {
  mkdirSync(dir, { recursive: true });
  const { status, stderr } = spawnSync("mount", ["-t", "tmpfs", "-o", options, "tmpfs", dir], {
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(`mount: ${stderr}`);
  onTestFinished(() => {
    spawnSync("umount", ["--lazy", dir]);
  });
}

describe.skipIf(!mounting)("a file system that says no (needs root and mount)", () => {
  test("read-only", async () => {
    const dir = directoryWith(model);
    mount(join(dir, "small"), "ro");
    for (const output of ["small/out", "small/a/b/out", "small/out.safetensors"]) {
      const refusal = {
        what: output,
        args: convertTo(output),
        error: /^.*small(\/a\/b)?: the file system is read-only$/,
        hint: /another file system/,
      };
      expect(await attempt(refusal, dir)).toEqual(refused(refusal));
    }
  });

  test("too small for the output, before any work", async () => {
    const dir = directoryWith(model);
    mount(join(dir, "small"), "size=64k");
    const refusal = {
      what: "full",
      args: convertTo("small/out", "--quiet"),
      error: /^small\/out: no space left on the device: the output takes [\d.]+ kB, [\d.]+ kB are free$/,
      hint: /another disk/,
    };
    expect(await attempt(refusal, dir)).toEqual(refused(refusal));
  });

  test("full when the shards are made", async () => {
    const dir = directoryWith(model);
    mount(join(dir, "small"), "size=64k");
    const refusal = {
      what: "full",
      args: convertTo("small/out", "--quiet"),
      error: /^small\/out\/model\.safetensors: no space left on the device$/,
      hint: /another disk/,
    };
    const node = instead("statfsSync", "return { ...original(...args), bavail: 1e9 };");
    expect(await attempt(refusal, dir, { node })).toEqual(refused(refusal));
  });

  test("full after the tensors", async () => {
    const dir = directoryWith(model);
    mount(join(dir, "small"), "size=500k");
    const refusal = {
      what: "full",
      args: convertTo("small/out", "--quiet"),
      error: /^small\/out\/tokenizer\.json: no space left on the device$/,
      hint: /another disk/,
    };
    const node = instead("copyFileSync", "fill(); return original(...args);");
    expect(await attempt(refusal, dir, { node })).toEqual({ ...refused(refusal), changed: ["small/full"] });
  });
});

test.skipIf(process.platform === "win32")("a limit on the size of files", async () => {
  const dir = directoryWith(model);
  const before = snapshot(dir);
  const limited = [
    "-c",
    'ulimit -f 16 && exec "$@"',
    "bash",
    process.execPath,
    program,
    ...convertTo("out", "--quiet"),
  ];
  const { status, stderr } = spawnSync("bash", limited, { cwd: dir, encoding: "utf8" });
  expect(stderr).toMatch(/^error: out\/model\.safetensors: the file becomes larger than .*\nhint: .*\n$/);
  expect(status).toBe(1);
  expect(snapshot(dir)).toEqual(before);
});

test.skipIf(!existsSync("/dev/full"))("standard output that takes nothing", () => {
  const dir = directoryWith(model);
  const full = ["-c", '"$@" > /dev/full', "bash", process.execPath, program, "plan", "model"];
  const { status, stderr } = spawnSync("bash", full, { cwd: dir, encoding: "utf8" });
  expect(stderr).toBe(
    "error: standard output: no space left on the device\nhint: make room, or choose an output on another disk\n",
  );
  expect(status).toBe(1);
});

test.each(["model.safetensors", "pytorch_model.bin", "config.json"])(
  "a pipe in the place of %s",
  async (name) => {
    const weights =
      name === "config.json" ? { "model/model.safetensors": model["model/model.safetensors"] } : {};
    const dir = directoryWith({ "model/tokenizer.json": "{}", ...weights });
    execFileSync("mkfifo", [join(dir, "model", name)]);
    const before = readdirSync(dir, { recursive: true });
    const run = await mlxConvert(convertTo("out", "--quiet"), { cwd: dir });
    expect(run.stderr).toBe(`error: model/${name}: not a regular file\nhint: give a file, or a directory\n`);
    expect(run).toMatchObject({ status: 1, stdout: "" });
    expect(readdirSync(dir, { recursive: true })).toEqual(before);
  },
);
