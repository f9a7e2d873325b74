/** The real command in a process of its own: `bin/mlx-convert.js` over what `npm run build` made. */
import { type ChildProcess, spawn } from "node:child_process";
import { resolve } from "node:path";

export const program = resolve(import.meta.dirname, "../../bin/mlx-convert.js");

export interface CommandResult {
  /** Null where a signal ended it. */
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly seconds: number;
}

export interface CommandOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Flags of Node, e.g. a module to load first. */
  readonly node?: readonly string[];
  /** Called as soon as the process exists. */
  readonly onStart?: (child: ChildProcess) => void;
}

/** Runs `mlx-convert` with these arguments to its end. */
export function mlxConvert(
  args: readonly string[],
  { cwd, env, node = [], onStart }: CommandOptions = {},
): Promise<CommandResult> {
  const started = performance.now();
  const child = spawn(process.execPath, [...node, program, ...args], {
    cwd,
    env: { ...process.env, NO_COLOR: "1", ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [stdout, stderr]: [string[], string[]] = [[], []];
  child.stdout.setEncoding("utf8").on("data", (text: string) => stdout.push(text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => stderr.push(text));
  onStart?.(child);
  return new Promise((done, fail) => {
    child.once("error", fail);
    child.once("close", (status, signal) => {
      const seconds = (performance.now() - started) / 1000;
      done({ status, signal, stdout: stdout.join(""), stderr: stderr.join(""), seconds });
    });
  });
}

/**
 * Flags of Node that run `code` instead of a function of node:fs, which it calls `original(...args)`; `fill()` fills the disk
 * that is mounted at `small`.
 */
export function instead(name: string, code: string): string[] {
  const source = `
    import fs from "node:fs";
    import { syncBuiltinESMExports } from "node:module";
    const original = fs.${name};
    const fill = () => { try { for (;;) fs.appendFileSync("small/full", Buffer.alloc(4096)); } catch {} };
    fs.${name} = (...args) => { ${code} };
    syncBuiltinESMExports();`;
  return ["--import", `data:text/javascript,${encodeURIComponent(source)}`];
}
