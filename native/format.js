// Checks that the C++ is formatted as native/.clang-format says; with --write, formats it.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { format } from "@wasm-fmt/clang-format";

const native = fileURLToPath(new URL(".", import.meta.url));
const write = process.argv.includes("--write");
const style = readFileSync(join(native, ".clang-format"), "utf8");

const files = readdirSync(native, { recursive: true, encoding: "utf8" }).filter(
  (file) => /\.(cpp|h)$/.test(file) && !/(^|[\\/])build[\\/]/.test(file),
);
if (files.length === 0) throw new Error(`${native}: no C++ files to format`);

const different = files.filter((file) => {
  const path = join(native, file);
  const source = readFileSync(path, "utf8");
  const formatted = format(source, file, style);
  if (write && formatted !== source) writeFileSync(path, formatted);
  return formatted !== source;
});
if (!write && different.length > 0) {
  process.stderr.write(`not formatted, run \`node native/format.js --write\`:\n`);
  for (const file of different) process.stderr.write(`  native/${file}\n`);
  process.exitCode = 1;
}
