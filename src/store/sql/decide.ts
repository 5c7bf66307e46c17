/** Asks a pure function of `domain/` to decide, with what it looks at read from the database: only that, since most cases need a few facts. */
import { ahead, type Work } from './work.ts';

/** How each fact is read. */
export type Loaders<Facts> = { readonly [Name in keyof Facts]-?: () => Work<Facts[Name]> };

class Unread {
  readonly name: PropertyKey;

  constructor(name: PropertyKey) {
    this.name = name;
  }
}

/**
 * A decision that looks at a fact that is not read yet is broken off, the fact is read, and it is asked again from the beginning:
 * it changes nothing, so what it has looked at by then is all that is left of it.
 * @param known facts that need not be read
 * @param companions facts of which most decisions that look at one look at all: they are read at once where each is a way to a server
 */
export function* decideBy<Facts extends object, Decision, Known extends keyof Facts = never>(
  decide: (facts: Facts) => Decision,
  loaders: Loaders<Omit<Facts, Known>>,
  known?: Pick<Facts, Known>,
  companions: readonly (keyof Omit<Facts, Known>)[] = [],
): Work<Decision> {
  const read = new Map<PropertyKey, unknown>(Object.entries(known ?? {}));
  const facts = new Proxy({} as Facts, {
    get(_target, name) {
      if (!read.has(name)) throw new Unread(name);
      return read.get(name);
    },
  });
  for (;;) {
    try {
      return decide(facts);
    } catch (error) {
      if (!(error instanceof Unread)) throw error;
      const name = error.name as keyof Omit<Facts, Known>;
      const values = companions.includes(name) ? yield* ahead(companions.map((each) => loaders[each])) : undefined;
      if (values === undefined) read.set(name, yield* loaders[name]());
      else for (const [index, each] of companions.entries()) read.set(each, values[index]);
    }
  }
}
