/** The process: `bin/mlx-convert.js` imports this. */
import { runProgram } from "./program.ts";

// Whoever reads our output may stop reading, as `head` does; that is no error.
for (const stream of [process.stdout, process.stderr]) {
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
  });
}

process.exitCode = await runProgram(process.argv.slice(2), process);
