import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Json, parseJson, parseJsonObject, show } from "../../src/formats/json.ts";
import { failure } from "../support/failure.ts";

const source = { file: "model.safetensors", what: "the header", maxBytes: 1000, hint: "fetch it again" };
const parse = (text: string): unknown => plain(parseJson(Buffer.from(text), { ...source, maxBytes: 1e6 }));

/** Maps as the objects that `JSON.parse` makes. */
function plain(value: Json): unknown {
  if (value instanceof Map) {
    return Object.fromEntries(
      Array.from(value as ReadonlyMap<string, Json>, ([key, item]) => [key, plain(item)]),
    );
  }
  return Array.isArray(value) ? value.map(plain) : value;
}

/** Texts that are JSON or nearly so: a character removed, doubled or replaced. */
const nearlyJson = fc
  .tuple(
    fc.json(),
    fc.nat(),
    fc.constantFrom("", '"', "\\", "{", "}", "[", ",", ":", "-", "0", "1", ".", "e", "u", "\n", "\u0001"),
  )
  .map(([text, at, put]) => {
    const place = at % (text.length + 1);
    return text.slice(0, place) + put + text.slice(place + (at % 3));
  });

function outcome(run: () => unknown): { value?: unknown; problem: string } {
  try {
    return { value: run(), problem: "" };
  } catch (error) {
    return { problem: (error as Error).message };
  }
}

describe("parseJson", () => {
  test("reads what JSON.parse reads, with and without white space", () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.constantFrom(0, 1, "\t"), (value, indent) => {
        const text = JSON.stringify(value, null, indent);
        expect(parse(` ${text}\r\n`)).toEqual(JSON.parse(text));
      }),
    );
  });

  test("takes no text that JSON.parse refuses, and refuses only with its own reasons", () => {
    fc.assert(
      fc.property(nearlyJson, (text) => {
        const ours = outcome(() => parse(text));
        const theirs = outcome(() => JSON.parse(text));
        const stricter = /has the key .* twice|bad escape/.test(ours.problem);
        expect(ours.value).toEqual(stricter ? undefined : theirs.value);
        expect(ours.problem === "").toBe(theirs.problem === "" && !stricter);
      }),
      { numRuns: 2000 },
    );
  });

  test.each([
    "0",
    "-0",
    "10",
    "1.5",
    "-1e3",
    "2E-2",
    "9007199254740993",
    "123456789012345678901234567890",
    "1e400",
  ])("reads the number %s", (text) => {
    expect(parse(text)).toBe(JSON.parse(text));
  });

  test("keeps a key named __proto__ a key, and the order of keys", () => {
    const value = parseJson(Buffer.from('{"b":1,"__proto__":2,"10":3,"9":4}'), source) as ReadonlyMap<
      string,
      Json
    >;
    expect([...value]).toEqual([
      ["b", 1],
      ["__proto__", 2],
      ["10", 3],
      ["9", 4],
    ]);
  });

  test("stays on the stack at 64 levels", () => {
    expect(parse(`${"[".repeat(64)}1${"]".repeat(64)}`)).toBeTruthy();
  });

  test.each([
    ["", "is not valid JSON: expected a value, got the end (at character 0)"],
    ["nul", 'is not valid JSON: expected a value, got "n" (at character 0)'],
    ["{} x", 'is not valid JSON: expected the end, got "x" (at character 3)'],
    ['{"a" 1}', 'is not valid JSON: expected ":", got "1" (at character 5)'],
    ['{"a":1 "b":2}', 'is not valid JSON: expected "," or "}", got "\\"" (at character 7)'],
    ['{"a":1,}', 'is not valid JSON: expected a key in double quotes, got "}" (at character 7)'],
    ["{a:1}", 'is not valid JSON: expected a key in double quotes, got "a" (at character 1)'],
    ["[1 2]", 'is not valid JSON: expected "," or "]", got "2" (at character 3)'],
    ["[-]", 'is not valid JSON: expected a number, got "-" (at character 1)'],
    ["[01]", 'is not valid JSON: expected "," or "]", got "1" (at character 2)'],
    ['"abc', "is not valid JSON: expected the rest of a string, got the end (at character 4)"],
    ['"a\nb"', 'is not valid JSON: expected the rest of a string, got "\\n" (at character 2)'],
    ['["\\x"]', "has a string with a bad escape (at character 1)"],
    ['["\\ud800"]', "has a string with a bad escape (at character 1)"],
    ['{"a":1,"a":1}', 'has the key "a" twice (at character 7)'],
    ['{"x":{"a":1,"\\u0061":2}}', 'has the key "a" twice (at character 12)'],
    ["[".repeat(65), "is nested deeper than 64 levels (at character 65)"],
  ])("refuses %j", (text, expected) => {
    expect(failure(() => parse(text)).message).toBe(`model.safetensors: the header ${expected}`);
  });

  test("refuses more bytes than allowed, and bytes that are not UTF-8", () => {
    expect(failure(() => parseJson(new Uint8Array(1001), source)).message).toBe(
      "model.safetensors: the header is too large: expected at most 1000 bytes, got 1001",
    );
    expect(failure(() => parseJson(Buffer.from([0x22, 0xff, 0x22]), source)).message).toBe(
      "model.safetensors: the header is not UTF-8 text",
    );
  });
});

describe("parseJsonObject", () => {
  test("replaces each member of the outer object by what is made of it", () => {
    const sizes = parseJsonObject(
      Buffer.from('{"a":[1,2],"b":{"c":[]}}'),
      source,
      (key, value) => `${key}=${show(value)}`,
    );
    expect([...sizes.values()]).toEqual(["a=[1,2]", 'b={"c":[]}']);
  });

  test("refuses what is no object", () => {
    const error = failure(() => parseJsonObject(Buffer.from("[]"), source, () => 0));
    expect(error.message).toBe(
      'model.safetensors: the header is not valid JSON: expected "{", got "[" (at character 0)',
    );
  });
});

test("show cuts what is long and says what is not there", () => {
  expect(show("x".repeat(100))).toBe(`"${"x".repeat(78)}…`);
  expect(show(undefined)).toBe("missing");
});
