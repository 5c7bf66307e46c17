/** The name that was meant by a misspelt one. Pure. */

/** More changed letters than these make another word: one of three, and of a long name no more than three. */
function mostEdits(length: number): number {
  return Math.min(3, Math.floor(length / 3));
}

/** @param common how many letters all of the names begin with: they say nothing about which one is meant */
export function nearestName(name: string, candidates: Iterable<string>, common = 0): string | undefined {
  const [best] = [...candidates]
    .map((candidate) => ({ candidate, edits: editsBetween(name, candidate) }))
    .toSorted((a, b) => a.edits - b.edits);
  return best !== undefined && best.edits <= mostEdits(name.length - common) ? best.candidate : undefined;
}

/** Letters to insert, drop or change, and neighbours to swap (Damerau and Levenshtein, optimal string alignment). */
function editsBetween(a: string, b: string): number {
  const rows: number[][] = Array.from({ length: a.length + 1 }, (_, at) => [at]);
  const at = (i: number, j: number): number => rows[i]?.[j] ?? Number.POSITIVE_INFINITY;
  for (let j = 1; j <= b.length; j += 1) rows[0]?.push(j);
  for (let i = 1; i <= a.length; i += 1) {
    for (let j = 1; j <= b.length; j += 1) {
      const change = at(i - 1, j - 1) + (a[i - 1] === b[j - 1] ? 0 : 1);
      const isSwap = a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      rows[i]?.push(Math.min(at(i - 1, j) + 1, at(i, j - 1) + 1, change, isSwap ? at(i - 2, j - 2) + 1 : Number.POSITIVE_INFINITY));
    }
  }
  return at(a.length, b.length);
}
