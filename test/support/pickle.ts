import { makeZip, type Part } from "./zip.ts";

export type Piece = string | Uint8Array | readonly Piece[];

/** Pieces of a pickle put together; strings are bytes, one a character. */
export const join = (...pieces: Piece[]): Buffer =>
  Buffer.concat(
    pieces.map((piece) =>
      typeof piece === "string"
        ? Buffer.from(piece, "latin1")
        : piece instanceof Uint8Array
          ? piece
          : join(...piece),
    ),
  );

/** A whole pickle of protocol 2 that leaves one value. */
export const pickle = (...pieces: Piece[]): Buffer => join("\x80\x02", ...pieces, ".");

export const text = (value: string): Buffer => {
  const bytes = Buffer.from(value);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(bytes.length);
  return join("X", length, bytes);
};

/** An integer of any size, as LONG1. */
export function int(value: number | bigint): Buffer {
  const bytes: number[] = [];
  let left = BigInt(value);
  while (left !== 0n && left !== -1n) {
    bytes.push(Number(left & 0xffn));
    left >>= 8n;
  }
  bytes.push(left === 0n ? 0 : 0xff);
  return join("\x8a", Uint8Array.of(bytes.length), Uint8Array.from(bytes));
}

export const uint32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
};

export const global = (module: string, name: string): Buffer => join(`c${module}\n${name}\n`);
export const tuple = (...items: Piece[]): Buffer => join("(", ...items, "t");
export const ints = (...values: readonly (number | bigint)[]): Buffer => tuple(...values.map(int));
export const reduce = (module: string, name: string, ...args: Piece[]): Buffer =>
  join(global(module, name), tuple(...args), "R");
export const dict = (entries: Readonly<Record<string, Piece>>): Buffer =>
  join("}(", ...Object.entries(entries).map(([key, value]) => join(text(key), value)), "u");

export interface ViewPieces {
  readonly key?: string;
  readonly type?: string;
  readonly count?: number | bigint;
  readonly offset?: number | bigint;
  readonly size?: readonly (number | bigint)[];
  readonly strides?: readonly (number | bigint)[];
}

export const storage = ({ key = "0", type = "FloatStorage", count = 4 }: ViewPieces = {}): Buffer =>
  join(tuple(text("storage"), global("torch", type), text(key), text("cpu"), int(count)), "Q");

/** A tensor, by default of the four floats that `checkpoint` stores as `0`. */
export const tensor = (view: ViewPieces = {}): Buffer =>
  reduce(
    "torch._utils",
    "_rebuild_tensor_v2",
    storage(view),
    int(view.offset ?? 0),
    ints(...(view.size ?? [2, 2])),
    ints(...(view.strides ?? [2, 1])),
    "\x89",
    reduce("collections", "OrderedDict"),
  );

export const floats = (): Buffer => Buffer.from(Float32Array.of(1, 2, 3, 4).buffer);

/** A file as torch.save writes it around a pickle, with one storage of four floats. */
export const checkpoint = (
  pickled: Uint8Array,
  others: readonly Part[] = [{ name: "a/data/0", data: floats() }],
): Buffer =>
  makeZip([
    { name: "a/data.pkl", data: pickled },
    { name: "a/byteorder", data: Buffer.from("little") },
    ...others,
  ]);
