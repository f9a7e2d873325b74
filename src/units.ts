/** Numbers as people read them. */

const byteUnits = ["B", "kB", "MB", "GB", "TB"];
const countUnits = ["", "", " million", " billion", " trillion"];

/** `75.7 MB`: decimal, as disks and downloads count. */
export const showBytes = (bytes: number): string =>
  scaled(
    bytes,
    byteUnits.map((unit) => ` ${unit}`),
  );

/** `14,528`, `135 million`. */
export const showCount = (count: number): string =>
  count < 999_500 ? count.toLocaleString("en-US") : scaled(count, countUnits);

export function showSeconds(seconds: number): string {
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 60) return `${Number.isInteger(seconds) ? seconds : seconds.toFixed(1)} s`;
  const minutes = Math.floor(Math.round(seconds) / 60);
  const rest = `${String(minutes % 60).padStart(2, "0")}:${String(Math.round(seconds) % 60).padStart(2, "0")}`;
  return minutes < 60 ? rest : `${Math.floor(minutes / 60)}:${rest}`;
}

/** `3 layers`, `1 layer`. */
export const plural = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? "" : "s"}`;

/** Three digits are enough; a unit is left only when it would show 1000. */
function scaled(value: number, units: readonly string[]): string {
  let [rest, unit] = [value, 0];
  while (rest >= 999.5 && unit < units.length - 1) {
    rest /= 1000;
    unit++;
  }
  const digits = unit === 0 || rest >= 99.95 ? 0 : rest >= 9.995 ? 1 : 2;
  return `${rest.toFixed(digits)}${units[unit]}`;
}
