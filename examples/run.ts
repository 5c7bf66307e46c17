/** `npm run example <name>`: in a checkout, whose `turnkeep/…` are its sources by the condition `turnkeep-source`. */
import { existsSync, globSync } from 'node:fs';
import { basename, join } from 'node:path';

const [, , name = ''] = process.argv;
const main = join(import.meta.dirname, name, 'main.ts');
if (name === '' || !existsSync(main)) {
  const names = globSync('*/', { cwd: import.meta.dirname }).map((folder) => basename(folder));
  console.error(`npm run example <name>, one of ${names.toSorted().join(', ')}`);
  process.exit(2);
}
// An example reads its arguments as if it had been started itself.
process.argv.splice(1, 2, main);
await import(main);
