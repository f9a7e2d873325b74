import { closeSync, fstatSync, openSync, readSync, statSync } from "node:fs";
import { getSystemErrorName } from "node:util";
import { MlxConvertError } from "../errors.ts";

/** Bounded reads from something that has a length. Readers take this, so a test can count what they read. */
export interface ByteSource {
  readonly path: string;
  readonly bytes: number;
  /** Exactly `length` bytes from `offset`; throws where the range is not inside. */
  read(offset: number, length: number): Uint8Array;
}

/** What helps where a file became shorter while it was read. */
export const beingWritten = "something else writes it: convert it when that is done";

/** Opens a file, hands it to `use` and closes it whatever happens. */
export function withFile<T>(path: string, use: (source: ByteSource) => T): T {
  const fd = openFile(path);
  try {
    return use(fileSource(path, fd, fstatSync(fd).size));
  } finally {
    closeSync(fd);
  }
}

function openFile(path: string): number {
  try {
    // Opening a pipe would wait for whoever writes it, and no signal could end that.
    if (!statSync(path).isFile()) {
      throw new MlxConvertError("not a regular file", { file: path, hint: "give a file, or a directory" });
    }
    return openSync(path, "r");
  } catch (error) {
    throw systemError(error, path);
  }
}

function fileSource(path: string, fd: number, bytes: number): ByteSource {
  return {
    path,
    bytes,
    read(offset, length) {
      if (!(offset >= 0 && length >= 0 && offset + length <= bytes)) {
        throw new MlxConvertError(
          `bytes [${offset}, ${offset + length}) are past the end of the file (${bytes} bytes)`,
          { file: path, hint: "the file looks truncated: fetch it again" },
        );
      }
      const data = new Uint8Array(length);
      let done = 0;
      while (done < length) {
        const got = readSync(fd, data, done, length - done, offset + done);
        if (got === 0) {
          throw new MlxConvertError("the file became shorter while it was read", {
            file: path,
            hint: beingWritten,
          });
        }
        done += got;
      }
      return data;
    },
  };
}

const allowed = "look at the permissions of the file and of its directories";
const reasons: Readonly<Record<string, readonly [what: string, hint: string]>> = {
  ENOENT: ["no such file or directory", "look for it: something may have moved or removed it"],
  EACCES: ["permission denied", allowed],
  EPERM: ["operation not permitted", allowed],
  EISDIR: ["is a directory", "give a file"],
  ENOTDIR: ["a part of the path is not a directory", "give a path that leads through directories"],
  ENOSPC: ["no space left on the device", "make room, or choose an output on another disk"],
  EDQUOT: ["the disk quota is used up", "make room, or choose an output on another disk"],
  EROFS: ["the file system is read-only", "choose an output on another file system"],
  ELOOP: ["too many symbolic links", "look at the links: they may lead in a circle"],
  ENAMETOOLONG: ["the name is too long", "choose a shorter one"],
  EFBIG: ["the file becomes larger than the file system or a limit allows", "--max-shard-size 2GB"],
  EMFILE: ["too many open files", "ulimit -n 4096"],
  EIO: ["the device reported an I/O error", "look at the disk's health and the system's log"],
};

/** An operating system's error as ours: `<path>: <reason>`. */
export function systemError(error: unknown, path: string, hint?: string): MlxConvertError {
  if (error instanceof MlxConvertError) return error;
  const { code, errno } = (error ?? {}) as Partial<NodeJS.ErrnoException>;
  const name = code ?? (errno === undefined ? "" : getSystemErrorName(errno));
  const [what, usualHint] = reasons[name] ?? [error instanceof Error ? error.message : String(error)];
  const help = hint ?? usualHint;
  return new MlxConvertError(what, { file: path, cause: error, ...(help !== undefined && { hint: help }) });
}
