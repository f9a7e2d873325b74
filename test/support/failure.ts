import { MlxConvertError } from "../../src/errors.ts";

/** The error that `run` ends with; anything but an MlxConvertError fails the test. */
export function failure(run: () => unknown): MlxConvertError {
  try {
    run();
  } catch (error) {
    if (error instanceof MlxConvertError) return error;
    throw error;
  }
  throw new Error("expected an MlxConvertError, got none");
}

/** What `run` throws that is not an MlxConvertError; undefined where it succeeds or fails as it should. */
export function strayError(run: () => unknown): unknown {
  try {
    run();
  } catch (error) {
    return error instanceof MlxConvertError ? undefined : error;
  }
  return undefined;
}
