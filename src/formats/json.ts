// https://www.rfc-editor.org/rfc/rfc8259
import { MlxConvertError } from "../errors.ts";

/** Objects are Maps: JavaScript's own put keys like "0" first. `N` is what a number becomes. */
export type Json<N = number> = null | boolean | string | N | readonly Json<N>[] | JsonObject<N>;
export type JsonObject<N = number> = ReadonlyMap<string, Json<N>>;

/** How a parser reads numbers. */
export interface Numbers<N> {
  /** Sticky; matches one number. */
  readonly pattern: RegExp;
  readonly read: (spelling: string) => N;
  /** Shorter for a few plain digits, as nearly all numbers of a header are. */
  readonly digits?: (value: number) => N;
}

export interface JsonSource {
  /** The file the JSON came from, for errors. */
  readonly file: string;
  /** What the JSON is to the user: `the header`, `the index`. */
  readonly what: string;
  /** More bytes than this are refused before anything is decoded. */
  readonly maxBytes: number;
  /** What the user can do where it is broken. */
  readonly hint: string;
}

/** Headers and indexes nest 3 deep; a file of 100,000 brackets must not exhaust the stack. */
const maxDepth = 64;

/**
 * Parses untrusted JSON. Stricter than `JSON.parse`, which keeps the last of two equal keys and says no place:
 * a key given twice, a nesting deeper than 64, text that is not UTF-8 and unpaired surrogates are errors.
 * Objects become Maps, so `__proto__` is a key like any other.
 */
export const parseJson = (bytes: Uint8Array, source: JsonSource): Json =>
  parseJsonWith(values, bytes, source);

/** The same with numbers read in another way. */
export function parseJsonWith<N>(numbers: Numbers<N>, bytes: Uint8Array, source: JsonSource): Json<N> {
  const parser = new Parser(numbers, bytes, source);
  return parser.end(parser.value());
}

/**
 * Parses untrusted JSON that must be an object, as strictly as `parseJson`. Each member is handed to `member` as soon as
 * it is read and replaced by the result, so the header of 100,000 tensors never exists as a tree.
 */
export function parseJsonObject<T>(
  bytes: Uint8Array,
  source: JsonSource,
  member: (key: string, value: Json) => T,
): ReadonlyMap<string, T> {
  const parser = new Parser(values, bytes, source);
  return parser.end(parser.object(member));
}

function decode(bytes: Uint8Array, { file, what, maxBytes, hint }: JsonSource): string {
  if (bytes.length > maxBytes) {
    const sizes = `expected at most ${maxBytes} bytes, got ${bytes.length}`;
    throw new MlxConvertError(`${what} is too large: ${sizes}`, { file, hint });
  }
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new MlxConvertError(`${what} is not UTF-8 text`, { file, hint, cause });
  }
}

const tab = 0x09;
const lineFeed = 0x0a;
const carriageReturn = 0x0d;
const space = 0x20;
const quoteMark = 0x22;
const comma = 0x2c;
const point = 0x2e;
const zero = 0x30;
const colon = 0x3a;
const openBracket = 0x5b;
const backslash = 0x5c;
const closeBracket = 0x5d;
const openBrace = 0x7b;
const closeBrace = 0x7d;

const values: Numbers<number> = {
  pattern: /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y,
  read: Number,
  digits: (value) => value,
};

class Parser<N> {
  private readonly numbers: Numbers<N>;
  private readonly text: string;
  private readonly source: JsonSource;
  private at = 0;
  private depth = 0;

  constructor(numbers: Numbers<N>, bytes: Uint8Array, source: JsonSource) {
    this.numbers = numbers;
    this.text = decode(bytes, source);
    this.source = source;
  }

  end<T>(value: T): T {
    if (!Number.isNaN(this.next())) this.fail("the end");
    return value;
  }

  value(): Json<N> {
    const code = this.next();
    if (code === quoteMark) return this.string();
    if (code === openBrace) return this.object((_key, value) => value);
    if (code === openBracket) return this.array();
    if (this.word("null")) return null;
    if (this.word("true")) return true;
    if (this.word("false")) return false;
    return this.number();
  }

  object<T>(member: (key: string, value: Json<N>) => T): Map<string, T> {
    const members = new Map<string, T>();
    this.enter(openBrace, '"{"');
    if (this.take(closeBrace)) return this.leave(members);
    do {
      if (this.next() !== quoteMark) this.fail("a key in double quotes");
      const start = this.at;
      const key = this.string();
      if (!this.take(colon)) this.fail('":"');
      const value = member(key, this.value());
      const size = members.size;
      if (members.set(key, value).size === size) this.reject(`has the key ${show(key)} twice`, start);
    } while (this.take(comma));
    if (!this.take(closeBrace)) this.fail('"," or "}"');
    return this.leave(members);
  }

  private array(): Json<N>[] {
    const items: Json<N>[] = [];
    this.enter(openBracket, '"["');
    if (this.take(closeBracket)) return this.leave(items);
    do {
      items.push(this.value());
    } while (this.take(comma));
    if (!this.take(closeBracket)) this.fail('"," or "]"');
    return this.leave(items);
  }

  private enter(code: number, shown: string): void {
    if (!this.take(code)) this.fail(shown);
    if (++this.depth > maxDepth) this.reject(`is nested deeper than ${maxDepth} levels`);
  }

  private leave<T>(value: T): T {
    this.depth--;
    return value;
  }

  private number(): N {
    const { pattern, read, digits } = this.numbers;
    const text = this.text;
    const start = this.at;
    let end = start;
    let value = 0;
    for (let code = 0; isDigit((code = text.charCodeAt(end))); end++) value = value * 10 + (code - zero);
    const length = end - start;
    const plain =
      length > 0 && length < 16 && text.charCodeAt(start) !== zero && !isNumberPart(text.charCodeAt(end));
    if (plain && digits !== undefined) {
      this.at = end;
      return digits(value);
    }
    pattern.lastIndex = start;
    if (!pattern.test(text)) this.fail(text[start] === "-" || length > 0 ? "a number" : "a value");
    this.at = pattern.lastIndex;
    return read(text.slice(start, this.at));
  }

  private string(): string {
    const text = this.text;
    const start = this.at + 1;
    let end = start;
    let escaped = false;
    for (let code = 0; (code = text.charCodeAt(end)) !== quoteMark; end++) {
      if (code === backslash) {
        escaped = true;
        end++;
      } else if (!(code >= space)) {
        // A control character, or NaN at the end of the text.
        this.at = end;
        this.fail("the rest of a string");
      }
    }
    this.at = end + 1;
    return escaped ? this.unescape(start - 1) : text.slice(start, end);
  }

  private unescape(start: number): string {
    try {
      const value = JSON.parse(this.text.slice(start, this.at)) as string;
      if (value.isWellFormed()) return value;
    } catch {
      // Said below, with the place.
    }
    return this.reject("has a string with a bad escape", start);
  }

  /** The code of the next character that is not white space; NaN at the end. */
  private next(): number {
    for (;;) {
      const code = this.text.charCodeAt(this.at);
      if (code !== space && code !== lineFeed && code !== carriageReturn && code !== tab) return code;
      this.at++;
    }
  }

  private take(code: number): boolean {
    if (this.next() !== code) return false;
    this.at++;
    return true;
  }

  private word(word: string): boolean {
    if (!this.text.startsWith(word, this.at)) return false;
    this.at += word.length;
    return true;
  }

  private fail(expected: string): never {
    const got = this.at < this.text.length ? show(this.text.slice(this.at, this.at + 1)) : "the end";
    return this.reject(`is not valid JSON: expected ${expected}, got ${got}`);
  }

  private reject(problem: string, at = this.at): never {
    const { file, what, hint } = this.source;
    throw new MlxConvertError(`${what} ${problem} (at character ${at})`, { file, hint });
  }
}

const isDigit = (code: number): boolean => code >= zero && code <= zero + 9;
/** A point or an exponent's `e` or `E`. */
const isNumberPart = (code: number): boolean => code === point || (code | 0x20) === 0x65;

/** A piece of untrusted JSON for an error: on one line, cut where it is long. */
export function show(value: Json | undefined): string {
  const text =
    JSON.stringify(value, (_key, item: unknown) => (item instanceof Map ? Object.fromEntries(item) : item)) ??
    "missing";
  return text.length <= 80 ? text : `${text.slice(0, 79)}…`;
}
