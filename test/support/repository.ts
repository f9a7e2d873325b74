/** The files of the repository, for tests of its structure and its documents. */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";

export const root = resolve(import.meta.dirname, "../..");

export const readText = (path: string): string => readFileSync(join(root, path), "utf8");

const made = new Set(["build", "node_modules"]);

/** The files below a folder whose names match, as paths from the root; what builds make is left out. */
export function filesBelow(folder: string, names: RegExp): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true })
    .flatMap((entry) => {
      const path = `${folder}/${entry.name}`;
      if (entry.isDirectory()) return made.has(entry.name) ? [] : filesBelow(path, names);
      return names.test(entry.name) ? [path] : [];
    })
    .toSorted();
}

export interface Import {
  /** A path from the root, `node:fs`, or a package's name. */
  readonly target: string;
  /** Gone once compiled. */
  readonly typeOnly: boolean;
}

const statement =
  /^(?:import|export)\s([^;"]*?)\bfrom "([^"]+)";$|^import "([^"]+)";$|\bimport\("([^"]+)"\)/gm;

/** What a TypeScript file imports, statically and dynamically; the code must be formatted. */
export function importsOf(path: string): Import[] {
  const text = readText(path);
  if (/^import\b|^\} from\b|\bimport\(/m.test(text.replaceAll(statement, ""))) {
    throw new Error(`${path}: an import that is not understood`);
  }
  return [...text.matchAll(statement)].map(([, names = "", from, alone, dynamic]) => {
    const target = from ?? alone ?? dynamic ?? "";
    return {
      target: target.startsWith(".") ? join(dirname(path), target) : target,
      typeOnly: from !== undefined && isTypeOnly(names.trim()),
    };
  });
}

/** `type { A }`, or braces in which every name has `type` before it. */
const isTypeOnly = (names: string): boolean =>
  names.startsWith("type ") ||
  (names.startsWith("{") &&
    names
      .slice(1, -1)
      .split(",")
      .every((name) => /^\s*(type\s|$)/.test(name)));
