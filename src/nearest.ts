/** The candidates that are at most a third of the word's length in edits away, nearest first: for "did you mean". */
export function nearest(word: string, candidates: readonly string[], most = 3): string[] {
  const limit = Math.max(1, Math.floor(word.length / 3));
  return (
    candidates
      // A word of megabytes, from a bad file, is far from everything.
      .filter((candidate) => Math.abs(candidate.length - word.length) <= limit)
      .map((candidate) => ({ candidate, distance: editDistance(word, candidate) }))
      .filter(({ distance }) => distance <= limit)
      .toSorted((a, b) => a.distance - b.distance)
      .slice(0, most)
      .map(({ candidate }) => candidate)
  );
}

/** Levenshtein's distance, one row at a time. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next[j] = Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1);
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
