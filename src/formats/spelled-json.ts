// https://docs.python.org/3/library/json.html (RFC 8259, and bare NaN, Infinity and -Infinity)
import { MlxConvertError } from "../errors.ts";
import type { JsonSource } from "./json.ts";

/**
 * JSON that is read to be written again: numbers keep their spelling (`1e-06`, `1000000.0`), because Python tells 1 from 1.0,
 * and objects are Maps, because JavaScript's own put keys like "0" first.
 */
export type SpelledJson = null | boolean | string | JsonNumber | readonly SpelledJson[] | SpelledObject;
export type SpelledObject = ReadonlyMap<string, SpelledJson>;

/** A number as it was spelled. */
export class JsonNumber {
  readonly spelling: string;

  constructor(spelling: string | number) {
    this.spelling = String(spelling);
  }

  get value(): number {
    return Number(this.spelling);
  }
}

export const isObject = (value: SpelledJson | undefined): value is SpelledObject => value instanceof Map;

/** A file of nothing but brackets must not exhaust the stack. */
const maxDepth = 64;

/** White space, then a word or a number, or any other single character: a bracket, a comma, the beginning of a string. */
const tokenPattern = /[ \t\n\r]*([\w.+-]+|[\s\S]|$)/y;
const numberPattern = /^(?:NaN|-?Infinity|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)$/;
const words: ReadonlyMap<string, SpelledJson> = new Map([
  ["null", null],
  ["true", true],
  ["false", false],
] as const);

/** @throws MlxConvertError with the place of whatever is no JSON, is nested too deeply, or is a key given twice */
export function parseSpelledJson(bytes: Uint8Array, source: JsonSource): SpelledJson {
  const fail = (problem: string): never => {
    throw new MlxConvertError(`${source.what} ${problem}`, { file: source.file });
  };
  if (bytes.length > source.maxBytes) {
    fail(`is too large: ${bytes.length} bytes, expected at most ${source.maxBytes}`);
  }
  let text = "";
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    fail("is not UTF-8 text");
  }

  let at = 0;
  const take = (): string => {
    tokenPattern.lastIndex = at;
    const token = tokenPattern.exec(text)?.[1] ?? "";
    at = tokenPattern.lastIndex;
    return token;
  };
  const expected = (what: string, token: string): never => {
    const got = token === "" ? "the end" : JSON.stringify(token.slice(0, 40));
    return fail(`is not valid JSON: expected ${what}, got ${got} (at character ${at - token.length})`);
  };

  const value = (token: string, depth: number): SpelledJson => {
    if (depth > maxDepth) fail(`is nested deeper than ${maxDepth} levels`);
    if (token === '"') return string();
    if (token === "{") return object(depth + 1);
    if (token === "[") return array(depth + 1);
    if (numberPattern.test(token)) return new JsonNumber(token);
    const word = words.get(token);
    return word === undefined ? expected("a value", token) : word;
  };

  const object = (depth: number): SpelledObject => {
    const members = new Map<string, SpelledJson>();
    let token = take();
    while (token !== "}") {
      if (token !== '"') expected("a key in double quotes", token);
      const key = string();
      if (members.has(key)) fail(`has the key ${JSON.stringify(key).slice(0, 80)} twice`);
      const colon = take();
      if (colon !== ":") expected('":"', colon);
      members.set(key, value(take(), depth));
      token = take();
      if (token === "}") break;
      if (token !== ",") expected('"," or "}"', token);
      token = take();
      if (token === "}") expected("a key in double quotes", token);
    }
    return members;
  };

  const array = (depth: number): SpelledJson[] => {
    const items: SpelledJson[] = [];
    let token = take();
    while (token !== "]") {
      items.push(value(token, depth));
      token = take();
      if (token === "]") break;
      if (token !== ",") expected('"," or "]"', token);
      token = take();
      if (token === "]") expected("a value", token);
    }
    return items;
  };

  const string = (): string => {
    const start = at - 1;
    let end = text.indexOf('"', at);
    while (end > 0 && isEscaped(text, end)) end = text.indexOf('"', end + 1);
    at = end < 0 ? text.length : end + 1;
    try {
      return JSON.parse(text.slice(start, at)) as string;
    } catch {
      return fail(`is not valid JSON: a string is broken (at character ${start})`);
    }
  };

  const document = value(take(), 0);
  const rest = take();
  if (rest !== "") expected("the end", rest);
  return document;
}

/** Whether the quotation mark at `end` belongs to the string: an odd number of backslashes is in front of it. */
function isEscaped(text: string, end: number): boolean {
  let first = end;
  while (text[first - 1] === "\\") first--;
  return (end - first) % 2 === 1;
}

/** The text that Python's `json.dump(value, indent=4, ensure_ascii=False)` writes. */
export function spelledJsonText(value: SpelledJson, margin = ""): string {
  if (value instanceof JsonNumber) return value.spelling;
  const inner = `${margin}    `;
  const block = (open: string, lines: readonly string[], close: string): string =>
    lines.length === 0
      ? open + close
      : `${open}\n${lines.map((line) => inner + line).join(",\n")}\n${margin}${close}`;
  if (isObject(value)) {
    const lines = [...value].map(([key, item]) => `${JSON.stringify(key)}: ${spelledJsonText(item, inner)}`);
    return block("{", lines, "}");
  }
  if (Array.isArray(value)) {
    const items = (value as readonly SpelledJson[]).map((item) => spelledJsonText(item, inner));
    return block("[", items, "]");
  }
  return JSON.stringify(value);
}
