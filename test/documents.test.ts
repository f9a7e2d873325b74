/** What the documents say about the repository is true: links lead somewhere, and names in links are exports. */
import { existsSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { filesBelow, readText, root } from "./support/repository.ts";

const documents = [
  "README.md",
  "CHANGELOG.md",
  ...filesBelow("docs", /\.md$/),
  ...filesBelow("fixtures", /\.md$/),
];

interface Link {
  readonly text: string;
  readonly path: string;
  readonly anchor: string | undefined;
}

/** The links of a document to places in the repository. */
function linksOf(document: string): Link[] {
  const found = withoutCode(readText(document)).matchAll(
    /\[([^\]]+)\]\((?!\w+:)([^)#\s]*)(?:#([^)\s]+))?\)/g,
  );
  return [...found].map(([, text = "", path = "", anchor]) => ({
    text,
    path: path === "" ? document : join(dirname(document), path),
    anchor,
  }));
}

const withoutCode = (markdown: string): string => markdown.replaceAll(/^```.*?^```$/gms, "");

/** The anchors of a document's headings, as GitHub makes them. */
const anchorsOf = (document: string): string[] =>
  [...withoutCode(readText(document)).matchAll(/^#+ (.+)$/gm)].map(([, heading = ""]) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, "")
      .replaceAll(" ", "-"),
  );

/** Whether a file exports a name: TypeScript's exports, or what a header declares. */
function exportsName(path: string, name: string): boolean {
  const declared = path.endsWith(".ts")
    ? String.raw`^export (async )?(const|function|class|interface|type) ${name}\b`
    : String.raw`^(class|struct|enum class|[\w:<>]+) \b${name}\b`;
  return new RegExp(declared, "m").test(readText(path));
}

describe.each(documents)("%s", (document) => {
  test("links to what exists", () => {
    const broken = linksOf(document).filter(
      ({ path, anchor }) =>
        !existsSync(join(root, path)) ||
        (anchor !== undefined && (!path.endsWith(".md") || !anchorsOf(path).includes(anchor))),
    );
    expect(broken).toEqual([]);
  });

  test("links names to the files that export them", () => {
    const named = linksOf(document).flatMap(({ text, path }) => {
      const name = /^`(\w+)`$/.exec(text)?.[1];
      return name !== undefined && statSync(join(root, path)).isFile() ? [{ name, path }] : [];
    });
    expect(named.filter(({ name, path }) => !exportsName(path, name))).toEqual([]);
  });
});

test("the architecture page leads into the code", () => {
  const targets = linksOf("docs/architecture.md").map(({ path }) => path);
  for (const entry of [
    "src/convert.ts",
    "src/open.ts",
    "src/plan/planner.ts",
    "src/execute.ts",
    "src/writer/output.ts",
  ]) {
    expect(targets).toContain(entry);
  }
});

test("a wrong name would be found", () => {
  expect(exportsName("src/convert.ts", "convert")).toBe(true);
  expect(exportsName("src/convert.ts", "planFor")).toBe(false);
  expect(exportsName("native/convert/executor.h", "run")).toBe(true);
  expect(exportsName("native/convert/executor.h", "stop")).toBe(false);
});
