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
