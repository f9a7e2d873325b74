import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { type PickleOptions, scanPickle, unpickle } from "../../src/formats/pickle.ts";
import { opcodes } from "../../src/formats/pickle-opcodes.ts";
import { Dict, Global, Inert, PickleSet, Tuple, type Value } from "../../src/formats/pickle-values.ts";
import { torchNames, torchStorage } from "../../src/formats/torch-names.ts";
import { openZip } from "../../src/formats/zip.ts";
import { failure } from "../support/failure.ts";
import { join, type Piece } from "../support/pickle.ts";
import { memoryFile } from "../support/zip.ts";

const options: PickleOptions = {
  file: "model.bin",
  allow: new Map([
    ["m.Known", (call) => new Inert(call.name, [...call.args, ...(call.kwargs ? [call.kwargs] : [])])],
  ]),
  persistent: (id) => new Inert("persistent", [id]),
};
const load = (...pieces: Piece[]): Value => unpickle(join(...pieces), options).value;
const message = (...pieces: Piece[]): string => failure(() => load(...pieces)).message;

/** Plain JavaScript that `toEqual` can compare. */
function plain(value: Value): unknown {
  if (value instanceof Tuple) return { tuple: value.items.map(plain) };
  if (value instanceof PickleSet) return { set: value.items.map(plain) };
  if (value instanceof Dict) return { dict: Array.from(value.entries(), (pair) => pair.map(plain)) };
  if (value instanceof Global) return { global: value.path };
  if (value instanceof Inert) {
    const extra = { state: value.state, items: value.items, entries: value.entries };
    const given = Object.entries(extra).flatMap(([key, item]) =>
      item === null || item === undefined ? [] : [[key, plain(item)]],
    );
    return { object: value.name, args: value.args.map(plain), ...Object.fromEntries(given) };
  }
  if (value instanceof Uint8Array) return { bytes: Buffer.from(value).toString("latin1") };
  return Array.isArray(value) ? value.map(plain) : value;
}

const tuple = (...items: unknown[]): unknown => ({ tuple: items });
const object = (args: unknown[] = [], more = {}): unknown => ({ object: "m.Known", args, ...more });
const known = "cm\nKnown\n";

/** The opcode under test, the pickle and what it leaves. */
const cases: readonly (readonly [keyof typeof opcodes, string, unknown])[] = [
  ["PROTO", "\x80\x05N.", null],
  ["FRAME", "\x95\x02\0\0\0\0\0\0\0N.", null],
  ["STOP", "N.cos\nsystem\n", null],
  ["MARK", "(K\x01(K\x02tt.", tuple(1, tuple(2))],
  ["POP", "K\x01K\x020.", 1],
  ["POP", "K\x01(0.", 1],
  ["POP_MARK", "K\x01(NNN1.", 1],
  ["DUP", "K\x012\x86.", tuple(1, 1)],
  ["PUT", "K\x07p5\n0g5\n.", 7],
  ["BINPUT", "K\x07q\x050h\x05.", 7],
  ["LONG_BINPUT", "K\x07r\xff\xff\xff\xff0j\xff\xff\xff\xff.", 7],
  ["MEMOIZE", "N\x94K\x07\x9400h\x01h\0\x86.", tuple(7, null)],
  ["GET", "Np00\n0g0\n.", null],
  ["BINGET", "K\x01q\x010K\x02q\x000K\x03q\x010h\0h\x01\x86.", tuple(2, 3)],
  ["LONG_BINGET", "Nq\x010j\x01\0\0\0.", null],
  ["NONE", "N.", null],
  ["NEWTRUE", "\x88.", true],
  ["NEWFALSE", "\x89.", false],
  ["INT", "I-42\n.", -42],
  ["INT", "I01\nI00\n\x86.", tuple(true, false)],
  ["LONG", "L12345678901234567890L\n.", 12345678901234567890n],
  ["LONG", "L+7\n.", 7],
  ["FLOAT", "F-1.5e3\n.", -1500],
  ["FLOAT", "Fnan\nF-inf\nFinf\n\x87.", tuple(NaN, -Infinity, Infinity)],
  ["BININT", "J\xfe\xff\xff\xff.", -2],
  ["BININT1", "K\xff.", 255],
  ["BININT2", "M\x01\x02.", 513],
  ["LONG1", "\x8a\0\x8a\x01\xff\x8a\x02\xff\0\x87.", tuple(0, -1, 255)],
  ["LONG1", "\x8a\x07\0\0\0\0\0\0\x20.", 2n ** 53n],
  ["LONG1", "\x8a\x08\0\0\0\0\0\0\0\x80.", -(2n ** 63n)],
  ["LONG4", "\x8b\x03\0\0\0\0\0\x01.", 65536],
  ["BINFLOAT", "G\xbf\xf8\0\0\0\0\0\0.", -1.5],
  ["STRING", "S'a\\x41\\101\\n\\'\\\\\\q\"'\n.", "aAA\n'\\\\q\""],
  ["STRING", 'S"\\xff"\n.', { bytes: "\xff" }],
  ["BINSTRING", "T\x02\0\0\0ab.", "ab"],
  ["SHORT_BINSTRING", "U\x02\xc3\xa4.", "ä"],
  ["SHORT_BINSTRING", "U\x01\xff.", { bytes: "\xff" }],
  ["UNICODE", "Va\\u0041\\U0001f600\xe4\n.", "aA😀ä"],
  ["SHORT_BINUNICODE", "\x8c\x02\xc3\xa4.", "ä"],
  ["BINUNICODE", "X\x03\0\0\0\xef\xbf\xbd.", "\ufffd"],
  ["BINUNICODE", "X\x03\0\0\0\xed\xa0\x80.", { bytes: "\xed\xa0\x80" }],
  ["BINUNICODE8", "\x8d\x01\0\0\0\0\0\0\0a.", "a"],
  ["SHORT_BINBYTES", "C\x02\0\xff.", { bytes: "\0\xff" }],
  ["BINBYTES", "B\x01\0\0\0a.", { bytes: "a" }],
  ["BINBYTES8", "\x8e\x01\0\0\0\0\0\0\0a.", { bytes: "a" }],
  ["BYTEARRAY8", "\x96\x01\0\0\0\0\0\0\0a.", { bytes: "a" }],
  ["READONLY_BUFFER", "C\x01a\x98.", { bytes: "a" }],
  ["EMPTY_TUPLE", ").", tuple()],
  ["TUPLE", "(K\x01K\x02K\x03K\x04t.", tuple(1, 2, 3, 4)],
  ["TUPLE1", "K\x01\x85.", tuple(1)],
  ["TUPLE2", "K\x01K\x02\x86.", tuple(1, 2)],
  ["TUPLE3", "K\x01K\x02K\x03\x87.", tuple(1, 2, 3)],
  ["EMPTY_LIST", "].", []],
  ["LIST", "(K\x01K\x02l.", [1, 2]],
  ["APPEND", "]K\x01aK\x02a.", [1, 2]],
  ["APPENDS", "](K\x01K\x02e(e.", [1, 2]],
  ["EMPTY_DICT", "}.", { dict: [] }],
  ["DICT", "(K\x01K\x02d.", { dict: [[1, 2]] }],
  ["SETITEM", "}K\x01K\x02sK\x01K\x03s.", { dict: [[1, 3]] }],
  [
    "SETITEMS",
    "}(K\x01K\x02K\x03K\x04u.",
    {
      dict: [
        [1, 2],
        [3, 4],
      ],
    },
  ],
  ["EMPTY_SET", "\x8f.", { set: [] }],
  ["ADDITEMS", "\x8f(K\x01K\x02\x90.", { set: [1, 2] }],
  ["FROZENSET", "(K\x01\x91.", { set: [1] }],
  ["GLOBAL", "cos\nsystem\n.", { global: "os.system" }],
  ["GLOBAL", "c__builtin__\nset\n.", { global: "builtins.set" }],
  ["STACK_GLOBAL", "\x8c\x02os\x8c\x09path.join\x93.", { global: "os.path.join" }],
  ["EXT1", "\x82\x07.", { global: "copyreg._inverted_registry[7]" }],
  ["EXT2", "\x83\x07\x01.", { global: "copyreg._inverted_registry[263]" }],
  ["EXT4", "\x84\x07\0\0\0.", { global: "copyreg._inverted_registry[7]" }],
  ["REDUCE", `${known}K\x01\x85R.`, object([1])],
  ["BUILD", `${known})R}K\x01K\x02sb.`, object([], { state: { dict: [[1, 2]] } })],
  ["INST", "(K\x01im\nKnown\n.", object([1])],
  ["OBJ", `(${known}K\x01K\x02o.`, object([1, 2])],
  ["NEWOBJ", `${known}K\x01\x85\x81.`, object([1])],
  ["NEWOBJ_EX", `${known})}K\x01K\x02s\x92.`, object([{ dict: [[1, 2]] }])],
  ["PERSID", "Pthe id\n.", { object: "persistent", args: ["the id"] }],
  ["BINPERSID", "K\x01Q.", { object: "persistent", args: [1] }],
  // classes of their own that are lists and dicts
  ["APPENDS", `${known})R(K\x01K\x02e.`, object([], { items: [1, 2] })],
  ["SETITEM", `${known})RK\x01K\x02s.`, object([], { entries: { dict: [[1, 2]] } })],
];

describe("unpickle", () => {
  it.each(cases)("%s %j", (_, pickled, expected) => {
    expect(plain(load(pickled))).toEqual(expected);
  });

  it("has a case for every opcode", () => {
    const missing = Object.keys(opcodes).filter((name) => !cases.some(([tested]) => tested === name));
    expect(missing).toEqual(["NEXT_BUFFER"]);
    expect(Object.keys(opcodes)).toHaveLength(68);
  });

  it("keeps what is shared shared, and cycles", () => {
    const list = load("]q\0h\0a.");
    expect(Array.isArray(list) && list[0] === list).toBe(true);
  });

  it("says where it ended and what it asked for", () => {
    const bytes = join("\x80\x02cos\nsystem\n.", "\x80\x02K\x07.");
    const first = unpickle(bytes, options);
    expect([...first.globals]).toEqual(["os.system"]);
    expect(unpickle(bytes, { ...options, start: first.end })).toMatchObject({ value: 7, end: bytes.length });
  });

  it("leaves to the caller what unknown names become", () => {
    const { value } = unpickle(join("cany\nThing\nK\x01\x85R}b."), {
      ...options,
      unknown: ({ name, args }) => new Inert(name, args),
    });
    expect(plain(value)).toEqual({ object: "any.Thing", args: [1], state: { dict: [] } });
  });
});

/** fixtures/torch/make.py says what is in it. */
const everything = {
  weight: { object: "torch._utils._rebuild_tensor_v2" },
  none: null,
  bools: tuple(true, false),
  ints: [0, 1, -1, 255, 65535, -(2 ** 31), 2 ** 31, 2n ** 53n + 1n, -(2n ** 70n), 2n ** 2100n],
  floats: [0.5, Infinity, -Infinity, NaN, 1e300],
  text: ["", "ascii", "ä".repeat(300), { bytes: "\xed\xa0\x80" }, "line\nbreak\\"],
  torch: [
    { global: "torch.float16" },
    { object: "torch.device" },
    tuple(1, 2),
    { object: "torch.serialization._get_layout" },
  ],
};

describe.each([1, 2, 3, 4, 5])("a pickle that Python wrote with protocol %i", (protocol) => {
  const file = memoryFile(readFileSync(`fixtures/torch/protocol-${protocol}.pt`));
  const zip = openZip(file);
  const entry = zip.entries.get(`protocol-${protocol}/data.pkl`);
  const bytes = entry === undefined ? Buffer.of() : file.read(zip.dataOffset(entry), entry.bytes);

  it("gives the values that went in", () => {
    const { value } = unpickle(bytes, { file: "x", allow: torchNames, persistent: torchStorage });
    const dict = value instanceof Dict ? value : new Dict();
    const got = Object.keys(everything).map((key) => [key, plain(dict.get(key) ?? null)]);
    expect(Object.fromEntries(got)).toMatchObject(everything);
    const nested = dict.get("nested");
    expect(nested instanceof Dict && nested.get("cycle")).toBe(nested);
    expect(dict.get("itself")).toBe(nested);
    expect(nested instanceof Dict && plain(nested.get("tuple") ?? null)).toEqual(
      tuple(tuple(), tuple(1), tuple(1, 2), tuple(1, 2, 3), tuple(1, 2, 3, 4)),
    );
    expect(plain(dict.get("bytes") ?? null)).toEqual([
      { bytes: "" },
      { bytes: "\0\xff".repeat(200) },
      { bytes: "abc" },
    ]);
    expect(plain(dict.get("sets") ?? null)).toEqual([
      { set: [] },
      { set: [1, 2] },
      { set: [] },
      { set: ["a"] },
    ]);
    expect(plain(dict.get("collections") ?? null)).toEqual([
      { dict: [["a", 1]] },
      {
        dict: [
          ["a", 2],
          ["b", 1],
        ],
      },
      { dict: [["b", [1]]] },
    ]);
  });

  it("is scanned to its end", () => {
    const { globals, problem } = scanPickle(bytes, "x");
    expect(problem).toBeUndefined();
    expect(globals).toContain("torch._utils._rebuild_tensor_v2");
    expect(globals).toEqual(globals.toSorted());
  });
});

describe("scanPickle", () => {
  it("lists every name and calls none", () => {
    const bytes = join(
      "\x80\x02c__builtin__\ngetattr\n(cos\nsystem\nVx\ntR", // a chain of calls
      "(Vls\ntR0", // the result is called
      "(Vls\nios\npopen\n0", // INST
      "(csubprocess\nrun\n}o0", // OBJ
      "\x82\x01)R0cm\nlist\n)RK\x01aK\x01K\x02sN}b\x82\x02}V__setstate__\nNsb0Pid\n.",
    );
    expect(scanPickle(bytes, "x")).toEqual({
      end: bytes.length,
      globals: [
        "builtins.getattr",
        "copyreg._inverted_registry[1]",
        "copyreg._inverted_registry[2]",
        "m.list",
        "os.popen",
        "os.system",
        "subprocess.run",
      ],
      problem: undefined,
    });
  });

  it("lists what it has seen of a broken pickle, and says so", () => {
    expect(scanPickle(join("cos\nsystem\n\xff"), "x")).toMatchObject({
      globals: ["os.system"],
      problem: "x: the pickle is broken at byte 11: 0xff is no opcode",
    });
  });
});

describe("a broken pickle", () => {
  it.each([
    ["N", "at byte 1: it ends before its STOP"],
    ["", "at byte 0: it ends before its STOP"],
    [".", "at byte 0: it takes more from the stack than there is"],
    ["\xff.", "at byte 0: 0xff is no opcode"],
    ["\x80\x06N.", "at byte 0: protocol 6 is newer than 5"],
    ["\x95\xff\xff\xff\xff\xff\xff\xff\xffN.", "a frame of 18446744073709552000 bytes, 2 are left"],
    ["\x8d\xff\xff\xff\xff\xff\xff\xff\xffN.", "18446744073709552000 bytes should follow, 2 are left"],
    ["B\xff\xff\xff\xffN.", "4294967295 bytes should follow, 2 are left"],
    ["X\xff\xff\xff\xff.", "4294967295 bytes should follow, 1 are left"],
    ["\x8b\xff\xff\xff\xff.", "an integer of 4294967295 bytes"],
    ["\x8a\x05ab.", "5 bytes should follow, 3 are left"],
    ["J\0\0", "4 bytes should follow, 2 are left"],
    [`I${"9".repeat(3000)}\n.`, "a line that is no integer"],
    ["I1x\n.", "a line that is no integer"],
    ["Fx\n.", "a line that is no float"],
    ["F\n.", "a line that is no float"],
    ["Sx\n.", "a string without its quotes"],
    ["V\\Uffffffff\n.", "U+ffffffff is no character"],
    ["Vabc", "a line without an end"],
    ["Np-1\n.", "-1 is no place in the memo"],
    ["h\0.", "nothing is remembered as 0"],
    ["q\0.", "it takes more from the stack than there is"],
    ["K\x01(0\x86.", "it takes more from the stack than there is"],
    ["N(q\0.", "it takes more from the stack than there is"],
    ["Nt.", "it goes back to a mark that was not set"],
    ["N(K\x01d.", "a key without a value"],
    ["NK\x01a.", "items for None"],
    ["]K\x01K\x02s.", "entries for a list"],
    ["]]b.", "a state for a list"],
    ["NN\x93.", "a global without a name"],
    ["cm\nKnown\n]R.", "arguments that are no tuple"],
    ["cm\nKnown\n)N\x92.", "keyword arguments that are no dict"],
    ["(o.", "an object without a class"],
    ["\x97.", "it needs buffers from outside of the file"],
  ])("%j", (pickled, expected) => {
    expect(message(pickled)).toMatch(/^model\.bin: the pickle is broken at byte \d+: /);
    expect(message(pickled)).toContain(expected);
  });

  it("cannot refer outwards where nobody listens", () => {
    const error = failure(() => unpickle(join("K\x01Q."), { file: "x", allow: new Map() }));
    expect(error.message).toBe("x: the pickle is broken at byte 2: it refers to data outside of itself");
  });
});

describe("a pickle that asks for code", () => {
  it.each([
    ["GLOBAL", "cos\nsystem\nVls\n\x85R.", "os.system"],
    ["STACK_GLOBAL", "\x8c\x02os\x8c\x06system\x93Vls\n\x85R.", "os.system"],
    ["INST", "(Vls\nios\nsystem\n.", "os.system"],
    ["OBJ", "(cos\nsystem\nVls\no.", "os.system"],
    ["NEWOBJ", "csubprocess\nPopen\nVls\n\x85\x81.", "subprocess.Popen"],
    ["NEWOBJ_EX", "csubprocess\nPopen\n)}\x92.", "subprocess.Popen"],
    ["Python 2's eval", "c__builtin__\neval\nVx\n\x85R.", "builtins.eval"],
    ["getattr of what is allowed", `cbuiltins\ngetattr\n${known})RVx\n\x86R.`, "builtins.getattr"],
    ["what a known call gives", `${known})R)R.`, "the result of m.Known"],
    [
      "a dotted path through what is allowed",
      "cm\nKnown.__init__.__globals__\n)R.",
      "m.Known.__init__.__globals__",
    ],
    ["the extension registry", "\x82\x01)R.", "copyreg._inverted_registry[1]"],
    ["the state of a class", "cos\nenviron\n}b.", "os.environ"],
    ["a __setstate__", `${known})R}V__setstate__\ncos\nsystem\nsb.`, "a __setstate__ of its own making"],
    ["a name on two lines", "\x8c\x03o\ns\x8c\x02\x1b[\x93)R.", '"o\\ns.\\u001b["'],
  ])("%s is refused", (_, pickled, name) => {
    const error = failure(() => load(pickled));
    expect(error.message).toBe(
      `model.bin: the pickle asks for ${name}, which is not on the allow-list; nothing was executed`,
    );
    expect(error.hint).toBe(
      "if you trust the file, load it in Python and save its weights alone: torch.save(model.state_dict(), …)",
    );
  });
});

describe("a pickle that wants memory", () => {
  const tooMuch = "model.bin: the pickle asks for more than 536870912 bytes of memory";

  it.each<[string, () => Buffer]>([
    // 30,000 tuples of the same 30,000 items
    [
      "by copying",
      () =>
        join(
          "(",
          "N".repeat(30_000),
          "tq\x00",
          "(",
          "h\0".repeat(30_000),
          "t",
          `(${"N".repeat(1000)}t`.repeat(40_000),
        ),
    ],
    [
      "by small objects",
      () => join("](", "}".repeat(4_000_000), "e(", "}".repeat(4_000_000), "e(", "}".repeat(4_000_000), "e."),
    ],
    [
      "by the memo",
      () => {
        const puts = Buffer.alloc(5 * 2_000_000, "r\0\0\0\0");
        for (let index = 0; index < 2_000_000; index++) puts.writeUInt32LE(2 * index + 1, 5 * index + 1);
        return join("N", puts);
      },
    ],
  ])("%s", (_, bomb) => {
    const start = performance.now();
    expect(message(bomb())).toBe(tooMuch);
    expect(performance.now() - start).toBeLessThan(20_000);
  });

  it("by the stack", () => {
    expect(message("N".repeat(5_000_000))).toContain("more than 4194304 values on the stack");
    expect(message("(".repeat(5_000_000))).toContain("more than 4194304 marks");
  });

  it("may nest as deeply as it likes", () => {
    let value = load("]", "\x85".repeat(1_000_000), ".");
    let depth = 0;
    for (; value instanceof Tuple; value = value.items[0] ?? null) depth++;
    expect(depth).toBe(1_000_000);
    expect(message("(".repeat(1_000_000), "N", "t".repeat(1_000_001), ".")).toContain(
      "a mark that was not set",
    );
  });
});
