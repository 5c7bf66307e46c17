/** The entry points of the package, from `package.json`: what an importer writes, and the source behind it. */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

export const root = join(import.meta.dirname, '../..');

export interface Entry {
  /** Such as `turnkeep/client`. */
  readonly specifier: string;
  /** The source, absolute. */
  readonly path: string;
}

const { exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  readonly exports: Readonly<Record<string, string | { readonly default: string }>>;
};

export const entries: readonly Entry[] = Object.entries(exports).flatMap(([name, target]) =>
  typeof target === 'string'
    ? []
    : [{ specifier: `turnkeep${name.slice(1)}`, path: join(root, target.default.replace('./dist/', 'src/').replace(/\.js$/, '.ts')) }],
);

export function entryOf(specifier: string): Entry {
  const entry = entries.find((candidate) => candidate.specifier === specifier);
  if (entry === undefined) throw new Error(`package.json exports no ${specifier}`);
  return entry;
}

export interface ExportedName {
  readonly name: string;
  /** Of the declaration, absolute. */
  readonly path: string;
  /** In the declaration's file. */
  readonly localName: string;
  readonly isType: boolean;
}

const list = /^export (type )?\{([^}]*)\}(?: from '(\.[^']+)')?;/gm;
const star = /^export \* (?:as (\w+) )?from '(\.[^']+)';/gm;
const declaration = /^export (?:declare )?(?:async )?(?:abstract )?(const|function\*?|class|interface|type|enum) (\w+)/gm;

/** Every name that a module exports, types too, each with where it is declared. */
export function exportedNames(path: string): readonly ExportedName[] {
  const text = readFileSync(path, 'utf8');
  const names: ExportedName[] = [];
  for (const [, kind = '', name = ''] of text.matchAll(declaration)) {
    names.push({ name, path, localName: name, isType: kind === 'interface' || kind === 'type' });
  }
  for (const [, allTypes, specifiers = '', from] of text.matchAll(list)) {
    for (const specifier of specifiers.split(',').map((one) => one.trim())) {
      const [, type, local = '', alias] = /^(type )?(\w+)(?: as (\w+))?$/.exec(specifier) ?? [];
      if (local === '') continue;
      const target = from === undefined ? path : join(dirname(path), from);
      names.push({ name: alias ?? local, path: target, localName: local, isType: allTypes !== undefined || type !== undefined });
    }
  }
  for (const [, alias, from = ''] of text.matchAll(star)) {
    const target = join(dirname(path), from);
    if (alias === undefined) names.push(...exportedNames(target));
    else names.push({ name: alias, path: target, localName: '', isType: false });
  }
  return names;
}
