/** A page in a real Chromium, driven over its own DevTools protocol. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { usualPatienceMs } from '../support/within.ts';

type Fields = Record<string, unknown>;

interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly result?: Fields;
  readonly error?: { readonly message: string };
}

/** So that a test that fails can put everything away before it is given up. */
const patienceMs = usualPatienceMs;

export interface Page extends AsyncDisposable {
  goto(url: string): Promise<void>;
  reload(): Promise<void>;
  /** The value of an expression in the page, promises awaited. Rejects with what it throws. */
  evaluate(expression: string): Promise<unknown>;
  /** Resolves once the expression is true; what it throws until then is not yet true. Rejects when it never is: a page cannot be waited for. */
  until(expression: string): Promise<void>;
}

export async function openPage(program: string): Promise<Page> {
  const profile = mkdtempSync(join(tmpdir(), 'turnkeep-chromium-'));
  const flags = ['--headless', '--remote-debugging-port=0', `--user-data-dir=${profile}`, '--no-first-run', '--disable-gpu'];
  // As root, as in containers, it has no sandbox to offer; it shows nothing but our own pages.
  if (process.getuid?.() === 0) flags.push('--no-sandbox');
  const child = spawn(program, [...flags, 'about:blank'], { stdio: ['ignore', 'ignore', 'pipe'] });
  const exited = once(child, 'exit');
  const socket = new WebSocket(await addressOf(child.stderr));
  await once(socket, 'open');

  let count = 0;
  const calls = new Map<number, (message: Message) => void>();
  const events = new Map<string, (() => void)[]>();
  socket.addEventListener('message', ({ data }) => {
    const message = JSON.parse(String(data)) as Message;
    if (message.id !== undefined) calls.get(message.id)?.(message);
    for (const tell of events.get(message.method ?? '')?.splice(0) ?? []) tell();
  });

  async function call(method: string, params: Fields = {}, sessionId?: unknown): Promise<Fields> {
    count += 1;
    const id = count;
    const answer = await new Promise<Message>((resolve) => {
      calls.set(id, resolve);
      socket.send(JSON.stringify({ id, method, params, sessionId }));
    });
    calls.delete(id);
    if (answer.error !== undefined) throw new Error(`${method}: ${answer.error.message}`);
    return answer.result ?? {};
  }

  const { targetId } = await call('Target.createTarget', { url: 'about:blank' });
  const { sessionId } = await call('Target.attachToTarget', { targetId, flatten: true });
  await call('Page.enable', {}, sessionId);

  async function load(method: string, params: Fields): Promise<void> {
    const loaded = new Promise<void>((resolve) => events.set('Page.loadEventFired', [resolve]));
    await call(method, params, sessionId);
    await loaded;
  }

  async function evaluate(expression: string): Promise<unknown> {
    const params = { expression, awaitPromise: true, returnByValue: true };
    const { result, exceptionDetails } = await call('Runtime.evaluate', params, sessionId);
    if (exceptionDetails !== undefined) throw new Error(`${expression}: ${JSON.stringify(exceptionDetails)}`);
    return (result as { readonly value?: unknown }).value;
  }

  return {
    goto: async (url) => load('Page.navigate', { url }),
    reload: async () => load('Page.reload', {}),
    evaluate,
    until: async (expression) => {
      const isTrue = await evaluate(`new Promise((resolve) => {
        const giveUp = setTimeout(() => resolve(false), ${patienceMs});
        const look = () => {
          try { if (${expression}) { clearTimeout(giveUp); return resolve(true); } } catch {}
          setTimeout(look, 10);
        };
        look();
      })`);
      if (isTrue === true) return;
      const seen = await evaluate('document.body.innerText');
      throw new Error(`${expression} did not come true; the page shows ${String(seen)}`);
    },
    async [Symbol.asyncDispose]() {
      // Asked, it ends its own children too; killed, it leaves them behind for a while.
      void call('Browser.close');
      await exited;
      socket.close();
      child.stderr.destroy();
      // Its own children may write a moment longer.
      rmSync(profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
    },
  };
}

async function addressOf(stderr: NodeJS.ReadableStream): Promise<string> {
  let said = '';
  for await (const line of createInterface({ input: stderr })) {
    said += `${line}\n`;
    const [, address] = /^DevTools listening on (\S+)/.exec(line) ?? [];
    if (address !== undefined) {
      stderr.resume();
      return address;
    }
  }
  throw new Error(`Chromium does not start:\n${said}`);
}
