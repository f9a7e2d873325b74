/**
 * Output that appears complete or not at all, also when the machine loses its power. It is made in a sibling of its place, each
 * file under a name that nothing loads; `commit` gives the files their names, config.json last, and moves all into place.
 */
import { closeSync, mkdirSync, openSync, renameSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { basename, dirname, join, normalize, resolve, sep } from "node:path";
import { MlxConvertError } from "../errors.ts";
import { systemError } from "./byte-source.ts";
import { checkPlace, type OutputPlace } from "./output-place.ts";
import { clearStale, discard, partialPath, replacedPath } from "./partial.ts";
import { statOf } from "./paths.ts";

export { freeBytes } from "./paths.ts";

export interface OutputOptions extends OutputPlace {
  /** Swaps two paths in one step; false where the system cannot. */
  readonly exchange?: (a: string, b: string) => boolean;
}

export class AtomicOutput {
  /** The place as the user named it, for messages. */
  private readonly target: string;
  /** The same, absolute. */
  private readonly place: string;
  private readonly partial: string;
  private readonly options: OutputOptions;
  /** The topmost directory that `begin` had to make. */
  private readonly madeParent: string | undefined;
  private readonly names = new Set<string>();
  private state: "open" | "done" = "open";

  private constructor(target: string, options: OutputOptions, madeParent: string | undefined) {
    this.target = target;
    this.place = resolve(target);
    this.partial = partialPath(this.place);
    this.options = options;
    this.madeParent = madeParent;
  }

  /**
   * Checks the place, clears what a killed run left beside it, and makes the sibling.
   * @throws MlxConvertError before anything is made
   */
  static begin(target: string, options: OutputOptions): AtomicOutput {
    const place = resolve(target);
    const parent = dirname(place);
    attempt(parent, () => {
      if (statOf(parent)?.isDirectory() === true) clearStale(place);
    });
    checkPlace(target, options);
    const madeParent = attempt(parent, () => makeDirectories(parent));
    const output = new AtomicOutput(target, options, madeParent);
    try {
      output.claim();
    } catch (error) {
      output.removeParents();
      throw error;
    }
    return output;
  }

  /** Where files are made for now: on the disk that the output will be on. */
  get directory(): string {
    return this.options.singleFile ? dirname(this.partial) : this.partial;
  }

  /** Where to write the file `name` (`model.safetensors`, `1_Pooling/config.json`) now; its directory exists. */
  path(name: string): string {
    if (this.options.singleFile) {
      if (name !== basename(this.place)) throw new Error(`the output is one file, not ${name}`);
      return this.partial;
    }
    const local = normalize(name);
    if (local !== name.replaceAll("/", sep) || /^[\\/]|^\.\.?([\\/]|$)|[\\/]$/.test(local)) {
      throw new Error(`not a name inside the output: ${name}`);
    }
    if (!this.names.has(local)) {
      this.names.add(local);
      attempt(this.target, () => mkdirSync(dirname(join(this.partial, local)), { recursive: true }));
    }
    return `${join(this.partial, local)}.partial`;
  }

  /** Writes a small file whole. */
  write(name: string, text: string): void {
    const path = this.path(name);
    attempt(join(this.target, name), () => writeFileSync(path, text));
  }

  /**
   * Makes the output durable and puts it into its place.
   * @param signal stops it as long as nothing has its name
   */
  async commit(signal?: AbortSignal): Promise<void> {
    if (this.state === "done") throw new Error("the output was finished before");
    try {
      await this.syncContents(signal);
      // Whoever came in between is not overwritten.
      checkPlace(this.target, this.options);
      // From here to its place there is no wait: a kill finds nothing that has its name, or all.
      if (!this.options.singleFile) this.nameFiles();
      const old = this.moveIn();
      this.state = "done";
      // Only now does the new model survive a power cut, so only now may the old one go.
      for (const dir of this.folders(this.place)) await sync(dir);
      await this.syncParents();
      if (old !== undefined) discard(old);
    } catch (error) {
      throw error === signal?.reason ? error : systemError(error, this.target);
    }
  }

  /** Removes everything that was made, unless it was committed. May be called at any time and again. */
  abort(): void {
    if (this.state === "done") return;
    this.state = "done";
    discard(this.partial);
    this.removeParents();
  }

  /** Makes the sibling. Its name is this process's own, so there is one already only where two runs of it write to one place. */
  private claim(): void {
    try {
      if (!this.options.singleFile) return mkdirSync(this.partial);
      // The writer makes the file: this only finds out whether it will be able to.
      closeSync(openSync(this.partial, "wx"));
      rmSync(this.partial);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "EEXIST") {
        throw new MlxConvertError("another conversion of this process writes to it", { file: this.target });
      }
      throw systemError(error, dirname(this.place));
    }
  }

  private async syncContents(signal: AbortSignal | undefined): Promise<void> {
    const files = [...this.names].map((name) => `${join(this.partial, name)}.partial`);
    const contents = this.options.singleFile ? [this.partial] : [...files, ...this.folders(this.partial)];
    for (const path of contents) {
      await sync(path);
      signal?.throwIfAborted();
    }
  }

  /** config.json last: without it nothing loads as a model. */
  private nameFiles(): void {
    const names = [...this.names].toSorted(
      (a, b) => Number(a === "config.json") - Number(b === "config.json"),
    );
    for (const path of names.map((name) => join(this.partial, name))) renameSync(`${path}.partial`, path);
  }

  /** The folders of the output, at the place where it is now. */
  private folders(place: string): string[] {
    if (this.options.singleFile) return [];
    return [...new Set([...this.names].map((name) => dirname(join(place, name)))).add(place)];
  }

  /** @returns where the old model is now, if there was one */
  private moveIn(): string | undefined {
    if (this.options.singleFile || statOf(this.place) === undefined) {
      renameSync(this.partial, this.place);
      return undefined;
    }
    if (this.options.exchange?.(this.partial, this.place) === true) return this.partial;
    // Two steps where the system knows no exchange: should the run die between them, the next one puts the old model back.
    const old = replacedPath(this.place);
    renameSync(this.place, old);
    try {
      renameSync(this.partial, this.place);
    } catch (error) {
      renameSync(old, this.place);
      throw error;
    }
    return old;
  }

  private async syncParents(): Promise<void> {
    const top = this.madeParent === undefined ? dirname(this.place) : dirname(this.madeParent);
    let dir = dirname(this.place);
    await sync(dir);
    while (dir !== top && dir !== dirname(dir)) await sync((dir = dirname(dir)));
  }

  private removeParents(): void {
    if (this.madeParent === undefined) return;
    try {
      for (let dir = dirname(this.place); ; dir = dirname(dir)) {
        rmdirSync(dir);
        if (dir === this.madeParent) return;
      }
    } catch {
      // Somebody else uses it by now.
    }
  }
}

/** Waits until a file's or directory's contents are on the disk. */
async function sync(path: string): Promise<void> {
  const handle = await open(path, "r").catch((error: unknown) => {
    throw systemError(error, path);
  });
  try {
    await handle.sync();
  } catch (error) {
    // Some systems and network shares cannot do this for a directory, or for a file that is open for reading.
    if (!["EPERM", "EINVAL", "EISDIR", "ENOTSUP"].includes((error as NodeJS.ErrnoException).code ?? ""))
      throw error;
  } finally {
    await handle.close();
  }
}

function attempt<T>(path: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    throw systemError(error, path);
  }
}

/**
 * Makes a directory and what is missing above it; returns the topmost that it made. Node's own recursion calls a read-only
 * file system "no such file or directory".
 */
function makeDirectories(path: string): string | undefined {
  if (statOf(path) !== undefined) return undefined;
  const above = makeDirectories(dirname(path));
  mkdirSync(path);
  return above ?? path;
}
