import { existsSync, readFileSync } from "node:fs";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readTorchZip } from "../../src/formats/torch.ts";
import { dtypeBits } from "../../src/tensor/dtype.ts";
import type { StoredTensor } from "../../src/tensor/info.ts";
import { failure, strayError } from "../support/failure.ts";
import {
  checkpoint,
  dict,
  floats,
  global,
  int,
  ints,
  join,
  pickle,
  reduce,
  storage,
  tensor,
  text,
  tuple,
  uint32,
} from "../support/pickle.ts";
import { makeZip, memoryFile } from "../support/zip.ts";

const read = (bytes: Uint8Array) => readTorchZip(memoryFile(bytes));
const refusal = (pickled: Uint8Array): string => failure(() => read(checkpoint(pickled))).message;

const canary = `/tmp/mlx-convert-canary-${process.pid}`;
const command = text(`touch ${canary}`);
const odict = reduce("collections", "OrderedDict");
const setState = (value: Uint8Array): Buffer => dict({ __setstate__: value });

describe("a checkpoint that asks for code", () => {
  it.each<[string, Uint8Array, string]>([
    ["os.system by GLOBAL", pickle(reduce("os", "system", command)), "os.system"],
    ["posix.system", pickle(reduce("posix", "system", command)), "posix.system"],
    [
      "os.system by STACK_GLOBAL",
      join("\x80\x04", text("os"), text("system"), "\x93", command, "\x85R."),
      "os.system",
    ],
    ["os.system by INST", join("(", command, "ios\nsystem\n."), "os.system"],
    ["os.system by OBJ", join("(", global("os", "system"), command, "o."), "os.system"],
    ["subprocess by NEWOBJ", pickle(global("subprocess", "Popen"), command, "\x85\x81"), "subprocess.Popen"],
    [
      "subprocess by NEWOBJ_EX",
      pickle(global("subprocess", "Popen"), ")", dict({ args: command }), "\x92"),
      "subprocess.Popen",
    ],
    ["eval", pickle(reduce("__builtin__", "eval", command)), "builtins.eval"],
    ["exec of Python 3", pickle(reduce("builtins", "exec", command)), "builtins.exec"],
    [
      "a getattr chain",
      pickle(reduce("builtins", "getattr", reduce("builtins", "__import__", text("os")), text("system"))),
      "builtins.__import__",
    ],
    [
      "getattr of an allowed class",
      pickle(reduce("builtins", "getattr", global("collections", "OrderedDict"), text("__init__"))),
      "builtins.getattr",
    ],
    [
      "a name inside an allowed one",
      pickle(reduce("collections", "OrderedDict.__reduce__")),
      "collections.OrderedDict.__reduce__",
    ],
    [
      "a name inside torch",
      pickle(reduce("torch._utils", "_rebuild_tensor_v2.__globals__.get")),
      "torch._utils._rebuild_tensor_v2.__globals__.get",
    ],
    ["torch.load", pickle(reduce("torch", "load", command)), "torch.load"],
    ["torch.hub", pickle(reduce("torch.hub", "load", command)), "torch.hub.load"],
    ["a call of what a call gave", pickle(odict, ")R"), "the result of a dict"],
    [
      "a call of a memoized tensor",
      pickle(tensor(), "q\x01h\x01)R"),
      "the result of torch._utils._rebuild_tensor_v2",
    ],
    [
      "__setstate__ in a state",
      pickle(odict, setState(global("os", "system")), "b", command, "b"),
      "a __setstate__ of its own making",
    ],
    [
      "__setstate__ of a tensor",
      pickle(tensor(), setState(global("os", "system")), "b"),
      "a __setstate__ of its own making",
    ],
    [
      "the state of a class",
      pickle(global("os", "environ"), dict({ PATH: text("/tmp") }), "b"),
      "os.environ",
    ],
    ["the extension registry", pickle("\x82\x01", command, "\x85R"), "copyreg._inverted_registry[1]"],
    [
      "a persistent id with a call in it",
      pickle(tuple(text("storage"), reduce("os", "system", command)), "Q"),
      "os.system",
    ],
    [
      "a rebuild function of its own",
      pickle(
        reduce(
          "torch._tensor",
          "_rebuild_from_type_v2",
          global("os", "system"),
          global("torch", "Tensor"),
          tuple(command),
          "N",
        ),
      ),
      "os.system",
    ],
    [
      "code beside good tensors",
      pickle(dict({ w: tensor(), x: reduce("os", "system", command) })),
      "os.system",
    ],
    ["numpy's loads", pickle(reduce("numpy", "load", command)), "numpy.load"],
    ["a prototype's name", pickle(reduce("__proto__", "constructor", command)), "__proto__.constructor"],
  ])("%s", (_, pickled, asked) => {
    const message = refusal(pickled);
    if (asked === "os.system" && message.includes("a tensor that os.system makes")) return;
    expect(message).toBe(
      `model.pt: the pickle asks for ${asked}, which is not on the allow-list; nothing was executed`,
    );
    expect(existsSync(canary)).toBe(false);
  });

  it("is harmless where the name is never called", () => {
    const { tensors, globals } = read(checkpoint(pickle(dict({ w: tensor(), x: global("os", "system") }))));
    expect(tensors).toHaveLength(1);
    expect(globals).toContain("os.system");
  });
});

describe("a checkpoint that lies about its tensors", () => {
  it.each<[string, Uint8Array, string]>([
    [
      "2^62 elements",
      tensor({ size: [2n ** 62n], strides: [0] }),
      "its size, strides and offset are not the numbers of a view",
    ],
    [
      "2^62 elements in two axes",
      tensor({ size: [2 ** 31, 2 ** 31], strides: [0, 0] }),
      "shape (2147483648, 2147483648) has too many elements",
    ],
    [
      "a storage of 2^62 elements",
      tensor({ count: 2n ** 62n }),
      "a persistent id that is no storage of torch",
    ],
    [
      "a storage of 2^52 elements",
      tensor({ count: 2 ** 52 }),
      'the pickle claims 18014398509481984 bytes for its storage "a/data/0", which has 16',
    ],
    [
      "a storage of -1 elements",
      tensor({ count: -1 }),
      'the pickle claims -4 bytes for its storage "a/data/0", which has 16',
    ],
    [
      "strides beyond the storage",
      tensor({ strides: [4, 1] }),
      "shape (2, 2) with strides (4, 1) from element 0 needs 24 bytes, its storage 0 has 16",
    ],
    [
      "strides of 2^52",
      tensor({ strides: [2 ** 52, 2 ** 52] }),
      "needs 36028797018963970 bytes, its storage 0 has 16",
    ],
    [
      "an offset beyond the storage",
      tensor({ offset: 1 }),
      "shape (2, 2) with strides (2, 1) from element 1 needs 20 bytes, its storage 0 has 16",
    ],
    ["a smaller storage than the entry", tensor({ count: 3 }), "needs 16 bytes, its storage 0 has 12"],
    [
      "negative strides",
      tensor({ strides: [-2, 1] }),
      "its size, strides and offset are not the numbers of a view",
    ],
    [
      "a negative size",
      tensor({ size: [-2, -2] }),
      "its size, strides and offset are not the numbers of a view",
    ],
    [
      "a negative offset",
      tensor({ offset: -1 }),
      "its size, strides and offset are not the numbers of a view",
    ],
    [
      "more strides than axes",
      tensor({ strides: [1, 1, 1] }),
      "its size, strides and offset are not the numbers of a view",
    ],
    [
      "65 axes",
      tensor({ size: Array(65).fill(1), strides: Array(65).fill(1) }),
      "its size, strides and offset are not the numbers of a view",
    ],
    ["a storage that is missing", tensor({ key: "1" }), 'its storage "a/data/1" is missing in the zip'],
    [
      "a storage out of the zip",
      tensor({ key: "../../etc/passwd" }),
      'its storage "a/data/../../etc/passwd" is missing in the zip',
    ],
    [
      "the pickle for a storage",
      tensor({ key: "../data.pkl" }),
      'its storage "a/data/../data.pkl" is missing in the zip',
    ],
    [
      "a storage of no known class",
      tensor({ type: "EvilStorage" }),
      "elements of torch.EvilStorage cannot be read",
    ],
    [
      "no storage",
      reduce("torch._utils", "_rebuild_tensor_v2", int(1), int(0), ")", ")"),
      "it has no storage",
    ],
    ["no arguments", reduce("torch._utils", "_rebuild_tensor_v2"), "it has no storage"],
    [
      "sizes that are floats",
      reduce("torch._utils", "_rebuild_tensor", storage(), int(0), tuple("G\x3f\xf8\0\0\0\0\0\0"), ints(1)),
      "are not the numbers of a view",
    ],
    [
      "a persistent id that is a string",
      join(text("storage"), "Q"),
      "a persistent id that is no storage of torch",
    ],
    [
      "a persistent id that is a list",
      join("](", text("module"), "N", "eQ"),
      "a persistent id that is no storage of torch",
    ],
    ["a text persistent id", join("Pstorage\n"), "a persistent id that is no storage of torch"],
  ])("%s", (_, value, expected) => {
    expect(refusal(pickle(dict({ w: value })))).toContain(expected);
  });
});

const many = (count: number, piece: (index: number) => Uint8Array): Buffer =>
  Buffer.concat(Array.from({ length: count }, (_, index) => piece(index)));

describe("a checkpoint that wants time or memory", () => {
  const billion = Array.from({ length: 60 }, (_, index) =>
    join(`(h${String.fromCharCode(index)}h${String.fromCharCode(index)}tq${String.fromCharCode(index + 1)}0`),
  );
  it.each<[string, () => Uint8Array]>([
    ["laughs a billion times", () => pickle("]q\x000", ...billion, "}(", text("w"), "h\x3c", "u")],
    ["nests a million tuples", () => pickle("}(", text("w"), ")", "\x85".repeat(1_000_000), "u")],
    [
      "nests a million lists in themselves",
      () => pickle("]q\x00", "]h\x00a0".repeat(10), "h\x00a".repeat(1_000_000)),
    ],
    [
      "looks through one large dict from each entry",
      () =>
        pickle(
          "}(",
          many(100_000, (index) => join(text(String(index)), "N")),
          "uq\x000}(",
          many(100_000, (index) => join(text(String(index)), "h\x00")),
          "u",
        ),
    ],
    [
      "copies one long list again and again",
      () =>
        pickle(
          "](",
          "N".repeat(100_000),
          "eq\x000c__builtin__\nset\nq\x01(",
          "h\x01h\x00\x85R".repeat(100_000),
          "t",
        ),
    ],
    [
      "encodes one long string again and again",
      () =>
        pickle(
          text("x".repeat(1_000_000)),
          "q\x000](",
          join(global("_codecs", "encode"), "h\x00", text("latin1"), "\x86R").toString("latin1").repeat(2000),
          "e",
        ),
    ],
    ["claims a string of 4 GB", () => pickle("X", uint32(0xffffffff))],
    ["claims bytes of 2^63", () => pickle("\x8e\xff\xff\xff\xff\xff\xff\xff\x7f")],
    ["claims an integer of 2 GB", () => pickle("\x8b\xff\xff\xff\x7f")],
    ["remembers at 2^32 - 1", () => pickle("Nr\xff\xff\xff\xff0")],
  ])("%s", (_, make) => {
    const file = checkpoint(make());
    const start = performance.now();
    failure(() => read(file));
    expect(performance.now() - start).toBeLessThan(10_000);
  });
});

/** The first byte behind all that a tensor touches. */
const end = ({ dtype, shape, strides, offset }: StoredTensor): number =>
  shape.includes(0)
    ? offset
    : offset +
      (dtypeBits(dtype) / 8) * shape.reduce((sum, size, axis) => sum + (size - 1) * (strides[axis] ?? 0), 1);

/** Undefined where reading ends in our error, or in tensors that lie in the file. */
const fault = (bytes: Uint8Array): unknown =>
  strayError(() => {
    const outside = read(bytes).tensors.filter((one) => end(one) > bytes.length);
    if (outside.length > 0) throw new Error(`out of the file: ${JSON.stringify(outside)}`);
  });

describe("a damaged checkpoint", () => {
  const good = readFileSync("fixtures/torch/module.pt");
  it("cut at any byte is refused", () => {
    for (let length = 0; length < good.length; length++) {
      expect(failure(() => read(good.subarray(0, length))).message).toMatch(/^model\.pt: /);
    }
  });

  it("with a pickle cut at any byte is refused", () => {
    const whole = pickle(dict({ w: tensor(), x: dict({ y: odict }) }));
    for (let length = 0; length < whole.length; length++) {
      expect(refusal(whole.subarray(0, length))).toMatch(/^model\.pt: the pickle is broken at byte \d+: /);
    }
  });

  it("with wrong bytes anywhere gives our error or tensors inside of the file", () => {
    const edits = fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(edits, (list) => {
        const bytes = Buffer.from(good);
        for (const [at, value] of list) bytes[at] = value;
        expect(fault(bytes)).toBeUndefined();
      }),
      { numRuns: 2000 },
    );
  });

  it("with wrong bytes in the pickle gives our error or tensors inside of the file", () => {
    const whole = pickle(
      dict({ model: dict({ w: tensor(), v: tensor({ size: [4], strides: [1] }) }), step: int(3) }),
    );
    const edits = fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(edits, (list) => {
        const bytes = Buffer.from(whole);
        for (const [at, value] of list) bytes[at] = value;
        expect(fault(checkpoint(bytes))).toBeUndefined();
      }),
      { numRuns: 5000 },
    );
  });

  it("of random opcodes gives our error", () => {
    const opcodes = fc.array(
      fc.constantFrom(
        ..."(.0125BCDGIJKLMNQRSTUVX]abcdeghijlopqrstu})\x81\x85\x86\x87\x88\x89\x8c\x8f\x90\x91\x92\x93\x94".split(
          "",
        ),
      ),
    );
    fc.assert(
      fc.property(opcodes, (list) => {
        expect(fault(checkpoint(pickle(list.join(""))))).toBeUndefined();
      }),
      { numRuns: 5000 },
    );
  });

  it("with overlapping or compressed entries is refused", () => {
    const data = { name: "a/data.pkl", data: pickle(dict({ w: tensor() })) };
    const zip = (part: object) =>
      failure(() => read(makeZip([data, { name: "a/data/0", data: floats(), ...part }]))).message;
    expect(zip({ claimedOffset: 0 })).toContain("overlaps what follows it at 0");
    expect(zip({ claimedOffset: 10 })).toContain("overlaps what follows it at 10");
    expect(zip({ method: 8 })).toContain("is compressed");
    expect(zip({ flags: 1 })).toContain("is encrypted");
    expect(zip({ localName: "a/data/1" })).toContain("has another name in its local header");
  });
});
