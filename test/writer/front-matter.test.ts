import { describe, expect, test } from "vitest";
import { parseFrontMatter, readFrontMatter, yamlString } from "../../src/writer/front-matter.ts";
import { directoryWith } from "../support/files.ts";

const parse = (yaml: string): unknown => Object.fromEntries(parseFrontMatter(`---\n${yaml}\n---\n# Title\n`));

describe("what is carried over", () => {
  test.each([
    ["license: apache-2.0", { license: ["apache-2.0"] }],
    ['license: "other"  # see below', { license: ["other"] }],
    ["language:\n- en\n- 'no'\ntags:\n- chat", { language: ["en", "no"] }],
    ["language:\n  - en # English\n  - fr", { language: ["en", "fr"] }],
    ["language: [en, fr]", { language: ["en", "fr"] }],
    ["base_model: HuggingFaceTB/SmolLM2-135M\r", { base_model: ["HuggingFaceTB/SmolLM2-135M"] }],
    [
      "license: other\nlicense_name: llama3.2\nlicense_link: https://example.org/a#b\nlibrary_name: transformers\npipeline_tag: x",
      { license: ["other"], license_name: ["llama3.2"], license_link: ["https://example.org/a#b"] },
    ],
  ])("%j", (yaml, expected) => {
    expect(parse(yaml)).toEqual(expected);
  });
});

describe("what is not understood is left", () => {
  test.each([
    "license: >\n  folded",
    "license: &anchor mit",
    "license: *anchor",
    "license: !!python/object:os.system x",
    "license: {a: b}",
    "license: a: b",
    'license: "a\\nb"',
    "license:",
    "license: ",
    "  license: nested",
    `license: ${"x".repeat(301)}`,
    "license: a\u0007b",
    "language:\n- en\n- [a]",
    `language: [${Array.from({ length: 201 }, () => "en").join(", ")}]`,
  ])("%j", (yaml) => {
    expect(parse(yaml)).toEqual({});
  });

  test("no metadata, or none at the beginning, or no end of it", () => {
    expect(parseFrontMatter("# Title\n---\nlicense: mit\n---\n")).toEqual(new Map());
    expect(parseFrontMatter("---\nlicense: mit\n")).toEqual(new Map());
    expect(parseFrontMatter("")).toEqual(new Map());
  });
});

describe("readFrontMatter", () => {
  test("reads the beginning of README.md", () => {
    const text = `---\nlicense: mit\n---\n${"x".repeat(1e6)}`;
    expect(readFrontMatter(directoryWith({ "README.md": text })).get("license")).toEqual(["mit"]);
  });

  test("metadata longer than 64 KiB is not read", () => {
    const text = `---\nlicense: mit\n${"#".repeat(65_536)}\n---\n`;
    expect(readFrontMatter(directoryWith({ "README.md": text }))).toEqual(new Map());
  });

  test("without a README, or with a directory of that name, there is none", () => {
    expect(readFrontMatter(directoryWith())).toEqual(new Map());
    expect(readFrontMatter(directoryWith({ "README.md/x": "" }))).toEqual(new Map());
  });
});

test.each([
  ["apache-2.0", "apache-2.0"],
  ["owner/name", "owner/name"],
  ["no", '"no"'],
  ["True", '"True"'],
  ["1.0", '"1.0"'],
  ["a: b", '"a: b"'],
  ['say "x"', '"say \\"x\\""'],
  ["https://a/b", '"https://a/b"'],
])("yamlString(%j)", (value, yaml) => {
  expect(yamlString(value)).toBe(yaml);
});
