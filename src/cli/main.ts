/** The process: `bin/mlx-convert.js` imports this. */
import { reportFailure } from "./failure.ts";
import { runProgram } from "./program.ts";

const streams = { "standard output": process.stdout, "standard error": process.stderr };
for (const [name, stream] of Object.entries(streams)) {
  stream.on("error", (error: NodeJS.ErrnoException) => {
    // Whoever reads our output may stop reading, as `head` does; that is no error.
    if (error.code !== "EPIPE") stop(error, name);
  });
}

/** What we say does not arrive, e.g. on a full disk. */
function stop(error: Error, name: string): void {
  process.exit(reportFailure(Object.assign(error, { path: name }), false, process));
}

process.exitCode = await runProgram(process.argv.slice(2), process);
