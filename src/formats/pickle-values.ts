// https://docs.python.org/3/library/pickle.html
/**
 * What a pickle becomes: values of ours that do nothing. A Python list is an array, bytes and bytearray are a
 * Uint8Array, an int is a number where that is exact and else a bigint, a float is a number.
 */
export type Value =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | Value[]
  | Tuple
  | PickleSet
  | Dict
  | Global
  | Inert;

export class Tuple {
  readonly items: readonly Value[];

  constructor(items: readonly Value[]) {
    this.items = items;
  }
}

/** A set or a frozenset, its items as they came. */
export class PickleSet {
  readonly items: Value[];

  constructor(items: Value[]) {
    this.items = items;
  }
}

/** A dict of any class. Keys that are strings or numbers are compared by value, all others by identity. */
export class Dict {
  /** What BUILD gave it, e.g. the `_metadata` of a state dict. */
  state: Value = null;
  // Most are the empty `_backward_hooks` of a tensor, which need no map.
  #entries: Map<Value, Value> | undefined;

  get size(): number {
    return this.#entries?.size ?? 0;
  }

  get(key: Value): Value | undefined {
    return this.#entries?.get(key);
  }

  set(key: Value, value: Value): void {
    this.#entries ??= new Map();
    this.#entries.set(key, value);
  }

  entries(): Iterable<[Value, Value]> {
    return this.#entries ?? [];
  }
}

/** A name that the pickle asked for, e.g. `torch.float32`: the name alone, nothing is imported. */
export class Global {
  /** `module.name`, with the modules of Python 2 under their names in Python 3. */
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }
}

/** An object or the result of a call as the pickle describes it. Readers derive their own from it. */
export class Inert {
  /** The class or function, `module.name`. */
  readonly name: string;
  readonly args: readonly Value[];
  /** What BUILD gave it. */
  state: Value = null;
  /** What APPEND gave it where its class is a list. */
  items: Value[] | undefined;
  /** What SETITEM gave it where its class is a dict. */
  entries: Dict | undefined;

  constructor(name: string, args: readonly Value[] = []) {
    this.name = name;
    this.args = args;
  }
}

/** The items of a list or a tuple. */
export const sequence = (value: Value | undefined): readonly Value[] | undefined =>
  Array.isArray(value) ? value : value instanceof Tuple ? value.items : undefined;

/** What a message calls a value: `a dict`, `torch.device`. */
export function describe(value: Value): string {
  if (value === null) return "None";
  if (typeof value === "string") return "a string";
  if (typeof value === "boolean") return "a bool";
  if (typeof value === "number" || typeof value === "bigint") return "a number";
  if (value instanceof Uint8Array) return "bytes";
  if (Array.isArray(value)) return "a list";
  if (value instanceof Tuple) return "a tuple";
  if (value instanceof PickleSet) return "a set";
  if (value instanceof Dict) return "a dict";
  return showName(value instanceof Global ? value.path : value.name);
}

/** A dotted name as it is, anything else in quotes: it comes from an untrusted file. */
export const showName = (name: string): string =>
  /^[\w.<>[\]-]{1,200}$/.test(name) ? name : JSON.stringify(name.slice(0, 200));
