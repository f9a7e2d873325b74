/** Names for people: those that differ only in numbers become one, `model.layers.{0…29}.mlp.up_proj.weight`. */

const numbers = /(?<=^|\.)\d+(?=\.|$)/g;

/** More runs than this are not worth reading. */
const maxRuns = 6;

/** What the names of equal layers have in common: `model.layers.*.mlp.up_proj.weight`. */
export const patternOf = (name: string): string => name.replace(numbers, "*");

/** One text for names of one pattern. */
export function collapse(names: readonly string[]): string {
  const [first = ""] = names;
  const positions = (first.match(numbers) ?? []).map(() => new Set<number>());
  for (const name of names) {
    for (const [i, number] of (name.match(numbers) ?? []).entries()) positions[i]?.add(Number(number));
  }
  let position = 0;
  return first.replace(numbers, (number) => {
    const values = positions[position++];
    return values === undefined || values.size === 1 ? number : `{${showRuns([...values])}}`;
  });
}

/** `0…3,5,7…9`, and `…` in place of what is too much to read. */
function showRuns(values: readonly number[]): string {
  const runs: [number, number][] = [];
  for (const value of values.toSorted((a, b) => a - b)) {
    const last = runs.at(-1);
    if (last !== undefined && value === last[1] + 1) last[1] = value;
    else runs.push([value, value]);
  }
  const shown = runs.length <= maxRuns ? runs : runs.slice(0, maxRuns - 1);
  const text = shown.map(([low, high]) => (low === high ? String(low) : `${low}…${high}`));
  const rest = runs.length > shown.length ? [`…${runs.at(-1)?.[1]}`] : [];
  return [...text, ...rest].join(",");
}

/** Groups things by a key, in the order in which the keys first appear. */
export function groupBy<T>(items: Iterable<T>, keyOf: (item: T) => string): T[][] {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const key = keyOf(item);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [item]);
    else group.push(item);
  }
  return [...groups.values()];
}

/** Names that differ only in numbers as one text each, in the order in which they first appear. */
export const collapseNames = (names: readonly string[]): string[] => groupBy(names, patternOf).map(collapse);

/** `a, b, c and 4 more` */
export function listSome(names: readonly string[], most = 8): string {
  const shown = names.slice(0, most).join(", ");
  return names.length > most ? `${shown} and ${names.length - most} more` : shown;
}
