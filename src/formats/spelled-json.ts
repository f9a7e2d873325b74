// https://docs.python.org/3/library/json.html (RFC 8259, and bare NaN, Infinity and -Infinity)
import { type Json, type JsonObject, type JsonSource, type Numbers, parseJsonWith } from "./json.ts";

/**
 * JSON that is read to be written again: numbers keep their spelling (`1e-06`, `1000000.0`), because Python tells 1 from 1.0.
 */
export type SpelledJson = Json<JsonNumber>;
export type SpelledObject = JsonObject<JsonNumber>;

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

const spelled: Numbers<JsonNumber> = {
  pattern: /NaN|-?Infinity|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y,
  read: (spelling) => new JsonNumber(spelling),
};

/** @throws MlxConvertError like `parseJson`; Python's words for numbers that JSON has not are accepted */
export const parseSpelledJson = (bytes: Uint8Array, source: JsonSource): SpelledJson =>
  parseJsonWith(spelled, bytes, source);

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
