import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  JsonNumber,
  parseSpelledJson,
  type SpelledJson,
  spelledJsonText,
} from "../../src/formats/spelled-json.ts";
import { failure } from "../support/failure.ts";

const parse = (text: string | Uint8Array): SpelledJson =>
  parseSpelledJson(Buffer.from(text), {
    file: "config.json",
    what: "the config",
    maxBytes: 1e6,
    hint: "fetch it again",
  });

describe("what is read is written again", () => {
  test.each([
    ["1e-06"],
    ["1000000.0"],
    ["-0.0"],
    ["9007199254740993"],
    ["1E+400"],
    ["NaN"],
    ["Infinity"],
    ["-Infinity"],
  ])("the number %s keeps its spelling", (spelling) => {
    expect(parse(spelling)).toEqual(new JsonNumber(spelling));
    expect(spelledJsonText(parse(`[${spelling}]`))).toBe(`[\n    ${spelling}\n]`);
  });

  test("keys keep their order, also those that are numbers or belong to JavaScript's objects", () => {
    const text = '{"2": 1, "0": 2, "__proto__": {"x": null}, "größe": "日本\\n"}';
    expect(spelledJsonText(parse(text))).toBe(
      '{\n    "2": 1,\n    "0": 2,\n    "__proto__": {\n        "x": null\n    },\n    "größe": "日本\\n"\n}',
    );
  });

  test("empty objects and lists stay on their line, as Python writes them", () => {
    expect(spelledJsonText(parse('{"a": {}, "b": [ ]}'))).toBe('{\n    "a": {},\n    "b": []\n}');
  });

  test("any JSON means the same afterwards", () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        expect(JSON.parse(spelledJsonText(parse(text)))).toEqual(JSON.parse(text));
      }),
    );
  });

  test("what JSON.parse takes is taken, what it refuses is refused, Python's numbers and double keys apart", () => {
    const pieces = fc.constantFrom(
      "{",
      "}",
      "[",
      "]",
      ",",
      ":",
      '"a"',
      '"',
      "\\",
      "1",
      "-",
      ".5",
      "e3",
      "true",
      "nul",
      " ",
    );
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 8 }), (array) => {
        const text = array.join("");
        let expected = true;
        try {
          JSON.parse(text);
        } catch {
          expected = false;
        }
        let got = true;
        try {
          parse(text);
        } catch (error) {
          if ((error as Error).message.includes("twice")) return;
          got = false;
        }
        expect({ text, accepted: got }).toEqual({ text, accepted: expected });
      }),
      { numRuns: 2000 },
    );
  });
});

describe("what is refused", () => {
  test.each([
    ['{"a": }', 'the config is not valid JSON: expected a value, got "}" (at character 6)'],
    ['{"a" 1}', 'the config is not valid JSON: expected ":", got "1" (at character 5)'],
    ["{a: 1}", 'the config is not valid JSON: expected a key in double quotes, got "a" (at character 1)'],
    ['{"a": 1 "b"', 'the config is not valid JSON: expected "," or "}", got "\\"" (at character 8)'],
    ["[1 2]", 'the config is not valid JSON: expected "," or "]", got "2" (at character 3)'],
    ["[1,]", 'the config is not valid JSON: expected a value, got "]" (at character 3)'],
    ['{"a": 1,}', 'the config is not valid JSON: expected a key in double quotes, got "}" (at character 8)'],
    ["[01]", 'the config is not valid JSON: expected "," or "]", got "1" (at character 2)'],
    ["[1", 'the config is not valid JSON: expected "," or "]", got the end (at character 2)'],
    ["1 2", 'the config is not valid JSON: expected the end, got "2" (at character 2)'],
    ['["a', "the config is not valid JSON: expected the rest of a string, got the end (at character 3)"],
    ['["a\\x"]', "the config has a string with a bad escape (at character 1)"],
    ['["a\\"]', "the config is not valid JSON: expected the rest of a string, got the end (at character 6)"],
    ['{"a": 1, "a": 2}', 'the config has the key "a" twice (at character 9)'],
    ["[".repeat(100_000), "the config is nested deeper than 64 levels (at character 65)"],
    ['{"a":'.repeat(100_000), "the config is nested deeper than 64 levels (at character 321)"],
    [Uint8Array.of(0x22, 0xff, 0x22), "the config is not UTF-8 text"],
    [" ".repeat(1_000_001), "the config is too large: expected at most 1000000 bytes, got 1000001"],
  ])("%#", (text, message) => {
    expect(failure(() => parse(text)).message).toBe(`config.json: ${message}`);
  });

  test("64 levels are allowed", () => {
    const text = "[".repeat(64) + "]".repeat(64);
    expect(JSON.parse(spelledJsonText(parse(text)))).toEqual(JSON.parse(text));
  });
});
