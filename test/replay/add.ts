/**
 * Adds to the corpus what it lacks of this version: `npm run corpus [-- KIND…]`. What is there is left as it is.
 */
import { existsSync, statSync, writeFileSync } from 'node:fs';
import { readVersion } from '../../src/config/config.ts';
import { budgetPath, eventsOf, fileOf, kinds, readBudget, write } from './corpus.ts';
import { startCorpusServer } from './server.ts';

const version = readVersion().split('.').slice(0, 2).join('.');
const named = process.argv.slice(2);
const unknown = named.filter((name) => !kinds.some((kind) => kind.name === name));
if (unknown.length > 0) throw new Error(`no kind is called ${unknown.join(', ')}: ${kinds.map(({ name }) => name).join(', ')}`);
const missing = kinds.filter(({ name }) => !existsSync(fileOf(version, name)) && (named.length === 0 || named.includes(name)));
const stop = await startCorpusServer();
const budget = { ...readBudget() };
for (const { name, play } of missing) {
  const played = await play();
  const file = fileOf(version, name);
  write(file, played);
  budget[name] ??= eventsOf(played);
  const sorted = Object.fromEntries(Object.entries(budget).toSorted(([one], [other]) => one.localeCompare(other)));
  writeFileSync(budgetPath, `${JSON.stringify(sorted, undefined, 2)}\n`);
  process.stdout.write(`${version} ${name}: ${statSync(file).size} bytes, ${(budget[name] ?? []).join(', ')}\n`);
}
stop();
