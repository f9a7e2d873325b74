import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach } from "vitest";

/** A fresh directory for each test of a file; call it at the top and read `path` inside the tests. */
export function freshDirectory(): { readonly path: string } {
  const directory = { path: "" };
  beforeEach(() => {
    directory.path = mkdtempSync(join(tmpdir(), "mlx-convert-test-"));
  });
  afterEach(() => rmSync(directory.path, { recursive: true, force: true }));
  return directory;
}
