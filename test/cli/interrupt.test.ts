import { describe, expect, test } from "vitest";
import { Interrupted, interruptible } from "../../src/cli/interrupt.ts";

/** Ends when it is aborted, as `convert` does. */
const untilAborted = (signal: AbortSignal): Promise<never> =>
  new Promise((_resolve, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason as Error));
  });

const listeners = (): number => process.listenerCount("SIGINT") + process.listenerCount("SIGTERM");

describe.each([
  ["SIGINT", 130],
  ["SIGTERM", 143],
] as const)("%s", (signal, status) => {
  test(`stops the work with status ${status}, and the next one meets no handler`, async () => {
    const before = listeners();
    const run = interruptible("nothing was written to out", untilAborted);
    expect(listeners()).toBe(before + 2);
    process.emit(signal, signal);
    expect(listeners()).toBe(before);
    const error = await run.catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(Interrupted);
    expect(error).toMatchObject({ status, message: "interrupted: nothing was written to out" });
  });
});

test("work that ends before it notices has its result", async () => {
  const before = listeners();
  const run = interruptible("", async () => {
    process.emit("SIGINT", "SIGINT");
    return Promise.resolve("done");
  });
  expect(await run).toBe("done");
  expect(listeners()).toBe(before);
});

test("errors stay what they are", async () => {
  const before = listeners();
  await expect(interruptible("", () => Promise.reject(new Error("no space")))).rejects.toThrow("no space");
  expect(listeners()).toBe(before);
});
