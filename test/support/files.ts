import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { onTestFinished } from "vitest";

/** Contents by path. */
export type Files = Readonly<Record<string, string | Uint8Array>>;

/** A new directory with these files, removed when the test that made it ends. */
export function directoryWith(files: Files = {}): string {
  const dir = mkdtempSync(join(realpathSync(tmpdir()), "mlx-convert-test-"));
  onTestFinished(() => {
    rmSync(dir, { recursive: true, force: true });
  });
  for (const [name, contents] of Object.entries(files)) {
    mkdirSync(dirname(join(dir, name)), { recursive: true });
    writeFileSync(join(dir, name), contents);
  }
  return dir;
}
