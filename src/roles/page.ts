/**
 * Where the built page is. The published package brings it; a checkout keeps it in a cache, under a name of what it is made of, and
 * builds it where it is missing: in a process of its own, since a bundler takes memory that is not given back.
 */
import { execFile } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const root = fileURLToPath(new URL('../../', import.meta.url));
const isCheckout = import.meta.url.endsWith('.ts');

/** Of the package. */
const shippedFolder = fileURLToPath(new URL('../web/', import.meta.url));
const cacheFolder = join(root, 'node_modules/.cache/turnkeep/page');
const builder = join(root, 'scripts/build-page.ts');

/** What the page is made of: the lock file says which packages. */
const sources = ['src/web', 'src/http-client', 'scripts/build-page.ts', 'package-lock.json'];

/** Of older sources. Somebody who goes from branch to branch has one each. */
const keptBuilds = 4;

/**
 * The folder of the page for `startGateway`, built first where need be, which takes some seconds. Rejects where it cannot be
 * built, with what to do about it.
 */
export async function findPage(): Promise<string> {
  if (!isCheckout) {
    if (existsSync(join(shippedFolder, 'index.html'))) return shippedFolder;
    throw new Error('this copy of turnkeep was built without it: npm run build');
  }
  const folder = join(cacheFolder, keyOfSources());
  if (!existsSync(folder)) await build(folder);
  return folder;
}

/** Renamed into place: whoever finds it has the whole of it, also where several processes build at once. */
async function build(folder: string): Promise<void> {
  const unfinished = join(cacheFolder, `unfinished-${randomUUID()}`);
  try {
    await promisify(execFile)(process.execPath, [builder, unfinished], { cwd: root });
    renameSync(unfinished, folder);
  } catch (error) {
    rmSync(unfinished, { recursive: true, force: true });
    if (existsSync(folder)) return;
    const said = error instanceof Error && 'stderr' in error ? String(error.stderr).trim() : String(error);
    throw new Error(`npm ci installs what it needs (${said.split('\n').find((line) => line.includes('rror')) ?? said})`, { cause: error });
  }
  removeOld();
}

function removeOld(): void {
  const builds = readdirSync(cacheFolder).map((name) => ({ name, at: statSync(join(cacheFolder, name)).mtimeMs }));
  const byAge = builds.filter(({ name }) => !name.startsWith('unfinished')).toSorted((a, b) => b.at - a.at);
  for (const { name } of byAge.slice(keptBuilds)) rmSync(join(cacheFolder, name), { recursive: true, force: true });
}

function keyOfSources(): string {
  const hash = createHash('sha256');
  const add = (part: string): unknown => hash.update(`${part.length} ${part}`);
  for (const source of sources) {
    const path = join(root, source);
    const names = statSync(path).isDirectory() ? readdirSync(path, { recursive: true, encoding: 'utf8' }).toSorted() : [''];
    for (const file of names.map((name) => join(path, name)).filter((file) => statSync(file).isFile())) {
      add(file.slice(root.length));
      add(readFileSync(file, 'utf8'));
    }
  }
  return hash.digest('hex').slice(0, 32);
}
