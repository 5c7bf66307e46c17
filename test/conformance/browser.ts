/** Pages in a real Chromium, driven over its own DevTools protocol. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { usualPatienceMs } from '../support/within.ts';

type Fields = Record<string, unknown>;

interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly params?: Fields;
  readonly sessionId?: string;
  readonly result?: Fields;
  readonly error?: { readonly message: string };
}

/** So that a test that fails can put everything away before it is given up. */
const patienceMs = usualPatienceMs;

export interface Page extends AsyncDisposable {
  /** The addresses of everything that it asked for. */
  readonly requests: readonly string[];
  /** What the browser complains of: exceptions, errors in the console, violations of a content security policy. */
  readonly complaints: readonly string[];
  goto(url: string): Promise<void>;
  reload(): Promise<void>;
  /** The value of an expression in the page, promises awaited. Rejects with what it throws. */
  evaluate(expression: string): Promise<unknown>;
  /** Resolves once the expression is true; what it throws until then is not yet true. Rejects when it never is: a page cannot be waited for. */
  until(expression: string): Promise<void>;
  /** Types into what has the focus, as a keyboard does. */
  type(text: string): Promise<void>;
  /** @param key as `KeyboardEvent` names it, such as `Enter` or `?` */
  press(key: string): Promise<void>;
  /** A PNG of what is seen. */
  screenshot(path: string): Promise<void>;
}

export interface PageLook {
  readonly width?: number;
  readonly height?: number;
  readonly colorScheme?: 'light' | 'dark';
}

export interface Browser extends AsyncDisposable {
  /** A page with cookies and storage of its own. */
  newPage(look?: PageLook): Promise<Page>;
}

/** A browser with one page; both end together. */
export async function openPage(program: string): Promise<Page> {
  const browser = await openBrowser(program);
  const page = await browser.newPage();
  return { ...page, [Symbol.asyncDispose]: () => browser[Symbol.asyncDispose]() };
}

export async function openBrowser(program: string): Promise<Browser> {
  const profile = mkdtempSync(join(tmpdir(), 'turnkeep-chromium-'));
  const flags = ['--headless', '--remote-debugging-port=0', `--user-data-dir=${profile}`, '--no-first-run', '--disable-gpu'];
  // As root, as in containers, it has no sandbox to offer; it shows nothing but our own pages.
  if (process.getuid?.() === 0) flags.push('--no-sandbox');
  const child = spawn(program, [...flags, 'about:blank'], { stdio: ['ignore', 'ignore', 'pipe'] });
  const exited = once(child, 'exit');
  const connection = await DevTools.connect(await addressOf(child.stderr));
  return {
    newPage: (look) => newPage(connection, look),
    async [Symbol.asyncDispose]() {
      // Asked, it ends its own children too; killed, it leaves them behind for a while.
      void connection.call('Browser.close');
      await exited;
      connection.close();
      child.stderr.destroy();
      // Its own children may write a moment longer.
      rmSync(profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
    },
  };
}

/** The browser's DevTools protocol, over one socket for all of its pages. */
class DevTools {
  readonly #socket: WebSocket;
  #count = 0;
  readonly #calls = new Map<number, (message: Message) => void>();
  readonly #listeners = new Set<(message: Message) => void>();

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.addEventListener('message', ({ data }) => {
      const message = JSON.parse(String(data)) as Message;
      if (message.id === undefined) for (const listener of this.#listeners) listener(message);
      else this.#calls.get(message.id)?.(message);
    });
  }

  static async connect(address: string): Promise<DevTools> {
    const socket = new WebSocket(address);
    await once(socket, 'open');
    return new DevTools(socket);
  }

  async call(method: string, params: Fields = {}, sessionId?: unknown): Promise<Fields> {
    this.#count += 1;
    const id = this.#count;
    const answer = await new Promise<Message>((resolve) => {
      this.#calls.set(id, resolve);
      this.#socket.send(JSON.stringify({ id, method, params, sessionId }));
    });
    this.#calls.delete(id);
    if (answer.error !== undefined) throw new Error(`${method}: ${answer.error.message}`);
    return answer.result ?? {};
  }

  /** @returns what ends it */
  listen(sessionId: unknown, listener: (method: string, params: Fields) => void): () => void {
    const listen = (message: Message): void => {
      if (message.sessionId === sessionId) listener(message.method ?? '', message.params ?? {});
    };
    this.#listeners.add(listen);
    return () => this.#listeners.delete(listen);
  }

  close(): void {
    this.#socket.close();
  }
}

async function newPage(connection: DevTools, { width = 1_280, height = 800, colorScheme = 'light' }: PageLook = {}): Promise<Page> {
  const { browserContextId } = await connection.call('Target.createBrowserContext');
  const { targetId } = await connection.call('Target.createTarget', { url: 'about:blank', browserContextId });
  const { sessionId } = await connection.call('Target.attachToTarget', { targetId, flatten: true });
  const call = (method: string, params?: Fields): Promise<Fields> => connection.call(method, params, sessionId);

  const requests: string[] = [];
  const complaints: string[] = [];
  let onLoad: (() => void) | undefined;
  const stop = connection.listen(sessionId, (method, params) => {
    if (method === 'Page.loadEventFired') onLoad?.();
    if (method === 'Network.requestWillBeSent') requests.push((params['request'] as { readonly url: string }).url);
    if (method === 'Runtime.exceptionThrown') complaints.push(JSON.stringify(params['exceptionDetails']));
    if (method === 'Log.entryAdded') {
      const { level, source, text } = params['entry'] as { readonly level: string; readonly source: string; readonly text: string };
      if (level === 'error' || source === 'security') complaints.push(`${source}: ${text}`);
    }
    if (method === 'Runtime.consoleAPICalled' && params['type'] === 'error') complaints.push(JSON.stringify(params['args']));
  });
  await Promise.all(['Page.enable', 'Network.enable', 'Runtime.enable', 'Log.enable'].map((method) => call(method)));
  await call('Emulation.setDeviceMetricsOverride', { width, height, deviceScaleFactor: 1, mobile: false });
  await call('Emulation.setEmulatedMedia', { features: [{ name: 'prefers-color-scheme', value: colorScheme }] });

  async function load(method: string, params: Fields): Promise<void> {
    const loaded = new Promise<void>((resolve) => (onLoad = resolve));
    const { loaderId } = await call(method, params);
    // Another fragment of the same document is not loaded.
    if (method === 'Page.reload' || loaderId !== undefined) await loaded;
  }

  async function evaluate(expression: string): Promise<unknown> {
    const params = { expression, awaitPromise: true, returnByValue: true };
    const { result, exceptionDetails } = await call('Runtime.evaluate', params);
    if (exceptionDetails !== undefined) throw new Error(`${expression}: ${JSON.stringify(exceptionDetails)}`);
    return (result as { readonly value?: unknown }).value;
  }

  return {
    requests,
    complaints,
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
      throw new Error(
        `${expression} did not come true; the page shows ${String(seen)}; it complains of ${complaints.join(', ') || 'nothing'}`,
      );
    },
    type: async (text) => void (await call('Input.insertText', { text })),
    press: async (key) => {
      const keys: Fields = {
        key,
        ...(key === 'Enter' ? { code: 'Enter', windowsVirtualKeyCode: 13, text: '\r' } : key.length === 1 ? { text: key } : {}),
      };
      await call('Input.dispatchKeyEvent', { type: 'keyDown', ...keys });
      await call('Input.dispatchKeyEvent', { type: 'keyUp', key });
    },
    screenshot: async (path) => {
      const { data } = await call('Page.captureScreenshot', { format: 'png' });
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, Buffer.from(String(data), 'base64'));
    },
    async [Symbol.asyncDispose]() {
      stop();
      await connection.call('Target.disposeBrowserContext', { browserContextId });
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
