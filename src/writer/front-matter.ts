// https://huggingface.co/docs/hub/model-cards#model-card-metadata
import { closeSync, openSync, readSync } from "node:fs";
import { join } from "node:path";

/** Metadata of a source's card that stays true of a converted model. */
export type FrontMatter = ReadonlyMap<(typeof carried)[number], readonly string[]>;

export const carried = ["license", "license_name", "license_link", "language", "base_model"] as const;

/** The metadata stands at the beginning; a README of gigabytes is not read to its end. */
const maxBytes = 64 * 1024;
const maxValues = 200;
const maxValueLength = 300;

/** The metadata of `<dir>/README.md`; empty where there is none or it is not understood. */
export function readFrontMatter(dir: string): FrontMatter {
  let fd: number;
  try {
    fd = openSync(join(dir, "README.md"), "r");
  } catch {
    return new Map();
  }
  try {
    const buffer = new Uint8Array(maxBytes);
    return parseFrontMatter(
      new TextDecoder().decode(buffer.subarray(0, readSync(fd, buffer, 0, maxBytes, 0))),
    );
  } catch {
    return new Map();
  } finally {
    closeSync(fd);
  }
}

/** Of YAML only what cards use for these fields: `key: value`, `key: [a, b]` and lists of `- value`. */
export function parseFrontMatter(text: string): FrontMatter {
  const block = /^---[ \t]*\r?\n([\s\S]*?)^---[ \t]*\r?$/m.exec(text);
  const found = new Map<(typeof carried)[number], readonly string[]>();
  if (block?.index !== 0) return found;
  const lines = (block[1] ?? "").split(/\r?\n/);
  for (const [i, line] of lines.entries()) {
    const field = /^(\w+):[ \t]*(.*)$/.exec(line);
    const key = carried.find((name) => name === field?.[1]);
    if (key === undefined) continue;
    const inline = withoutComment(field?.[2] ?? "");
    const values = (inline === "" ? listBelow(lines, i + 1) : inlineValues(inline)).map(scalar);
    const understood = values.filter((value) => value !== undefined);
    if (values.length > 0 && values.length <= maxValues && understood.length === values.length) {
      found.set(key, understood);
    }
  }
  return found;
}

function listBelow(lines: readonly string[], start: number): string[] {
  const values: string[] = [];
  for (const line of lines.slice(start)) {
    const item = /^[ \t]*-[ \t]+(.*)$/.exec(line);
    if (item === null) break;
    values.push(withoutComment(item[1] ?? ""));
  }
  return values;
}

const inlineValues = (text: string): string[] =>
  text.startsWith("[") && text.endsWith("]")
    ? text
        .slice(1, -1)
        .split(",")
        .map((value) => value.trim())
    : [text];

const withoutComment = (text: string): string => text.replace(/(^|[ \t])#.*$/, "").trim();

/** The string that a plain or quoted scalar stands for; undefined for anything else that YAML knows. */
function scalar(text: string): string | undefined {
  const quoted = /^"([^"\\]*)"$|^'([^']*)'$/.exec(text);
  const value = quoted?.[1] ?? quoted?.[2] ?? text;
  const isPlain = quoted !== null || !/^[-?:,[\]{}#&*!|>'"%@`]|: |:$/.test(text);
  const isShown = /^[^\p{C}]+$/u.test(value) && value.length <= maxValueLength;
  return isPlain && isShown ? value : undefined;
}

/** YAML that every parser reads as this string: quoted unless it is clearly a word. */
export const yamlString = (value: string): string =>
  /^[A-Za-z][\w./+-]*$/.test(value) && !/^(y|n|yes|no|true|false|on|off|null)$/i.test(value)
    ? value
    : JSON.stringify(value);
