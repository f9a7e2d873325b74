import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { readTorchZip, type TorchFile } from "../../src/formats/torch.ts";
import { dtypeBits } from "../../src/tensor/dtype.ts";
import { elementCount } from "../../src/tensor/shape.ts";
import type { StoredTensor } from "../../src/tensor/info.ts";
import { failure } from "../support/failure.ts";
import {
  checkpoint,
  dict,
  floats,
  int,
  join,
  pickle,
  reduce,
  storage,
  tensor,
  text,
  tuple,
} from "../support/pickle.ts";
import { makeZip, memoryFile } from "../support/zip.ts";

const folder = "fixtures/torch";
const names = readdirSync(folder).flatMap((name) => (name.endsWith(".json") ? [name.slice(0, -5)] : []));
const load = (name: string): Buffer => readFileSync(`${folder}/${name}`);
const read = (bytes: Uint8Array): TorchFile => readTorchZip(memoryFile(bytes));
const readPickle = (...pieces: Parameters<typeof pickle>): TorchFile => read(checkpoint(pickle(...pieces)));
const refusal = (...pieces: Parameters<typeof pickle>): string =>
  failure(() => readPickle(...pieces)).message;

/** A tensor's elements in order, gathered one by one through its strides. */
function gather({ dtype, shape, strides, offset }: StoredTensor, file: Uint8Array): string {
  const size = dtypeBits(dtype) / 8;
  const elements = Array.from({ length: elementCount(shape) }, (_, index) => {
    let at = offset;
    let rest = index;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      const length = shape[axis] ?? 1;
      at += (rest % length) * (strides[axis] ?? 0) * size;
      rest = Math.floor(rest / length);
    }
    return Buffer.from(file.subarray(at, at + size)).toString("hex");
  });
  return elements.join("");
}

describe("what torch 2.13 saves", () => {
  it("has fixtures", () => expect(names.length).toBeGreaterThanOrEqual(14));

  it.each(names)("%s.pt has the tensors, bit for bit", (name) => {
    const file = load(`${name}.pt`);
    const source = memoryFile(file, `${name}.pt`);
    const { tensors } = readTorchZip(source);
    const got = tensors.map((one) => [
      one.name,
      { dtype: one.dtype, shape: one.shape, hex: gather(one, file) },
    ]);
    expect(got).toEqual(Object.entries(JSON.parse(load(`${name}.json`).toString())));
    expect(tensors.every((one) => one.file === `${name}.pt`)).toBe(true);
  });

  it("keeps views as views of the shared storage", () => {
    const views = new Map(read(load("views.pt")).tensors.map((one) => [one.name, one]));
    const base = views.get("base")?.offset ?? 0;
    expect(views.get("alias")).toMatchObject({ offset: base, strides: [12, 4, 1] });
    expect(views.get("transposed")).toMatchObject({ offset: base, shape: [4, 3, 2], strides: [1, 4, 12] });
    expect(views.get("row")).toMatchObject({ offset: base + 48, strides: [4, 1] });
    expect(views.get("stepped")).toMatchObject({ offset: base, shape: [2, 2, 2], strides: [12, 8, 3] });
    expect(views.get("expanded")).toMatchObject({ shape: [5, 4], strides: [0, 0] });
    expect(views.get("overlapping")).toMatchObject({ offset: base + 20, strides: [2, 1] });
    expect(views.get("scalar view")).toMatchObject({ offset: base + 92, shape: [], strides: [] });
    expect(views.get("empty axes")).toMatchObject({ shape: [3, 0, 2] });
  });

  it("lists what the pickle asks for", () => {
    expect(read(load("module.pt")).globals).toEqual([
      "collections.OrderedDict",
      "torch.FloatStorage",
      "torch.LongStorage",
      "torch._utils._rebuild_tensor_v2",
    ]);
  });

  it("reads no storage", () => {
    const file = checkpoint(pickle(dict({ w: tensor() })), [
      { name: "a/data/0", data: new Uint8Array(1 << 20) },
    ]);
    const source = memoryFile(file);
    readTorchZip(source);
    expect(source.readBytes).toBeLessThan(70_000);
  });
});

describe("the state dict", () => {
  it("is taken from the usual key, which is said", () => {
    expect(read(load("training.pt")).warnings).toEqual([
      'the state dict is under "state_dict"; left out beside it: epoch (a number), loss (a tensor), ' +
        "optimizer (a dict with 6 tensors)",
    ]);
    expect(readPickle(dict({ model: dict({ w: tensor() }) })).warnings).toEqual([
      'the state dict is under "model"',
    ]);
  });

  it("leaves out what is no tensor, which is said", () => {
    expect(read(load("protocol-2.pt")).warnings).toEqual([
      "13 entries are no tensors and left out: none (None), bools (a tuple), ints (a list), floats (a list), " +
        "text (a list) and 8 more",
    ]);
    expect(readPickle(dict({ w: tensor(), "odd name": "\x88" })).warnings).toEqual([
      '1 entry is no tensor and left out: "odd name" (a bool)',
    ]);
    expect(readPickle(dict({ module: dict({ w: tensor(), cycle: "}q\x01Nh\x01s" }) })).warnings).toEqual([
      'the state dict is under "module"',
      '1 entry of "module" is no tensor and left out: cycle (a dict)',
    ]);
  });

  it.each([
    [
      "unclear.pt",
      "it is not clear which state dict is meant: model (a dict with 1 tensor), state_dict (a dict with 1 tensor)",
    ],
    [
      "unclear-top.pt",
      "it is not clear which state dict is meant: the top level (1 tensor), model (a dict with 1 tensor)",
    ],
    [
      "unusual-key.pt",
      "no state dict at the top or under state_dict, model_state_dict, model, module; there are tensors under generator (a dict with 1 tensor)",
    ],
    [
      "no-tensors.pt",
      "no state dict: no tensors where they are looked for; there is a (a number), optimizer (a dict with 1 tensor)",
    ],
    ["number.pt", "no state dict: the pickle holds a number"],
  ])("of %s is not found", (name, expected) => {
    const error = failure(() => readTorchZip(memoryFile(load(name), name)));
    expect(error.message).toBe(`${name}: ${expected}`);
    expect(error.hint).toBe('save the weights alone: torch.save(torch.load(file)["<key>"], "weights.pt")');
  });

  it("of nothing, or with two tensors of one name, is refused", () => {
    expect(failure(() => readPickle("}")).message).toBe(
      "model.pt: no state dict: no tensors where they are looked for; there is nothing",
    );
    expect(failure(() => readPickle("}(", int(1), tensor(), text("1"), tensor(), "u")).message).toBe(
      'model.pt: tensor "1": two entries have this name',
    );
  });
});

const fromType = (...args: Buffer[]): Buffer => reduce("torch._tensor", "_rebuild_from_type_v2", ...args);
const rebuild = (name: string): Buffer => reduce("torch._utils", name, int(0));

describe("tensors that cannot be read", () => {
  it.each([
    [
      "sparse.pt",
      "s",
      "a sparse tensor (torch._utils._rebuild_sparse_tensor) cannot be read",
      "save tensor.to_dense() instead",
    ],
    [
      "sparse-csr.pt",
      "s",
      "a sparse tensor (torch._utils._rebuild_sparse_tensor) cannot be read",
      "save tensor.to_dense() instead",
    ],
    [
      "meta.pt",
      "m",
      "a meta tensor, which has no data (torch._utils._rebuild_meta_tensor_no_storage) cannot be read",
      "save the model after its weights are loaded",
    ],
    [
      "conjugated.pt",
      "c",
      "a lazily conjugated or negated tensor (torch._utils._rebuild_tensor_v2) cannot be read",
      "save tensor.resolve_conj().resolve_neg() instead",
    ],
    [
      "quantized.pt",
      "q",
      "a quantized tensor (torch._utils._rebuild_qtensor) cannot be read",
      "save tensor.dequantize() instead",
    ],
    [
      "nested-tensor.pt",
      "n",
      "a nested tensor (torch._utils._rebuild_nested_tensor) cannot be read",
      "save its parts instead: tensor.unbind()",
    ],
    [
      "subclass.pt",
      "t",
      "a tensor of class __main__.Tagged (torch._tensor._rebuild_from_type_v2) cannot be read",
      "save tensor.as_subclass(torch.Tensor) instead",
    ],
    [
      "float4.pt",
      "f",
      "elements of torch.float4_e2m1fn_x2 cannot be read",
      "save tensor.to(torch.float32) instead, or in another dtype of whole bytes",
    ],
  ])("%s", (name, key, what, hint) => {
    const error = failure(() => readTorchZip(memoryFile(load(name), name)));
    expect(error.message).toBe(`${name}: tensor "${key}": ${what}`);
    expect(error.hint).toBe(hint);
  });

  it.each([
    ["_rebuild_device_tensor_from_numpy", "a tensor of a device that keeps no storages"],
    ["_rebuild_device_tensor_from_cpu_tensor", "a tensor of a device that keeps no storages"],
    ["_rebuild_xla_tensor", "a tensor of a device that keeps no storages"],
    ["_rebuild_wrapper_subclass", "a wrapper without a storage of its own"],
  ])("%s", (name, what) => {
    expect(refusal(dict({ w: rebuild(name) }))).toBe(
      `model.pt: tensor "w": ${what} (torch._utils.${name}) cannot be read`,
    );
  });

  it("of a storage of quantized numbers, or on the meta device", () => {
    expect(refusal(dict({ w: tensor({ type: "QInt8Storage" }) }))).toBe(
      'model.pt: tensor "w": elements of torch.QInt8Storage cannot be read',
    );
    const meta = join(storage().toString("latin1").replace("\x03\0\0\0cpu", "\x04\0\0\0meta"));
    const onMeta = reduce("torch._utils", "_rebuild_tensor", meta, int(0), ")", ")");
    expect(refusal(dict({ w: onMeta }))).toBe(
      'model.pt: tensor "w": its storage is on the meta device, which has no data',
    );
  });

  it("is no error where nobody wants them", () => {
    const optimizer = dict({ exp_avg: rebuild("_rebuild_sparse_tensor") });
    expect(readPickle(dict({ model: dict({ w: tensor() }), optimizer })).tensors).toHaveLength(1);
  });

  it("are parameters of nothing", () => {
    expect(refusal(rebuild("_rebuild_parameter"))).toContain(
      "torch._utils._rebuild_parameter: a parameter without a tensor",
    );
    expect(refusal(fromType(int(1)))).toContain("a tensor without a class");
    expect(refusal(fromType(join("cos\nsystem\n"), join("ctorch\nTensor\n")))).toContain(
      "a tensor that os.system makes",
    );
    expect(refusal(reduce("collections", "OrderedDict", tuple(int(1))))).toContain(
      "an entry that is no pair",
    );
  });
});

const message = (bytes: Uint8Array): string => failure(() => read(bytes)).message;
const entry = (name: string, data: Uint8Array = floats()) => ({ name, data });

describe("the archive around", () => {
  const whole = pickle(dict({ w: tensor() }));

  it("may have any prefix, or none", () => {
    for (const prefix of ["archive/", "größe/", ""]) {
      const zip = makeZip([entry(`${prefix}data.pkl`, whole), entry(`${prefix}data/0`)]);
      expect(read(zip).tensors).toMatchObject([{ name: "w", dtype: "float32", shape: [2, 2] }]);
    }
  });

  it("is ZIP64 just as well", () => {
    const zip = makeZip([entry("a/data.pkl", whole), entry("a/data/0")], { zip64: true });
    expect(read(zip).tensors).toHaveLength(1);
  });

  it.each([["big"], ["middle\x1b"]])("is not read where it is %s endian", (order) => {
    const zip = makeZip([
      entry("a/data.pkl", whole),
      entry("a/data/0"),
      entry("a/byteorder", Buffer.from(order)),
    ]);
    const shown = order === "big" ? "big" : '"middle\\u001b"';
    expect(message(zip)).toBe(`model.pt: its numbers are ${shown} endian; only little endian can be read`);
  });

  it("has small entries where small ones belong", () => {
    const zip = makeZip([entry("a/data.pkl", whole), entry("a/byteorder", Buffer.alloc(17))]);
    expect(message(zip)).toBe('model.pt: "a/byteorder" has 17 bytes, more than the limit of 16');
  });

  it("is one checkpoint", () => {
    expect(message(makeZip([entry("a/data.pkl", whole), entry("b/data.pkl", whole)]))).toBe(
      'model.pt: 2 checkpoints in one zip: "a/", "b/"',
    );
  });

  it.each([
    ["torchscript.pt", "this is a TorchScript archive, not a checkpoint"],
    ["arrays.npz", "this is a NumPy archive (.npz), not a checkpoint"],
  ])("%s is said to be what it is", (name, expected) => {
    const error = failure(() => readTorchZip(memoryFile(load(name), name)));
    expect(error.message).toBe(`${name}: ${expected}`);
    expect(error.hint).toMatch(/^save its /);
  });

  it.each([
    [["config.json", "model.weights.h5"], "this is a Keras model (.keras), not a checkpoint"],
    [["m/archive_format", "m/models/model.json"], "this is a torch.export archive (.pt2), not a checkpoint"],
    [["serialized_exported_program.json"], "this is a torch.export archive (.pt2), not a checkpoint"],
    [["x", "y/z"], 'a zip without the data.pkl of a checkpoint; it holds "x", "y/z"'],
    [[], "a zip without the data.pkl of a checkpoint; it holds nothing"],
  ])("of %j is said to be what it is", (entries, expected) => {
    expect(message(makeZip(entries.map((name) => entry(name))))).toBe(`model.pt: ${expected}`);
  });

  it("has the storages that the pickle names, uncompressed and large enough", () => {
    expect(message(makeZip([entry("a/data.pkl", whole)]))).toBe(
      'model.pt: tensor "w": its storage "a/data/0" is missing in the zip',
    );
    expect(message(makeZip([entry("a/data.pkl", whole), { ...entry("a/data/0"), method: 8 }]))).toBe(
      'model.pt: the zip entry "a/data/0" is compressed',
    );
    expect(message(makeZip([entry("a/data.pkl", whole), entry("a/data/0", Buffer.alloc(15))]))).toBe(
      'model.pt: tensor "w": the pickle claims 16 bytes for its storage "a/data/0", which has 15',
    );
  });
});
