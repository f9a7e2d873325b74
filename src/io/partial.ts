/**
 * The names of output that is not complete: `<name>.mlx-convert-partial.<host>.<pid>`. Anyone can see what it is, and the next
 * run to the same place knows whether the one that made it still runs.
 */
import { readdirSync, renameSync, rmSync, statSync } from "node:fs";
import { hostname } from "node:os";
import { basename, dirname, join } from "node:path";
import { statOf } from "./paths.ts";

const mark = ".mlx-convert-partial.";
/** The model that is about to be replaced, complete: only where a system cannot exchange two directories in one step. */
const replacedSuffix = ".replaced";

const host =
  hostname()
    .replaceAll(/[^A-Za-z0-9-]+/g, "-")
    .slice(0, 64) || "host";

/** Whether a file or directory of this name is an output in the making, or what is left of one. */
export const isPartialName = (name: string): boolean => name.includes(mark);

/** Where this process prepares `target`: beside it, so that a rename is all that is left to do. */
export const partialPath = (target: string): string =>
  join(dirname(target), `${basename(target)}${mark}${host}.${process.pid}`);

/** Where the old model waits while the new one takes its place. */
export const replacedPath = (target: string): string => partialPath(target) + replacedSuffix;

/** Removes what dead processes of this machine left beside `target`. An old model whose replacement never came is put back. */
export function clearStale(target: string): void {
  const parent = dirname(target);
  for (const name of readdirSync(parent)) {
    const path = join(parent, name);
    const left = parse(name, basename(target));
    if (left === undefined || isRunning(left.pid, path)) continue;
    if (left.replaced && statOf(target) === undefined) renameSync(path, target);
    else discard(path);
  }
}

function parse(name: string, target: string): { pid: number; replaced: boolean } | undefined {
  const start = `${target}${mark}${host}.`;
  const match = name.startsWith(start) ? /^(\d+)(\.replaced)?$/.exec(name.slice(start.length)) : null;
  return match === null ? undefined : { pid: Number(match[1]), replaced: match[2] !== undefined };
}

function isRunning(pid: number, path: string): boolean {
  // Our own number on something older than this process: left by another that had the same number, as in containers.
  if (pid === process.pid) return statSync(path).ctimeMs >= Date.now() - process.uptime() * 1000;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== "ESRCH";
  }
}

/** Deletes output that nobody needs; of a model the config first, so that what a crash leaves of it does not load. */
export function discard(path: string): void {
  if (path.endsWith(replacedSuffix)) {
    // Half deleted it must not be put back.
    const renamed = path.slice(0, -replacedSuffix.length);
    renameSync(path, renamed);
    return discard(renamed);
  }
  if (statOf(path)?.isDirectory() === true) rmSync(join(path, "config.json"), { force: true });
  rmSync(path, { recursive: true, force: true });
}
