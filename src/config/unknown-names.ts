/** Variables with our prefix that are no settings: a misspelt one would be ignored without a word, and its default hold. Pure. */
import { nearestName } from '../domain/nearest-name.ts';
import { table } from './settings.ts';

const prefix = 'TURNKEEP_';

/** Of `turnkeep chat`, which is no role and has no settings; `TURNKEEP_TEST_*` belongs to tests. */
const elsewhere = /^TURNKEEP_(?:URL|API_KEY|TEST_.*)$/;

/** @returns a sentence for each, with the setting that it is nearest to */
export function unknownNames(env: { readonly [name: string]: string | undefined }): readonly string[] {
  return Object.keys(env)
    .filter((name) => name.startsWith(prefix) && !elsewhere.test(name) && !(name in table.shape))
    .toSorted()
    .map((name) => {
      const nearest = nearestName(name, Object.keys(table.shape), prefix.length);
      const rest = nearest === undefined ? '`turnkeep serve --help` lists the settings' : `did you mean ${nearest}?`;
      return `${name} is no setting of turnkeep and is ignored: ${rest}`;
    });
}
