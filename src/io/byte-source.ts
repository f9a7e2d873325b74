import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { MlxConvertError } from "../errors.ts";

/** Bounded reads from something that has a length. Readers take this, so a test can count what they read. */
export interface ByteSource {
  readonly path: string;
  readonly bytes: number;
  /** Exactly `length` bytes from `offset`; throws where the range is not inside. */
  read(offset: number, length: number): Uint8Array;
}

/** Opens a file, hands it to `use` and closes it whatever happens. */
export function withFile<T>(path: string, use: (source: ByteSource) => T): T {
  const fd = openFile(path);
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile()) throw new MlxConvertError("not a regular file", { file: path });
    return use(fileSource(path, fd, stat.size));
  } finally {
    closeSync(fd);
  }
}

function openFile(path: string): number {
  try {
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
        if (got === 0) throw new MlxConvertError("the file became shorter while it was read", { file: path });
        done += got;
      }
      return data;
    },
  };
}

const reasons: Readonly<Record<string, string>> = {
  ENOENT: "no such file or directory",
  EACCES: "permission denied",
  EPERM: "operation not permitted",
  EISDIR: "is a directory",
  ENOTDIR: "a part of the path is not a directory",
  ENOSPC: "no space left on the device",
  EROFS: "the file system is read-only",
  EMFILE: "too many open files",
  EIO: "the device reported an I/O error",
};

/** An operating system's error as ours: `<path>: <reason>`. */
export function systemError(error: unknown, path: string, hint?: string): MlxConvertError {
  if (error instanceof MlxConvertError) return error;
  const code = (error as NodeJS.ErrnoException | null)?.code;
  const reason =
    (code === undefined ? undefined : reasons[code]) ?? (error as Error | null)?.message ?? String(error);
  return new MlxConvertError(reason, { file: path, cause: error, ...(hint === undefined ? {} : { hint }) });
}
