/** A process of its own writes into a FIFO, that is read late, or not, or by nobody, and into a full disk. */
import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test, type TestContext } from 'node:test';
import { setImmediate as nextTick } from 'node:timers/promises';
import { folderOf } from './folder.ts';

const lineBytes = 1_000;
const module = new URL('../../src/cli/log-destination.ts', import.meta.url).href;

/**
 * For each number that it gets, the child writes so many numbered lines, and says so once the pipe has taken them or is full:
 * it has one thread for files, which a look at a directory shares with the write of a line, in turns.
 */
const script = `
  import { stat } from 'node:fs/promises';
  import { createInterface } from 'node:readline';
  const { LogDestination } = await import(${JSON.stringify(module)});
  process.stderr.on('error', () => {});
  const log = new LogDestination({ fd: 2, maxWaitingBytes: 20_000, droppedLine: (count) => 'dropped ' + count });
  process.once('exit', () => log.flushSync());
  let next = 0;
  for await (const line of createInterface({ input: process.stdin })) {
    const count = Number(line);
    for (let left = count; left > 0; left -= 1) log.write(String(next++).padEnd(${lineBytes - 1}, '.') + '\\n');
    for (let looks = count + 2; looks > 0; looks -= 1) await stat('/');
    setTimeout(() => setTimeout(() => process.stdout.write('done\\n')));
  }
`;

class Writer {
  readonly child: ChildProcess;
  readonly #done: AsyncIterator<string>;

  constructor(context: TestContext, stderr: number) {
    this.child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['pipe', 'pipe', stderr],
      env: { ...process.env, UV_THREADPOOL_SIZE: '1' },
    });
    context.after(() => this.child.kill('SIGKILL'));
    assert.ok(this.child.stdout);
    this.#done = createInterface({ input: this.child.stdout })[Symbol.asyncIterator]();
  }

  async write(count: number): Promise<void> {
    this.child.stdin?.write(`${count}\n`);
    assert.deepEqual(await this.#done.next(), { done: false, value: 'done' });
  }

  /** Its exit code. */
  async end(): Promise<unknown> {
    this.child.stdin?.end();
    const [code]: unknown[] = await once(this.child, 'exit');
    return code;
  }
}

function fifoOf(context: TestContext): string {
  const path = join(folderOf(context), 'stderr');
  execFileSync('mkfifo', [path]);
  return path;
}

/** Reads until what came ends with a line that `isLast`. Lines are shortened to their number or their words. */
async function linesFrom(fd: number, isLast: (line: string) => boolean): Promise<string[]> {
  const buffer = Buffer.alloc(65_536);
  for (let text = ''; ; await nextTick()) {
    try {
      text += buffer.toString('utf8', 0, readSync(fd, buffer));
    } catch (error) {
      assert.equal((error as NodeJS.ErrnoException).code, 'EAGAIN');
    }
    const lines = text.split('\n').map((line) => line.replace(/\.+$/, ''));
    if (text.endsWith('\n') && isLast(lines.at(-2) ?? '')) return lines.slice(0, -1);
  }
}

const readEnd = constants.O_RDONLY | constants.O_NONBLOCK;

test('a log that nobody reads holds up nothing; its reader then gets the first lines, how many were dropped, and the next ones', async (context) => {
  const path = fifoOf(context);
  const reader = openSync(path, readEnd);
  const end = openSync(path, 'w');
  const writer = new Writer(context, end);
  closeSync(end);
  for (let written = 0; written < 2_000; written += 10) await writer.write(10);
  const before = await linesFrom(reader, (line) => line.startsWith('dropped'));
  await writer.write(1);
  assert.deepEqual(await linesFrom(reader, (line) => line === '2000'), ['2000']);
  const dropped = Number(before.pop()?.split(' ')[1]);
  assert.deepEqual(
    before,
    before.map((_, index) => String(index)),
  );
  assert.equal(before.length + dropped, 2_000);
  assert.ok(before.length < 200, `${before.length} lines were kept: a pipe and the buffer`);
  assert.equal(await writer.end(), 0);
  closeSync(reader);
});

test('a log whose reader is gone says to the next one how many lines it has missed', async (context) => {
  const path = fifoOf(context);
  const first = openSync(path, readEnd);
  const end = openSync(path, 'w');
  const writer = new Writer(context, end);
  await writer.write(2);
  assert.deepEqual(await linesFrom(first, (line) => line === '1'), ['0', '1']);
  closeSync(first);
  await writer.write(3);
  const second = openSync(path, readEnd);
  await writer.write(1);
  const lines = await linesFrom(second, (line) => line === '5');
  assert.deepEqual(lines, ['dropped 3', '5']);
  assert.equal(await writer.end(), 0);
  for (const fd of [second, end]) closeSync(fd);
});

test('a log on a full disk costs lines, and the process nothing', { skip: process.platform !== 'linux' }, async (context) => {
  const full = openSync('/dev/full', 'w');
  const writer = new Writer(context, full);
  closeSync(full);
  await writer.write(100);
  await writer.write(100);
  assert.equal(await writer.end(), 0);
});

test('the last lines of a process that ends are written, and a full pipe does not keep it from its end', async (context) => {
  const path = fifoOf(context);
  const reader = openSync(path, readEnd);
  const end = openSync(path, 'w');
  const writer = new Writer(context, end);
  closeSync(end);
  await writer.write(5);
  writer.child.stdin?.write('5\n');
  assert.equal(await writer.end(), 0);
  assert.equal((await linesFrom(reader, (line) => line === '9')).length, 10);
  const second = openSync(path, 'w');
  const stuck = new Writer(context, second);
  closeSync(second);
  await stuck.write(1_000);
  assert.equal(await stuck.end(), 0);
  closeSync(reader);
});
