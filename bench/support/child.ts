/** A process of its own that answers calls: what is measured must not share its CPU with what measures. */
import { fork } from 'node:child_process';
import { once } from 'node:events';

type Handlers = Readonly<Record<string, (argument: never) => unknown>>;

interface Ask {
  readonly id: number;
  readonly name: string;
  readonly argument: unknown;
}

interface Answer {
  readonly id: number;
  readonly result?: unknown;
  readonly error?: string;
}

/** The other end of `Child`, to be called once in the child. It ends when its parent does. */
export function serveCalls(handlers: Handlers): void {
  process.on('message', (ask: Ask) => {
    const answer = async (): Promise<unknown> => {
      const handler = handlers[ask.name];
      if (handler === undefined) throw new Error(`no such call: ${ask.name}`);
      return handler(ask.argument as never);
    };
    // A parent that is gone wants no answer.
    const send = (message: Answer): void => void process.send?.(message, undefined, undefined, () => undefined);
    answer().then(
      (result) => send({ id: ask.id, result }),
      (error: unknown) => send({ id: ask.id, error: error instanceof Error ? error.message : String(error) }),
    );
  });
  process.once('disconnect', () => process.exit());
}

export interface ChildOptions {
  /** For Node. */
  readonly flags?: readonly string[];
  /** Over our own environment. */
  readonly env?: Readonly<Record<string, string>>;
}

export class Child implements AsyncDisposable {
  readonly #process: ReturnType<typeof fork>;
  readonly #waiting = new Map<number, { readonly resolve: (value: unknown) => void; readonly reject: (error: Error) => void }>();
  #count = 0;

  /** @param program a file of this folder */
  constructor(program: string, { flags = [], env = {} }: ChildOptions = {}) {
    this.#process = fork(`${import.meta.dirname}/../${program}`, [], {
      serialization: 'advanced',
      execArgv: ['--disable-warning=ExperimentalWarning', ...flags],
      env: { ...process.env, ...env },
      // stdout is for the table.
      stdio: ['ignore', 2, 2, 'ipc'],
    });
    this.#process.on('message', ({ id, result, error }: Answer) => {
      const waiter = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (error === undefined) waiter?.resolve(result);
      else waiter?.reject(new Error(`${program}: ${error}`));
    });
    this.#process.once('exit', (code) => {
      for (const { reject } of this.#waiting.values()) reject(new Error(`${program} ended with ${code}`));
    });
  }

  get pid(): number {
    return this.#process.pid ?? Number.NaN;
  }

  async call<T = void>(name: string, argument?: unknown): Promise<T> {
    const id = (this.#count += 1);
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    this.#waiting.set(id, { resolve, reject });
    this.#process.send({ id, name, argument } satisfies Ask);
    return (await promise) as T;
  }

  /** Ends it, gently if it has a call `close`. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const exited = once(this.#process, 'exit');
    const patience = setTimeout(() => this.#process.kill('SIGKILL'), 10_000);
    await this.call('close').catch(() => undefined);
    if (this.#process.connected) this.#process.disconnect();
    await exited;
    clearTimeout(patience);
  }
}
