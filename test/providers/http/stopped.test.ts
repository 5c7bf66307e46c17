/** A process that stands still, as on a laptop that sleeps: its deadlines are past when it goes on, the answer is there. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { createInterface, type Interface } from 'node:readline';
import { test, type TestContext } from 'node:test';
import { chat, done, end, hold, type Script, sseHead, stall } from '../../../src/testing/model-server/index.ts';
import { serverFor } from '../support.ts';

const program = fileURLToPath(new URL('stopped-process.ts', import.meta.url));
const idleTimeoutMs = 300;

class Reader {
  readonly child: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  constructor(context: TestContext, baseUrl: string, timeoutMs: number, ...stops: readonly 'stops'[]) {
    this.child = spawn(process.execPath, [program, baseUrl, String(timeoutMs), ...stops], { stdio: ['ignore', 'pipe', 'inherit'] });
    context.after(() => this.child.kill('SIGKILL'));
    assert.ok(this.child.stdout);
    const lines: Interface = createInterface({ input: this.child.stdout });
    this.#lines = lines[Symbol.asyncIterator]();
  }

  async line(): Promise<unknown> {
    return (await this.#lines.next()).value;
  }
}

for (const [title, rest, lines] of [
  ['the rest of its answer is read, although the deadline is past', [chat.content('lo'), chat.finish(), done, end], ['lo', 'finished']],
  ['a piece that arrived counts, and the next one is waited for anew', [chat.content('lo'), stall], ['lo', 'model_timeout']],
  ['silence is still a timeout', [stall], ['model_timeout']],
] as const satisfies readonly (readonly [string, Script, readonly string[]])[]) {
  test(`a process stopped past a deadline while the model went on: ${title}`, { timeout: 60_000 }, async (context) => {
    const script = [sseHead, chat.content('Hel'), hold('stopped'), ...rest];
    const server = await serverFor(context, { fallback: script });
    const stopped = new Reader(context, server.baseUrl, idleTimeoutMs, 'stops');
    assert.deepEqual([await stopped.line(), await stopped.line()], ['Hel', 'stops']);
    // One that is not stopped tells when the other's deadline is past: its own is later.
    const silent = await serverFor(context, { fallback: [sseHead, chat.content('Hel'), stall] });
    const clock = new Reader(context, silent.baseUrl, 2 * idleTimeoutMs);
    assert.equal(await clock.line(), 'Hel');
    server.release('stopped');
    assert.equal(await clock.line(), 'model_timeout');
    stopped.child.kill('SIGCONT');
    const seen: unknown[] = [];
    while (seen.length < lines.length) seen.push(await stopped.line());
    assert.deepEqual(seen, lines);
  });
}
