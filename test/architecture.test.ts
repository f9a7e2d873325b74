/** The structure that docs/architecture.md describes: who may import whom, and how large a file may be. */
import { basename } from "node:path";
import { describe, expect, test } from "vitest";
import { architectures } from "../src/architectures/index.ts";
import { readers } from "../src/readers/index.ts";
import { filesBelow, type Import, importsOf, readText, root } from "./support/repository.ts";

interface Rule {
  /** A folder of src (it ends with a slash) or a file. */
  readonly of: string;
  /** Folders and files of src, Node's modules and packages that it may import, besides itself. */
  readonly may: readonly string[];
  /** What single files may import besides, and why. */
  readonly but?: readonly {
    readonly file: string;
    readonly may: readonly string[];
    readonly because: string;
  }[];
}

/** They only compute: allowed everywhere. */
const pure = ["node:buffer", "node:path", "node:util"];
const foundation = ["errors.ts", "names.ts", "nearest.ts", "units.ts", "tensor/"];
const planning = [...foundation, "quantization/", "expressions/", "architectures/", "plan/"];

/** From the bottom to the top. What is not said is forbidden. */
const direction: readonly Rule[] = [
  { of: "errors.ts", may: [] },
  { of: "nearest.ts", may: [] },
  { of: "names.ts", may: [] },
  { of: "units.ts", may: [] },
  { of: "version.ts", may: ["node:fs"] },
  { of: "tensor/", may: [] },
  { of: "io/", may: ["errors.ts", "node:fs", "node:fs/promises", "node:os"] },
  {
    of: "formats/",
    may: foundation,
    but: ["safetensors.ts", "torch.ts", "zip.ts"].map((file) => ({
      file: `formats/${file}`,
      may: ["io/byte-source.ts"],
      because: "reads a file's header through the bounded reads it is given",
    })),
  },
  { of: "readers/", may: [...foundation, "io/", "formats/", "node:fs"] },
  { of: "quantization/", may: foundation },
  { of: "expressions/", may: [...foundation, "quantization/"] },
  {
    of: "layout/",
    may: ["tensor/", "quantization/"],
    but: [
      {
        file: "layout/quantized.ts",
        may: ["architectures/config.ts", "readers/checkpoint.ts"],
        because: "config.json says how packed layers were made",
      },
    ],
  },
  {
    of: "architectures/",
    may: [...foundation, "quantization/", "expressions/"],
    but: [
      {
        file: "architectures/config.ts",
        may: ["formats/", "io/"],
        because: "reads config.json, which is where an architecture is named",
      },
      {
        file: "architectures/apply.ts",
        may: ["readers/checkpoint.ts"],
        because: "turns rules into expressions over a checkpoint's tensors",
      },
    ],
  },
  {
    of: "plan/",
    may: [...foundation, "quantization/", "expressions/", "architectures/"],
    but: [
      ...["arrange.ts", "planner.ts", "quantized-source.ts"].map((file) => ({
        file: `plan/${file}`,
        may: ["readers/checkpoint.ts"],
        because: "the type of what is planned for",
      })),
      {
        file: "plan/planner.ts",
        may: ["node:os", "version.ts"],
        because: "threads are one a core; the header names the version",
      },
      {
        file: "plan/shards.ts",
        may: ["formats/safetensors.ts"],
        because: "a tensor's place is known when its file's header is",
      },
    ],
  },
  {
    of: "native.ts",
    may: ["errors.ts", "plan/jobs.ts", "node:module", "node:url"],
  },
  { of: "execute.ts", may: ["errors.ts", "io/byte-source.ts", "native.ts", "plan/jobs.ts", "node:fs"] },
  { of: "open.ts", may: ["architectures/config.ts", "readers/", "node:fs"] },
  { of: "inspect.ts", may: ["open.ts", "layout/", "quantization/", "tensor/"] },
  { of: "scan.ts", may: [...foundation, "io/", "formats/", "node:fs"] },
  { of: "writer/", may: [...planning, "version.ts", "formats/", "io/", "native.ts", "open.ts", "node:fs"] },
  { of: "verify/", may: [...planning, "readers/", "native.ts", "execute.ts", "node:os"] },
  { of: "convert.ts", may: ["open.ts", "plan/", "execute.ts", "writer/", "verify/"] },
  {
    of: "index.ts",
    may: [...planning, "version.ts", "convert.ts", "execute.ts", "inspect.ts", "scan.ts", "verify/"],
  },
  {
    of: "cli/",
    may: [
      "index.ts",
      ...foundation,
      "version.ts",
      // Flags and tables are made of these before a command runs: --help must not wait for the readers.
      "quantization/modes.ts",
      "plan/options.ts",
      "commander",
      "chalk",
    ],
    but: [
      {
        file: "cli/failure.ts",
        may: ["io/byte-source.ts"],
        because: "puts errors of the system in our words",
      },
    ],
  },
];

const sources = filesBelow("src", /\.ts$/);
const inSrc = (path: string): string => path.replace(/^src\//, "");
const covers = (place: string, file: string): boolean =>
  place.endsWith("/") ? file.startsWith(place) : file === place;

/** The imports of a file that its rule does not allow. */
function forbidden(file: string, imports: readonly Import[]): string[] {
  const rules = direction.filter(({ of }) => covers(of, file));
  const exceptions = rules.flatMap(({ but = [] }) => but).filter((exception) => exception.file === file);
  const allowed = [
    ...pure,
    ...rules.flatMap(({ of, may }) => [of, ...may]),
    ...exceptions.flatMap(({ may }) => may),
  ];
  return imports
    .map(({ target }) => inSrc(target))
    .filter((target) => !allowed.some((place) => covers(place, target)))
    .map((target) => `${file} imports ${target}`);
}

function findCycle(graph: ReadonlyMap<string, readonly string[]>): string | undefined {
  const done = new Set<string>();
  const visit = (file: string, way: readonly string[]): string | undefined => {
    if (way.includes(file)) return [...way.slice(way.indexOf(file)), file].join(" → ");
    if (done.has(file)) return undefined;
    done.add(file);
    return firstOf(graph.get(file) ?? [], (target) => visit(target, [...way, file]));
  };
  return firstOf([...graph.keys()], (file) => visit(file, []));
}

function firstOf<T>(items: readonly T[], find: (item: T) => string | undefined): string | undefined {
  for (const item of items) {
    const found = find(item);
    if (found !== undefined) return found;
  }
  return undefined;
}

describe("imports", () => {
  test("every file of src is in one rule, and every rule has a file", () => {
    const places = direction.map(({ of }) => of);
    expect(sources.map(inSrc).filter((file) => places.filter((of) => covers(of, file)).length !== 1)).toEqual(
      [],
    );
    expect(places.filter((of) => !sources.some((path) => covers(of, inSrc(path))))).toEqual([]);
  });

  test.each(direction)("of $of go one way", ({ of }) => {
    const files = sources.filter((path) => covers(of, inSrc(path)));
    expect(files.flatMap((path) => forbidden(inSrc(path), importsOf(path)))).toEqual([]);
  });

  test("a wrong one is found", () => {
    const fs = { target: "node:fs", typeOnly: false };
    const writer = { target: "src/writer/output.ts", typeOnly: true };
    expect(forbidden("expressions/tiles.ts", [fs])).toEqual(["expressions/tiles.ts imports node:fs"]);
    expect(forbidden("readers/torch.ts", [fs, writer])).toEqual([
      "readers/torch.ts imports writer/output.ts",
    ]);
  });

  test("every exception is still needed", () => {
    const exceptions = direction.flatMap(({ but = [] }) => but);
    const unused = exceptions.flatMap(({ file, may }) => {
      const path = `src/${file}`;
      const targets = sources.includes(path) ? importsOf(path).map(({ target }) => inSrc(target)) : [];
      return may
        .filter((place) => !targets.some((target) => covers(place, target)))
        .map((place) => `${file}: ${place}`);
    });
    expect(unused).toEqual([]);
  });

  test("are read from the files", () => {
    expect(importsOf("src/index.ts")).toContainEqual({ target: "src/scan.ts", typeOnly: false });
    expect(importsOf("src/tensor/info.ts").map(({ typeOnly }) => typeOnly)).toEqual([true, true]);
    expect(importsOf("src/cli/plan.ts")).toContainEqual({ target: "src/cli/plan-text.ts", typeOnly: false });
  });

  test("have no cycles once they are compiled", () => {
    const compiled = sources.map((path) => {
      const targets = importsOf(path).filter(({ typeOnly }) => !typeOnly);
      return [path, targets.map(({ target }) => target)] as const;
    });
    expect(findCycle(new Map(compiled))).toBeUndefined();
    expect(findCycle(new Map([...compiled, ["src/errors.ts", ["src/index.ts"]]]))).toMatch(/^src.* → src/);
  });
});

describe("one place each", () => {
  const filesWith = (text: RegExp): string[] =>
    sources.filter((path) => text.test(readText(path))).map(inSrc);

  test("only native.ts loads an addon", () => {
    expect(filesWith(/createRequire|process\.dlopen|\.node"/)).toEqual(["native.ts"]);
  });

  test("only the command line prints", () => {
    const printing = filesWith(/\bconsole\.|process\.std(out|err)/);
    expect(printing).toContain("cli/main.ts");
    expect(printing.filter((file) => !file.startsWith("cli/"))).toEqual([]);
  });

  test("only the command line knows arguments and exit codes", () => {
    const files = filesWith(/process\.(argv|exit)/);
    expect(files).toEqual(["cli/main.ts"]);
  });

  test("an architecture is a file of its model_type and a line in the list", async () => {
    const helpers = new Set(["apply.ts", "config.ts", "index.ts", "rules.ts"]);
    const files = filesBelow("src/architectures", /\.ts$/).filter((path) => !helpers.has(basename(path)));
    const exported = await exportsOf(files);
    expect(exported.map(({ values }) => values.length)).toEqual(files.map(() => 1));
    expect(exported.map(({ values }) => values[0])).toEqual([...architectures]);
    expect(files.map((path) => basename(path, ".ts"))).toEqual(
      architectures.map(({ modelType }) => modelType),
    );
  });

  test("a reader is a file of its container and a line in the list", async () => {
    const isReader = (value: unknown): boolean =>
      typeof value === "object" && value !== null && "match" in value && "open" in value;
    const exported = await exportsOf(
      filesBelow("src/readers", /\.ts$/).filter((path) => !path.endsWith("index.ts")),
    );
    const found = exported.filter(({ values }) => values.some(isReader));
    expect(found.flatMap(({ values }) => values)).toEqual(
      readers.toSorted((a, b) => (a.format < b.format ? -1 : 1)),
    );
    expect(found.map(({ path }) => basename(path, ".ts"))).toEqual(
      readers.map(({ format }) => format).toSorted(),
    );
  });
});

async function exportsOf(paths: readonly string[]): Promise<{ path: string; values: unknown[] }[]> {
  return Promise.all(
    paths.map(async (path) => ({
      path,
      values: Object.values((await import(`${root}/${path}`)) as Record<string, unknown>),
    })),
  );
}

describe("sizes", () => {
  const lines = (path: string): number => readText(path).trimEnd().split("\n").length;

  test.each([
    ["src", /\.ts$/],
    ["native", /\.(cpp|h|js)$/],
    ["test", /\.(ts|py|js|sh)$/],
    ["fixtures", /\.(py|sh)$/],
  ])("no file of %s is over 400 lines, most are under 150", (folder, names) => {
    const sizes = filesBelow(folder, names).map((path) => ({ path, lines: lines(path) }));
    expect(sizes).not.toEqual([]);
    expect(sizes.filter((file) => file.lines > 400)).toEqual([]);
    const sorted = sizes.map((file) => file.lines).toSorted((a, b) => a - b);
    expect(sorted[Math.floor(sorted.length / 2)]).toBeLessThan(150);
  });
});
