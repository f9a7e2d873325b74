/** The command is stopped at random moments of its work: nothing loads as a model that is not whole. */
import type { ChildProcess } from "node:child_process";
import { existsSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { type CommandResult, mlxConvert } from "../support/command.ts";
import { directoryWith } from "../support/files.ts";
import { writeLlama } from "../support/llama.ts";
import { snapshot } from "../support/snapshot.ts";

type Snapshot = ReturnType<typeof snapshot>;

/** A moment of a run: so long after its start, its first file, or its last one, when only the commit is left. */
interface Moment {
  readonly after: "start" | "first file" | "last file";
  /** Of the time that an undisturbed run takes from there to its end, roughly. */
  readonly share: number;
}

const moment: fc.Arbitrary<Moment> = fc.record({
  after: fc.constantFrom("start", "first file", "first file", "first file", "last file"),
  share: fc.noBias(fc.integer({ min: 0, max: 1100 })).map((thousandths) => thousandths / 1000),
});

/** What there is to convert, and what comes of it undisturbed. */
interface Arena {
  readonly dir: string;
  readonly whole: Snapshot;
  /** Of a model that is converted in no time: the next run, and what is overwritten. */
  readonly small: Snapshot;
  readonly milliseconds: number;
}

const convertToOut = (source: string, flags: readonly string[] = []): string[] => {
  return ["convert", source, "-q", "-o", "out", "--quiet", ...flags];
};

async function arena(): Promise<Arena> {
  const dir = directoryWith();
  writeLlama(
    join(dir, "model"),
    { layers: 8, hidden: 512, intermediate: 1408, vocabulary: 16_384 },
    "numbers",
  );
  writeLlama(join(dir, "small"), { layers: 1, hidden: 64, intermediate: 128, vocabulary: 96 }, "numbers");
  const seconds: number[] = [];
  const run = async (source: string): Promise<Snapshot> => {
    const result = await mlxConvert(convertToOut(source), { cwd: dir });
    expect(result).toMatchObject({ status: 0, stderr: "" });
    seconds.push(result.seconds);
    const made = snapshot(join(dir, "out"));
    rmSync(join(dir, "out"), { recursive: true });
    return made;
  };
  const small = await run("small");
  const whole = await run("model");
  return { dir, whole, small, milliseconds: 1000 * (seconds.at(-1) ?? 0) };
}

/** Runs the command and sends it a signal at a moment of its work. */
async function stopAt(
  { dir, milliseconds }: Arena,
  { after, share }: Moment,
  signal: NodeJS.Signals,
  args: readonly string[],
): Promise<CommandResult> {
  const stop = async (child: ChildProcess): Promise<void> => {
    const running = (): boolean => child.exitCode === null && child.signalCode === null;
    const reached = {
      start: () => true,
      "first file": () => remains(dir).length > 0,
      "last file": () => isWritten(dir),
    };
    const rest = { start: milliseconds, "first file": milliseconds / 2, "last file": milliseconds / 4 };
    while (running() && !reached[after]()) await sleep(1);
    await sleep(share * rest[after]);
    child.kill(signal);
  };
  return mlxConvert(args, { cwd: dir, onStart: (child) => void stop(child) });
}

const remains = (dir: string): string[] => {
  return readdirSync(dir).filter((name) => !["model", "small", "out"].includes(name));
};

/** The model card is the last file that is written. */
const isWritten = (dir: string): boolean =>
  remains(dir).some((name) => existsSync(join(dir, name, "README.md.partial")));

/** The directories below `dir` that something may take for a model. */
function models(dir: string): string[] {
  const names = readdirSync(dir, { recursive: true, encoding: "utf8" });
  const files = names.filter((name) => /(^|\/)(config\.json|[^/]*\.safetensors)$/.test(name));
  const places = new Set(files.map((name) => name.slice(0, name.lastIndexOf("/"))));
  return [...places].filter((place) => !["model", "small"].includes(place));
}

const check = { numRuns: 50, endOnFailure: true, verbose: true };

test("kill -9: what is there afterwards is whole, and the next run does not care", {
  timeout: 240_000,
}, async () => {
  const field = await arena();
  const { dir, whole, small } = field;
  let leftBehind = 0;
  await fc.assert(
    fc.asyncProperty(moment, async (when) => {
      const { status } = await stopAt(field, when, "SIGKILL", convertToOut("model"));
      // Between the names of the last file and of the directory lies one system call, where all is durable and complete.
      for (const place of models(dir)) expect(snapshot(join(dir, place))).toEqual(whole);
      expect(models(dir).includes("out") || status !== 0).toBe(true);
      leftBehind += remains(dir).length;
      rmSync(join(dir, "out"), { recursive: true, force: true });

      const next = await mlxConvert(convertToOut("small"), { cwd: dir });
      expect(next).toMatchObject({ status: 0, stderr: "" });
      expect(readdirSync(dir)).toEqual(["model", "out", "small"]);
      expect(snapshot(join(dir, "out"))).toEqual(small);
      rmSync(join(dir, "out"), { recursive: true });
    }),
    check,
  );
  // Else nothing was tested.
  expect(leftBehind).toBeGreaterThan(5);
});

test("kill -9 with --overwrite: the place has the old model or the new one", {
  timeout: 240_000,
}, async () => {
  const field = await arena();
  const { dir, whole, small } = field;
  await mlxConvert(convertToOut("small"), { cwd: dir });
  const seen = new Set<Snapshot>();
  await fc.assert(
    fc.asyncProperty(moment, async (when) => {
      await stopAt(field, when, "SIGKILL", convertToOut("model", ["--overwrite"]));
      const there = snapshot(join(dir, "out"));
      const which = there["config.json"] === small["config.json"] ? small : whole;
      expect(there).toEqual(which);
      seen.add(which);

      const next = await mlxConvert(convertToOut("small", ["--overwrite"]), { cwd: dir });
      expect(next).toMatchObject({ status: 0, stderr: "" });
      expect(readdirSync(dir)).toEqual(["model", "out", "small"]);
      expect(snapshot(join(dir, "out"))).toEqual(small);
    }),
    { ...check, numRuns: 30 },
  );
  expect(seen.size).toBe(2);
});

test("SIGINT and SIGTERM: one line, and nothing is left", { timeout: 240_000 }, async () => {
  const field = await arena();
  const { dir, whole } = field;
  const statuses = { SIGINT: 130, SIGTERM: 143 } as const;
  let stopped = 0;
  await fc.assert(
    fc.asyncProperty(moment, fc.constantFrom("SIGINT", "SIGTERM"), async (when, signal) => {
      const run = await stopAt(field, when, signal, convertToOut("model"));
      const line = "interrupted: nothing was written to out\n";
      const complete = existsSync(join(dir, "out"));
      const outcomes = [
        { status: statuses[signal], signal: null, stderr: line, out: undefined },
        // Too early: Node itself was still starting.
        { status: null, signal, stderr: "", out: undefined },
        // Too late: everything was in its place.
        { status: 0, signal: null, stderr: "", out: whole },
        { status: null, signal, stderr: "", out: whole },
      ];
      expect(outcomes).toContainEqual({
        status: run.status,
        signal: run.signal,
        stderr: run.stderr,
        out: complete ? snapshot(join(dir, "out")) : undefined,
      });
      stopped += Number(run.stderr === line);
      rmSync(join(dir, "out"), { recursive: true, force: true });
      expect(readdirSync(dir)).toEqual(["model", "small"]);
    }),
    { ...check, numRuns: 40 },
  );
  expect(stopped).toBeGreaterThan(5);
});

test("a run whose number a dead one had takes its remains for its own", async () => {
  const { dir, small } = await arena();
  const run = await mlxConvert(convertToOut("model"), {
    cwd: dir,
    onStart: (child) => void killWhenWritten(dir, child),
  });
  expect(run.signal).toBe("SIGKILL");
  const [left = ""] = remains(dir);
  // Another machine's, on a shared disk, are not touched: nobody here knows whether it still runs.
  renameSync(join(dir, left), join(dir, left.replace(/\.[^.]+\.\d+$/, ".elsewhere.1")));
  expect(await mlxConvert(convertToOut("small"), { cwd: dir })).toMatchObject({ status: 0, stderr: "" });
  expect(snapshot(join(dir, "out"))).toEqual(small);
  expect(remains(dir)).toEqual(["out.mlx-convert-partial.elsewhere.1"]);
});

async function killWhenWritten(dir: string, child: ChildProcess): Promise<void> {
  while (child.exitCode === null && !isWritten(dir)) await sleep(1);
  child.kill("SIGKILL");
}
