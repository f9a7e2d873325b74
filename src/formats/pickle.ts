// https://github.com/python/cpython/blob/v3.13.0/Lib/pickletools.py
import { MlxConvertError } from "../errors.ts";
import { Machine, type Rules } from "./pickle-machine.ts";
import { type ArgumentOf, Cursor, decoders, opcodes, type OpcodeName } from "./pickle-opcodes.ts";
import { Dict, Inert, Tuple, type Value } from "./pickle-values.ts";

/** A pickle is read whole. Weights lie outside of it; the largest of real checkpoints have some 20 MB. */
export const maxPickleBytes = 256 * 2 ** 20;

export interface PickleOptions extends Rules {
  /** The file that messages name. */
  readonly file: string;
  /** Where the pickle begins in the bytes. */
  readonly start?: number;
}

export interface Unpickled {
  readonly value: Value;
  /** Where the pickle ended, for files that hold several. */
  readonly end: number;
  /** Every name it asked for, `module.name`. */
  readonly globals: ReadonlySet<string>;
}

/**
 * Reads a pickle of any protocol into values that do nothing. Names become inert references; only those on the
 * allow-list can be called, and what is called is our function, not Python's.
 *
 * @throws MlxConvertError where it is damaged, too large, or calls a name that is not on the list.
 */
export function unpickle(bytes: Uint8Array, options: PickleOptions): Unpickled {
  const machine = new Machine(new Cursor(bytes, options.file, options.start ?? 0), options);
  return { value: run(machine), end: machine.cursor.at, globals: machine.globals };
}

const scanRules: Rules = {
  allow: new Map(),
  unknown: ({ name, args }) => new Inert(name, args),
  persistent: (id) => new Inert("persistent id", [id]),
};

/** Every name that a pickle asks for, harmless or not, sorted; where it ended, and why before its end, if it did. */
export function scanPickle(
  bytes: Uint8Array,
  file: string,
): { globals: string[]; problem: string | undefined; end: number } {
  const machine = new Machine(new Cursor(bytes, file, 0), scanRules);
  let problem: string | undefined;
  try {
    run(machine);
  } catch (error) {
    if (!(error instanceof MlxConvertError)) throw error;
    problem = error.message;
  }
  return { globals: [...machine.globals].toSorted(), problem, end: machine.cursor.at };
}

function run(machine: Machine): Value {
  const { cursor } = machine;
  for (;;) {
    cursor.opcodeAt = cursor.at;
    if (cursor.at >= cursor.bytes.length) throw cursor.fail("it ends before its STOP");
    const step = steps[cursor.bytes[cursor.at++] ?? 0];
    if (step === undefined)
      throw cursor.fail(`0x${cursor.bytes[cursor.opcodeAt]?.toString(16)} is no opcode`);
    step(machine);
    if (step === stop) return machine.pop();
  }
}

type Actions = { readonly [Name in OpcodeName]: (machine: Machine, argument: ArgumentOf<Name>) => void };

const push = (machine: Machine, value: Value): void => machine.push(value);
const pushBig = (machine: Machine, value: string | bigint | number | Uint8Array): void =>
  machine.pushBig(value);
const pushLine = (machine: Machine, value: string | bigint | number | boolean | Uint8Array): void =>
  machine.pushLine(value);
const nothing = (): void => {};

/** What each opcode does. The compiler holds this list and the table of opcodes together. */
const actions: Actions = {
  PROTO: (machine, version) => {
    if (version > 5) throw machine.fail(`protocol ${version} is newer than 5`);
  },
  FRAME: (machine, length) => machine.checkLeft(length),
  STOP: nothing,

  MARK: (machine) => machine.mark(),
  POP: (machine) => machine.popOrUnmark(),
  POP_MARK: (machine) => void machine.popMark(),
  DUP: (machine) => machine.push(machine.top()),

  PUT: (machine, index) => machine.remember(index),
  BINPUT: (machine, index) => machine.remember(index),
  LONG_BINPUT: (machine, index) => machine.remember(index),
  MEMOIZE: (machine) => machine.remember(machine.memoSize),
  GET: (machine, index) => machine.push(machine.recall(index)),
  BINGET: (machine, index) => machine.push(machine.recall(index)),
  LONG_BINGET: (machine, index) => machine.push(machine.recall(index)),

  NONE: (machine) => machine.push(null),
  NEWTRUE: (machine) => machine.push(true),
  NEWFALSE: (machine) => machine.push(false),
  INT: pushLine,
  LONG: pushLine,
  FLOAT: pushLine,
  BININT: push,
  BININT1: push,
  BININT2: push,
  LONG1: pushBig,
  LONG4: pushBig,
  BINFLOAT: push,

  STRING: pushLine,
  BINSTRING: pushBig,
  SHORT_BINSTRING: pushBig,
  UNICODE: pushLine,
  SHORT_BINUNICODE: pushBig,
  BINUNICODE: pushBig,
  BINUNICODE8: pushBig,
  SHORT_BINBYTES: pushBig,
  BINBYTES: pushBig,
  BINBYTES8: pushBig,
  BYTEARRAY8: pushBig,
  NEXT_BUFFER: (machine) => {
    throw machine.fail("it needs buffers from outside of the file");
  },
  READONLY_BUFFER: nothing,

  EMPTY_TUPLE: (machine) => machine.pushTuple([]),
  TUPLE: (machine) => machine.pushTuple(machine.popMark()),
  TUPLE1: (machine) => machine.pushTuple(machine.popSome(1)),
  TUPLE2: (machine) => machine.pushTuple(machine.popSome(2)),
  TUPLE3: (machine) => machine.pushTuple(machine.popSome(3)),
  EMPTY_LIST: (machine) => machine.pushList([]),
  LIST: (machine) => machine.pushList(machine.popMark()),
  APPEND: (machine) => machine.append(machine.popSome(1)),
  APPENDS: (machine) => machine.append(machine.popMark()),
  EMPTY_DICT: (machine) => machine.pushDict([]),
  DICT: (machine) => machine.pushDict(machine.popMark()),
  SETITEM: (machine) => machine.setItems(machine.popSome(2)),
  SETITEMS: (machine) => machine.setItems(machine.popMark()),
  EMPTY_SET: (machine) => machine.pushSet([]),
  ADDITEMS: (machine) => machine.append(machine.popMark()),
  FROZENSET: (machine) => machine.pushSet(machine.popMark()),

  GLOBAL: (machine, { module, name }) => machine.push(machine.global(module, name)),
  STACK_GLOBAL: (machine) => {
    const [module, name] = machine.popSome(2);
    if (typeof module !== "string" || typeof name !== "string") throw machine.fail("a global without a name");
    machine.push(machine.global(module, name));
  },
  EXT1: (machine, code) => machine.push(machine.extension(code)),
  EXT2: (machine, code) => machine.push(machine.extension(code)),
  EXT4: (machine, code) => machine.push(machine.extension(code)),
  REDUCE: (machine) => callWithTuple(machine),
  NEWOBJ: (machine) => callWithTuple(machine),
  NEWOBJ_EX: (machine) => {
    const kwargs = machine.pop();
    if (!(kwargs instanceof Dict)) throw machine.fail("keyword arguments that are no dict");
    callWithTuple(machine, kwargs);
  },
  INST: (machine, { module, name }) => machine.call(machine.global(module, name), machine.popMark()),
  OBJ: (machine) => {
    const [callable, ...args] = machine.popMark();
    if (callable === undefined) throw machine.fail("an object without a class");
    machine.call(callable, args);
  },
  BUILD: (machine) => machine.build(machine.pop()),

  PERSID: (machine, id) => machine.persistent(id),
  BINPERSID: (machine) => machine.persistent(machine.pop()),
};

function callWithTuple(machine: Machine, kwargs?: Dict): void {
  const args = machine.pop();
  if (!(args instanceof Tuple)) throw machine.fail("arguments that are no tuple");
  machine.call(machine.pop(), args.items, kwargs);
}

/** By the opcode's byte: decode its argument, then act. */
const steps: ((machine: Machine) => void)[] = [];
for (const name of Object.keys(opcodes) as OpcodeName[]) {
  const [code, argument] = opcodes[name];
  const decode: (cursor: Cursor) => unknown = decoders[argument];
  const act = actions[name] as (machine: Machine, argument: unknown) => void;
  steps[code] = (machine) => act(machine, decode(machine.cursor));
}
const stop = steps[opcodes.STOP[0]];
