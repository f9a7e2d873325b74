// https://github.com/pytorch/pytorch/blob/v2.13.0/torch/_utils.py
import { dtypeByTorchName, dtypeByTorchStorage, type DType } from "../tensor/dtype.ts";
import type { Call, Make, Persistent } from "./pickle-machine.ts";
import {
  describe,
  Dict,
  Global,
  Inert,
  PickleSet,
  sequence,
  showName,
  Tuple,
  type Value,
} from "./pickle-values.ts";

/** A storage as a persistent id describes it: bytes that lie elsewhere. */
export class TorchStorage extends Inert {
  /** Undefined where the class is one whose elements we cannot read, e.g. `torch.QInt8Storage`. */
  readonly dtype: DType | undefined;
  readonly key: string;
  /** `cpu`, `cuda:0`, `meta` … */
  readonly location: string;
  readonly count: number;

  constructor(className: string, key: string, location: string, count: number) {
    super(className);
    const short = className.slice(className.lastIndexOf(".") + 1);
    this.dtype = short === "UntypedStorage" ? "uint8" : dtypeByTorchStorage.get(short);
    this.key = key;
    this.location = location;
    this.count = count;
  }
}

/** A dense tensor: a view of a storage, as the pickle claims it and nobody has checked yet. */
export class TorchTensor extends Inert {
  get storage(): Value | undefined {
    return this.args[0];
  }

  /** In elements. */
  get offset(): Value | undefined {
    return this.args[1];
  }

  get size(): Value | undefined {
    return this.args[2];
  }

  get strides(): Value | undefined {
    return this.args[3];
  }

  /** `_rebuild_tensor_v3` names the dtype; otherwise the storage has it. */
  get dtype(): DType | undefined {
    if (!this.name.endsWith("_v3"))
      return this.storage instanceof TorchStorage ? this.storage.dtype : undefined;
    const dtype = this.args[6];
    return dtype instanceof Global ? dtypeByTorchName.get(dtype.path.replace(/^torch\./, "")) : undefined;
  }
}

/** A tensor of a kind that cannot be read: an error only where somebody wants it. */
export class TorchUnreadable extends Inert {
  readonly what: string;
  readonly hint: string;

  constructor(call: Call, what: string, hint: string) {
    super(call.name, call.args);
    this.what = what;
    this.hint = hint;
  }
}

export type AnyTensor = TorchTensor | TorchUnreadable;

export const isTensor = (value: Value | undefined): value is AnyTensor =>
  value instanceof TorchTensor || value instanceof TorchUnreadable;

const inert: Make = ({ name, args }) => new Inert(name, args);

const tensor =
  (metadata: number): Make =>
  (call) => {
    const bits = call.args[metadata];
    if (bits instanceof Dict && (bits.get("conj") === true || bits.get("neg") === true)) {
      return new TorchUnreadable(
        call,
        "a lazily conjugated or negated tensor",
        "save tensor.resolve_conj().resolve_neg() instead",
      );
    }
    return new TorchTensor(call.name, call.args);
  };

const unreadable =
  (what: string, hint: string): Make =>
  (call) =>
    new TorchUnreadable(call, what, hint);

/** A Parameter is the tensor in it. */
const parameter: Make = (call) => {
  const [data] = call.args;
  if (!isTensor(data)) throw call.fail("a parameter without a tensor");
  return data;
};

/** `(function, class, arguments, state)`: a tensor with attributes of its own, or of a derived class. */
const fromType: Make = (call) => {
  const [rebuild, type, args] = call.args;
  if (!(rebuild instanceof Global && type instanceof Global)) throw call.fail("a tensor without a class");
  const make = tensors.get(rebuild.path);
  if (make === undefined) throw call.fail(`a tensor that ${showName(rebuild.path)} makes`);
  if (!plainClasses.has(type.path)) {
    return new TorchUnreadable(
      call,
      `a tensor of class ${describe(type)}`,
      "save tensor.as_subclass(torch.Tensor) instead",
    );
  }
  return make(call.other(rebuild.path, sequence(args) ?? []));
};

export const plainClasses: ReadonlySet<string> = new Set([
  "torch.Tensor",
  "torch.nn.parameter.Parameter",
  "torch.nn.parameter.Buffer",
]);

const otherDevice = unreadable("a tensor of a device that keeps no storages", "save tensor.cpu() instead");
const sparse = unreadable("a sparse tensor", "save tensor.to_dense() instead");

/** What makes a tensor, and what makes one that is refused by name. */
const tensors: ReadonlyMap<string, Make> = new Map([
  ["torch._utils._rebuild_tensor", tensor(Infinity)],
  ["torch._utils._rebuild_tensor_v2", tensor(6)],
  ["torch._utils._rebuild_tensor_v3", tensor(7)],
  ["torch._utils._rebuild_parameter", parameter],
  ["torch._utils._rebuild_parameter_with_state", parameter],
  ["torch.nn.parameter.Parameter", parameter],
  ["torch._utils._rebuild_qtensor", unreadable("a quantized tensor", "save tensor.dequantize() instead")],
  ["torch._utils._rebuild_sparse_tensor", sparse],
  ["torch._utils._rebuild_sparse_csr_tensor", sparse],
  [
    "torch._utils._rebuild_nested_tensor",
    unreadable("a nested tensor", "save its parts instead: tensor.unbind()"),
  ],
  [
    "torch._utils._rebuild_meta_tensor_no_storage",
    unreadable("a meta tensor, which has no data", "save the model after its weights are loaded"),
  ],
  [
    "torch._utils._rebuild_wrapper_subclass",
    unreadable("a wrapper without a storage of its own", "save the plain tensor in it instead"),
  ],
  ["torch._utils._rebuild_device_tensor_from_numpy", otherDevice],
  ["torch._utils._rebuild_device_tensor_from_cpu_tensor", otherDevice],
  ["torch._utils._rebuild_xla_tensor", otherDevice],
]);

/** `OrderedDict()`, `OrderedDict(pairs)`, `Counter(dict)`, `defaultdict(list)`. */
const dict: Make = (call) => {
  const [source] = call.args;
  if (source === undefined) return new Dict();
  const list = sequence(source) ?? [];
  call.charge(64 * (source instanceof Dict ? source.size : list.length));
  const pairs = source instanceof Dict ? source.entries() : list.map((pair) => sequence(pair) ?? []);
  const made = new Dict();
  for (const [key, value] of pairs) {
    if (key === undefined || value === undefined) throw call.fail("an entry that is no pair");
    made.set(key, value);
  }
  return made;
};

const set: Make = (call) => {
  const items = sequence(call.args[0]) ?? [];
  call.charge(16 * items.length);
  return new PickleSet([...items]);
};

/** Protocols 0 to 2 have no bytes: they write them as a string to be encoded in latin-1. */
const bytes: Make = (call) => {
  const [text = Buffer.of(), encoding] = call.args;
  if (text instanceof Uint8Array) return text;
  if (typeof text !== "string" || (encoding !== "latin1" && encoding !== "latin-1")) return inert(call);
  call.charge(text.length);
  return Buffer.from(text, "latin1");
};

/** `torch.Size((2, 3))` is a tuple to us. */
const size: Make = (call) => new Tuple(sequence(call.args[0]) ?? []);

/**
 * The allow-list of a checkpoint: what torch's own `weights_only` loading allows, and numpy's numbers. None of it does
 * anything here.
 */
export const torchNames: ReadonlyMap<string, Make> = new Map([
  ...tensors,
  ["torch._tensor._rebuild_from_type_v2", fromType],
  ["torch._tensor._rebuild_from_type", fromType],
  ["torch.tensor._rebuild_from_type_v2", fromType],
  ["torch.tensor._rebuild_from_type", fromType],
  ["torch.Size", size],
  ["torch.device", inert],
  ["torch.serialization._get_layout", inert],
  ["collections.OrderedDict", dict],
  ["collections.Counter", dict],
  ["collections.defaultdict", dict],
  ["builtins.set", set],
  ["builtins.frozenset", set],
  ["builtins.bytes", bytes],
  ["builtins.bytearray", bytes],
  ["builtins.complex", inert],
  ["_codecs.encode", bytes],
  ...["core", "_core"].flatMap((core): [string, Make][] => [
    [`numpy.${core}.multiarray.scalar`, inert],
    [`numpy.${core}.multiarray._reconstruct`, inert],
    [`numpy.${core}.numeric._frombuffer`, inert],
  ]),
  ["numpy.dtype", inert],
  ["numpy.ndarray", inert],
]);

/** `('storage', <class>, key, location, number of elements)`, the only persistent id that torch writes into a zip. */
export const torchStorage: Persistent = (id, fail) => {
  const [kind, type, key, location, count, ...rest] = sequence(id) ?? [];
  if (
    kind !== "storage" ||
    !(type instanceof Global) ||
    typeof key !== "string" ||
    typeof location !== "string" ||
    typeof count !== "number" ||
    rest.length > 0
  ) {
    throw fail("a persistent id that is no storage of torch");
  }
  return new TorchStorage(type.path, key, location, count);
};
