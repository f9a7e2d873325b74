/** What a failed run means to the shell: 1 the input or the machine, 2 wrong usage, 3 a check that was asked for failed. */
export type ExitStatus = 1 | 2 | 3;

export interface ErrorPlace {
  /** The file at fault, as the user would name it. */
  readonly file?: string;
  /** The tensor at fault. */
  readonly tensor?: string;
  /** What the user can do about it: a flag, a command, a nearest name. */
  readonly hint?: string;
  readonly exitStatus?: ExitStatus;
  readonly cause?: unknown;
}

/**
 * The one error class of this package. `message` is a single line, `<file>: tensor "<name>": <what is wrong>`;
 * `hint` is a line of its own that says what would work.
 */
export class MlxConvertError extends Error {
  readonly file: string | undefined;
  readonly tensor: string | undefined;
  readonly hint: string | undefined;
  readonly exitStatus: ExitStatus;

  constructor(what: string, place: ErrorPlace = {}) {
    const where = [place.file, place.tensor === undefined ? undefined : `tensor ${quote(place.tensor)}`];
    const line = [...where, what].filter((part) => part !== undefined).join(": ");
    super(line, place.cause === undefined ? undefined : { cause: place.cause });
    this.name = "MlxConvertError";
    this.file = place.file;
    this.tensor = place.tensor;
    this.hint = place.hint;
    this.exitStatus = place.exitStatus ?? 1;
  }
}

/** Names come from untrusted files: shown in quotes, control characters escaped, cut where they are absurdly long. */
export function quote(name: string): string {
  const text = JSON.stringify(name);
  return text.length <= 200 ? text : `${text.slice(0, 196)}…"`;
}
