const statuses = { SIGINT: 130, SIGTERM: 143 } as const;
type Signal = keyof typeof statuses;
const signals = Object.keys(statuses) as Signal[];

/** A run that a signal stopped; not an error of anybody. */
export class Interrupted extends Error {
  /** 128 and the signal's number, as shells say it. */
  readonly status: number;

  constructor(signal: Signal, consequence: string) {
    super(`interrupted: ${consequence}`);
    this.name = "Interrupted";
    this.status = statuses[signal];
  }
}

/**
 * Does work that SIGINT and SIGTERM stop in good order. A second signal meets no handler and ends the process at once.
 * @param consequence what the stop means for the user's files
 * @throws Interrupted where a signal stopped it
 */
export async function interruptible<T>(
  consequence: string,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController();
  let received: Signal | undefined;
  const release = (): void => {
    for (const signal of signals) process.removeListener(signal, stop);
  };
  function stop(signal: Signal): void {
    received = signal;
    release();
    controller.abort();
  }
  for (const signal of signals) process.on(signal, stop);
  try {
    return await work(controller.signal);
  } catch (error) {
    if (received !== undefined && (error as Error).name === "AbortError")
      throw new Interrupted(received, consequence);
    throw error;
  } finally {
    release();
  }
}
