// Builds native/build/Release/convert.node with node-gyp; prints only when that fails. `npm run build:native`.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { availableParallelism } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const native = dirname(fileURLToPath(import.meta.url));
const nodeGyp = createRequire(import.meta.url).resolve("node-gyp/bin/node-gyp.js");

// Node's headers usually lie beside it; only where they do not does node-gyp download them.
const prefix = dirname(dirname(process.execPath));
const headers = existsSync(join(prefix, "include", "node", "node_api.h")) ? [`--nodedir=${prefix}`] : [];

const options = ["--directory", native, "--loglevel=warn", `--jobs=${availableParallelism()}`, ...headers];
const build = spawnSync(process.execPath, [nodeGyp, "configure", "build", ...options], { encoding: "utf8" });
if (build.status !== 0) {
  process.stderr.write(`${build.stdout}${build.stderr}${build.error?.message ?? ""}`);
  process.exitCode = 1;
}
