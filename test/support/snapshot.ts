import { createHash } from "node:crypto";
import { lstatSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";

/** Everything below a directory: each path with what it is, and files with a hash of their bytes. */
export function snapshot(dir: string): Readonly<Record<string, string>> {
  const paths = readdirSync(dir, { recursive: true, encoding: "utf8" }).toSorted();
  return Object.fromEntries(paths.map((path) => [path, describe(join(dir, path))]));
}

function describe(path: string): string {
  const stat = lstatSync(path);
  if (stat.isSymbolicLink()) return `link to ${readlinkSync(path)}`;
  return stat.isFile() ? hashOf(path) : "directory";
}

export const hashOf = (path: string): string => createHash("sha256").update(readFileSync(path)).digest("hex");
