import type { Progress } from "../index.ts";
import type { Stream } from "./terminal.ts";
import { showBytes, showSeconds } from "../units.ts";

/** Before this the rate says nothing about the rest. */
const settled = 0.5; // seconds

const eraseLine = "\r\u001b[K";

export interface ProgressLine {
  readonly onProgress?: (progress: Progress) => void;
  /** Takes the line away. */
  end(): void;
}

/**
 * One line that is written over: share, bytes, rate, time left. Only on a terminal; elsewhere nothing is printed.
 * @param doing what the bytes go through, and what follows when all of them have
 */
export function progressLine(
  stream: Stream,
  doing: { readonly now: string; readonly last: string },
  quiet: boolean,
): ProgressLine {
  if (quiet || stream.isTTY !== true) return { end: () => {} };
  const started = performance.now();
  return {
    onProgress(progress) {
      const seconds = (performance.now() - started) / 1000;
      const isLast = progress.doneBytes >= progress.totalBytes;
      const line = isLast ? doing.last : `${doing.now} ${showProgress(progress, seconds)}`;
      stream.write(eraseLine + line.slice(0, (stream.columns || 80) - 1));
    },
    end() {
      stream.write(eraseLine);
    },
  };
}

/** `42%  113 MB of 269 MB  0.66 GB/s  3.2 s left` */
export function showProgress({ doneBytes, totalBytes }: Progress, seconds: number): string {
  const share = totalBytes === 0 ? 1 : doneBytes / totalBytes;
  const parts = [
    `${String(Math.floor(share * 100)).padStart(3)}%`,
    `${showBytes(doneBytes)} of ${showBytes(totalBytes)}`,
  ];
  if (seconds >= settled && doneBytes > 0) {
    parts.push(`${showBytes(doneBytes / seconds)}/s`);
    parts.push(`${showSeconds(Math.ceil((seconds * (1 - share)) / share))} left`);
  }
  return parts.join("  ");
}
