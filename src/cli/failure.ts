/** What a run that failed leaves on the screen, and its exit status. */
import { MlxConvertError } from "../errors.ts";
import { systemError } from "../io/byte-source.ts";
import { Interrupted } from "./interrupt.ts";
import { printable, styleOf, type Terminal } from "./terminal.ts";

interface Failure {
  readonly message: string;
  readonly hint?: string | undefined;
  readonly file?: string | undefined;
  readonly tensor?: string | undefined;
  readonly status: number;
}

/** @param json with `--json`, the error is the document; a check that failed has printed its report already */
export function reportFailure(error: unknown, json: boolean, { stdout, stderr, env }: Terminal): number {
  const failure = understand(error);
  const style = styleOf(stderr, env);
  const lines = [
    error instanceof Interrupted ? failure.message : `${style.red("error:")} ${printable(failure.message)}`,
    ...(failure.hint === undefined ? [] : [`${style.cyan("hint:")} ${printable(failure.hint)}`]),
    ...(env["MLX_CONVERT_DEBUG"] === "1" ? [stackOf(error)] : []),
  ];
  stderr.write(`${lines.join("\n")}\n`);
  if (json && failure.status !== 3) {
    const { message, hint = null, file = null, tensor = null } = failure;
    stdout.write(`${JSON.stringify({ error: { message, hint, file, tensor } })}\n`);
  }
  return failure.status;
}

function understand(error: unknown): Failure {
  if (error instanceof MlxConvertError) {
    const { message, hint, file, tensor, exitStatus } = error;
    return { message, hint, file, tensor, status: exitStatus };
  }
  if (error instanceof Interrupted) return { message: error.message, status: error.status };
  if (isSystemError(error)) return understand(systemError(error, error.path ?? error.syscall));
  const what = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return {
    message: `this is a bug in mlx-convert: ${what}`,
    hint: "please report it to the package mlx-convert, with what MLX_CONVERT_DEBUG=1 prints",
    status: 1,
  };
}

interface SystemError extends Error {
  readonly syscall: string;
  readonly path?: string;
}

/** The operating system said no, at a place where nobody expected it. */
const isSystemError = (error: unknown): error is SystemError => error instanceof Error && "syscall" in error;

function stackOf(error: unknown): string {
  if (!(error instanceof Error)) return "";
  const cause = error.cause === undefined ? "" : `\ncaused by ${stackOf(error.cause)}`;
  return `${error.stack ?? error.message}${cause}`;
}
