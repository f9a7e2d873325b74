// https://github.com/python/cpython/blob/v3.13.0/Lib/pickle.py
import { MlxConvertError } from "../errors.ts";
import type { Cursor } from "./pickle-opcodes.ts";
import { describe, Dict, Global, Inert, PickleSet, showName, Tuple, type Value } from "./pickle-values.ts";

/**
 * What the values of one pickle may take, by the rough costs below. A checkpoint takes about 2 kB a tensor. The sum
 * only grows, so it stops what repeats a large value as well as what makes many small ones.
 */
const maxMemory = 512 * 2 ** 20;
/** Python's pickler stacks 1000 items at a time; only a tuple or a set is stacked whole. */
const maxStack = 2 ** 22;

/** A line of text costs the time to read it rather than its memory, as does a place in the memo that lies far out. */
const cost = { object: 64, item: 32, entry: 64, text: 32, line: 128, far: 512 };

/** A call that the pickle asks for. */
export class Call {
  /** The class or function, `module.name`. */
  readonly name: string;
  readonly args: readonly Value[];
  readonly kwargs: Dict | undefined;
  readonly #machine: Machine;

  constructor(machine: Machine, name: string, args: readonly Value[], kwargs?: Dict) {
    this.name = name;
    this.args = args;
    this.kwargs = kwargs;
    this.#machine = machine;
  }

  /** The call of another function that this one makes. */
  other(name: string, args: readonly Value[]): Call {
    return new Call(this.#machine, name, args);
  }

  /** To be called with the size of what a `Make` copies, before it copies. */
  charge(bytes: number): void {
    this.#machine.charge(bytes);
  }

  /** An error that says what is wrong with the call. */
  fail(what: string): MlxConvertError {
    return this.#machine.fail(`${showName(this.name)}: ${what}`);
  }
}

/** What a call becomes: a value of ours. It must take no more than constant time, or charge for it. */
export type Make = (call: Call) => Value;
export type Persistent = (id: Value, fail: (what: string) => MlxConvertError) => Value;

export interface Rules {
  /** What may be called, by `module.name`, and what each becomes. */
  readonly allow: Pick<ReadonlyMap<string, Make>, "get">;
  /** What a call of anything else becomes; without it such a pickle is refused. */
  readonly unknown?: Make;
  /** What a persistent id stands for; without it they are refused. */
  readonly persistent?: Persistent;
}

/** The stack, the memo and the purse of one pickle. */
export class Machine {
  readonly cursor: Cursor;
  readonly globals = new Set<string>();
  readonly #rules: Rules;
  readonly #known = new Map<string, Global>();
  readonly #stack: Value[] = [];
  readonly #marks: number[] = [];
  /** Where the topmost mark is: nothing is popped from below it. */
  #floor = 0;
  /** Picklers number from 0 without holes, which an array holds best; what is numbered otherwise lies aside. */
  readonly #memo: Value[] = [];
  readonly #farMemo = new Map<number, Value>();
  #spent = 0;

  constructor(cursor: Cursor, rules: Rules) {
    this.cursor = cursor;
    this.#rules = rules;
  }

  fail(what: string): MlxConvertError {
    return this.cursor.fail(what);
  }

  charge(bytes: number): void {
    this.#spent += bytes;
    if (this.#spent > maxMemory) {
      throw new MlxConvertError(`the pickle asks for more than ${maxMemory} bytes of memory`, {
        file: this.cursor.file,
        hint: "no checkpoint needs that: the file may be an attack; get the weights as safetensors",
      });
    }
  }

  checkLeft(length: number): void {
    const left = this.cursor.bytes.length - this.cursor.at;
    if (length > left) throw this.fail(`a frame of ${length} bytes, ${left} are left`);
  }

  push(value: Value): void {
    if (this.#stack.length >= maxStack) throw this.fail(`more than ${maxStack} values on the stack`);
    this.#stack.push(value);
  }

  /** For values that have a size of their own. */
  pushBig(value: string | number | bigint | Uint8Array): void {
    this.charge(
      typeof value === "string" || value instanceof Uint8Array ? cost.text + value.length : cost.text,
    );
    this.push(value);
  }

  /** For what protocol 0 writes as a line of text. */
  pushLine(value: string | number | bigint | boolean | Uint8Array): void {
    this.charge(cost.line);
    if (typeof value === "boolean") this.push(value);
    else this.pushBig(value);
  }

  pop(): Value {
    const value = this.top();
    this.#stack.pop();
    return value;
  }

  top(): Value {
    const value = this.#stack.length > this.#floor ? this.#stack[this.#stack.length - 1] : undefined;
    if (value === undefined) throw this.fail("it takes more from the stack than there is");
    return value;
  }

  popSome(count: number): Value[] {
    if (this.#stack.length - this.#floor < count)
      throw this.fail("it takes more from the stack than there is");
    return this.#stack.splice(this.#stack.length - count);
  }

  mark(): void {
    if (this.#marks.length >= maxStack) throw this.fail(`more than ${maxStack} marks`);
    this.#marks.push(this.#floor);
    this.#floor = this.#stack.length;
  }

  /** Everything above the topmost mark. */
  popMark(): Value[] {
    const below = this.#marks.pop();
    if (below === undefined) throw this.fail("it goes back to a mark that was not set");
    const items = this.#stack.splice(this.#floor);
    this.#floor = below;
    return items;
  }

  /** POP takes the mark itself where nothing lies on it. */
  popOrUnmark(): void {
    if (this.#stack.length === this.#floor && this.#marks.length > 0) this.popMark();
    else this.pop();
  }

  get memoSize(): number {
    return this.#memo.length + this.#farMemo.size;
  }

  remember(index: number): void {
    const value = this.top();
    if (index < this.#memo.length) {
      this.#memo[index] = value;
      return;
    }
    if (index === this.#memo.length) {
      this.charge(cost.item);
      this.#memo.push(value);
      // It may have been set before the ones below it were.
      this.#farMemo.delete(index);
      return;
    }
    this.charge(cost.far);
    this.#farMemo.set(index, value);
  }

  recall(index: number): Value {
    const value = index < this.#memo.length ? this.#memo[index] : this.#farMemo.get(index);
    if (value === undefined) throw this.fail(`nothing is remembered as ${index}`);
    return value;
  }

  pushTuple(items: Value[]): void {
    this.charge(cost.object + cost.item * items.length);
    this.push(new Tuple(items));
  }

  pushList(items: Value[]): void {
    this.charge(cost.object + cost.item * items.length);
    this.push(items);
  }

  pushSet(items: Value[]): void {
    this.charge(cost.object + cost.item * items.length);
    this.push(new PickleSet(items));
  }

  pushDict(pairs: Value[]): void {
    this.charge(cost.object);
    const dict = new Dict();
    this.push(dict);
    this.#fill(dict, pairs);
  }

  /** APPEND, APPENDS and ADDITEMS: at the end of what is on top. */
  append(items: Value[]): void {
    const target = this.top();
    if (target instanceof Inert) target.items ??= [];
    const list = Array.isArray(target)
      ? target
      : target instanceof PickleSet || target instanceof Inert
        ? target.items
        : undefined;
    if (list === undefined) throw this.fail(`items for ${describe(target)}`);
    this.charge(cost.item * items.length);
    for (const item of items) list.push(item);
  }

  /** SETITEM and SETITEMS: keys and values in turn, into what is on top. */
  setItems(pairs: Value[]): void {
    const target = this.top();
    if (target instanceof Inert) target.entries ??= new Dict();
    const dict = target instanceof Inert ? target.entries : target;
    if (!(dict instanceof Dict)) throw this.fail(`entries for ${describe(target)}`);
    this.#fill(dict, pairs);
  }

  #fill(dict: Dict, pairs: readonly Value[]): void {
    if (pairs.length % 2 !== 0) throw this.fail("a key without a value");
    this.charge((cost.entry * pairs.length) / 2);
    for (let at = 0; at < pairs.length; at += 2) dict.set(pairs[at] ?? null, pairs[at + 1] ?? null);
  }

  global(module: string, name: string): Global {
    const path = `${python3Modules.get(module) ?? module}.${name}`;
    this.charge(cost.line + path.length);
    let global = this.#known.get(path);
    if (global === undefined) {
      this.charge(cost.object + 2 * cost.entry);
      global = new Global(path);
      this.#known.set(path, global);
      this.globals.add(path);
    }
    return global;
  }

  /** A number that stands for a name in a registry of the process that wrote the pickle. */
  extension(code: number): Global {
    return this.global("copyreg", `_inverted_registry[${code}]`);
  }

  call(callable: Value, args: readonly Value[], kwargs?: Dict): void {
    const known = callable instanceof Global;
    const name = known ? callable.path : `the result of ${describe(callable)}`;
    const make = (known ? this.#rules.allow.get(name) : undefined) ?? this.#rules.unknown;
    if (make === undefined) throw this.#refuse(known ? showName(name) : name);
    this.charge(2 * cost.object);
    this.push(make(new Call(this, name, args, kwargs)));
  }

  /** The state of what is on top is kept beside it; neither its attributes nor its `__setstate__` exist here. */
  build(state: Value): void {
    const target = this.top();
    const lenient = this.#rules.unknown !== undefined;
    if (!lenient && state instanceof Dict && state.get("__setstate__") !== undefined) {
      throw this.#refuse("a __setstate__ of its own making");
    }
    if (target instanceof Inert || target instanceof Dict) target.state = state;
    else if (target instanceof Global && !lenient) throw this.#refuse(showName(target.path));
    else if (!lenient) throw this.fail(`a state for ${describe(target)}`);
  }

  persistent(id: Value): void {
    const { persistent } = this.#rules;
    if (persistent === undefined) throw this.fail("it refers to data outside of itself");
    this.charge(2 * cost.object);
    this.push(persistent(id, (what) => this.fail(what)));
  }

  #refuse(what: string): MlxConvertError {
    return new MlxConvertError(
      `the pickle asks for ${what}, which is not on the allow-list; nothing was executed`,
      {
        file: this.cursor.file,
        hint: "if you trust the file, load it in Python and save its weights alone: torch.save(model.state_dict(), …)",
      },
    );
  }
}

/** Modules that protocols 0 to 2 still call by their names in Python 2. */
const python3Modules: ReadonlyMap<string, string> = new Map([
  ["__builtin__", "builtins"],
  ["copy_reg", "copyreg"],
]);
