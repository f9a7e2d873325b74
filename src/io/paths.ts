/** Questions about places in the file system. Reads nothing but names and sizes. */
import { lstatSync, realpathSync, type Stats, statfsSync } from "node:fs";
import { basename, dirname, join, relative, resolve, sep } from "node:path";

/** What lies at a path, the link itself where it is one; undefined where there is nothing. */
export const statOf = (path: string): Stats | undefined => lstatSync(path, { throwIfNoEntry: false });

/** The path without symbolic links, as far as it exists. */
export function realPath(path: string): string {
  const absolute = resolve(path);
  if (statOf(absolute) !== undefined) {
    try {
      return realpathSync.native(absolute);
    } catch {
      // A link to nowhere: its own place.
    }
  }
  const parent = dirname(absolute);
  return parent === absolute ? absolute : join(realPath(parent), basename(absolute));
}

/** Whether `inner` is `outer` or lies inside it; both without symbolic links. */
export function contains(outer: string, inner: string): boolean {
  const way = relative(outer, inner);
  return way !== ".." && !way.startsWith(`..${sep}`) && resolve(outer, way) === inner;
}

/** The bytes that an ordinary user may still write in this directory, or in the nearest one above that exists. */
export function freeBytes(dir: string): number {
  let existing = resolve(dir);
  while (statOf(existing) === undefined && dirname(existing) !== existing) existing = dirname(existing);
  const { bavail, bsize } = statfsSync(existing);
  return bavail * bsize;
}
