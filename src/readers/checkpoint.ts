import type { StoredTensor } from "../tensor/info.ts";

/** Everything a source says before a tensor's bytes are read. */
export interface Checkpoint {
  /** The file or directory that was opened. */
  readonly source: string;
  /** The container's name: `safetensors`, `torch`. */
  readonly format: string;
  /** The files that hold tensors, in reading order, with the sizes they had when they were opened. */
  readonly files: readonly { readonly path: string; readonly bytes: number }[];
  /** By name, in the order of the source. */
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  /** Metadata strings of the container's own header, where it has any. */
  readonly metadata: Readonly<Record<string, string>>;
  /** What a pickle asked for, `module.name`, sorted; empty for containers that hold no code. */
  readonly globals: readonly string[];
  /** What the user should know and nothing stops for, e.g. entries that are no tensors. */
  readonly warnings: readonly string[];
}

/** A container that can be opened. One file each in this folder, and one line in `index.ts`. */
export interface Reader {
  readonly format: string;
  /** File names that are taken for checkpoints of this container inside a directory, e.g. `/\.safetensors$/`. */
  readonly names: RegExp;
  /** Whether a file that starts with `head` (up to 512 bytes) is of this container; the name is only a hint. */
  match(head: Uint8Array, path: string, bytes: number): boolean;
  /** Opens one file and reads its headers, never a tensor's bytes. */
  open(path: string): OpenedFile;
}

/** What one file holds; a `Checkpoint` is made of one or several. */
export interface OpenedFile {
  readonly bytes: number;
  readonly tensors: readonly StoredTensor[];
  readonly metadata: Readonly<Record<string, string>>;
  readonly globals: readonly string[];
  readonly warnings: readonly string[];
}
