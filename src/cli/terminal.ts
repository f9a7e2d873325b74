/** Where commands print. Everything that goes to a stream goes through here. */
import { Chalk, type ChalkInstance } from "chalk";

export interface Stream {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

/** What a command sees of the process. */
export interface Terminal {
  readonly stdout: Stream;
  readonly stderr: Stream;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** Colors for a stream: only on a terminal, and not where the user asked for none. https://no-color.org */
export function styleOf(stream: Stream, env: Terminal["env"]): ChalkInstance {
  const plain = (env["NO_COLOR"] ?? "") !== "" || env["TERM"] === "dumb";
  return new Chalk({ level: stream.isTTY === true && !plain ? 1 : 0 });
}

/** Names and messages come from untrusted files: what could steer a terminal is shown, not sent. */
export const printable = (text: string): string =>
  // oxlint-disable-next-line no-control-regex
  text.replace(/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, (character) =>
    character === "\n" ? " " : `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );

/** How a run speaks: lines for people, or one JSON document with the lines on standard error, or nothing but errors. */
export interface Voice {
  readonly out: ChalkInstance;
  /** The answer: the lines, or with `--json` the document. */
  answer(lines: readonly string[], document: unknown): void;
  /** A line on the way. */
  say(line: string): void;
  /** A line that is no part of the answer: notes and warnings. */
  warn(line: string): void;
}

export function voiceOf(terminal: Terminal, { json, quiet }: { json: boolean; quiet: boolean }): Voice {
  const { stdout, stderr, env } = terminal;
  const err = styleOf(stderr, env);
  return {
    out: styleOf(stdout, env),
    answer(lines, document) {
      if (json) print(stdout, [JSON.stringify(document)]);
      else if (!quiet) print(stdout, lines);
    },
    say(line) {
      if (!quiet) print(json ? stderr : stdout, [line]);
    },
    warn(line) {
      if (!quiet) print(stderr, [`${err.yellow("warning:")} ${printable(line)}`]);
    },
  };
}

function print(stream: Stream, lines: readonly string[]): void {
  if (lines.length > 0) stream.write(`${lines.join("\n")}\n`);
}
