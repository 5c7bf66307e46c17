/** Variables with our prefix that are no settings: a misspelt one would be ignored without a word. Pure. */
import { table } from './settings.ts';

const prefix = 'TURNKEEP_';

/** Of `turnkeep chat`, which is no role and has no settings; `TURNKEEP_TEST_*` belongs to tests. */
const elsewhere = /^TURNKEEP_(?:URL|API_KEY|TEST_.*)$/;

/** More changed letters than these make another word: one of three, and of a long name no more than three. */
function mostEdits(name: string): number {
  return Math.min(3, Math.floor((name.length - prefix.length) / 3));
}

/** @returns a sentence for each, with the setting that it is nearest to */
export function unknownNames(env: { readonly [name: string]: string | undefined }): readonly string[] {
  return Object.keys(env)
    .filter((name) => name.startsWith(prefix) && !elsewhere.test(name) && !(name in table.shape))
    .toSorted()
    .map((name) => {
      const nearest = nearestTo(name);
      const rest = nearest === undefined ? '`turnkeep serve --help` lists the settings' : `did you mean ${nearest}?`;
      return `${name} is no setting of turnkeep and is ignored: ${rest}`;
    });
}

function nearestTo(name: string): string | undefined {
  const [best] = Object.keys(table.shape)
    .map((setting) => ({ setting, edits: editsBetween(name, setting) }))
    .toSorted((a, b) => a.edits - b.edits);
  return best !== undefined && best.edits <= mostEdits(name) ? best.setting : undefined;
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
