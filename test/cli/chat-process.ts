/** `turnkeep chat` as a process that is fed through a pipe. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { within } from '../support/within.ts';

const root = join(import.meta.dirname, '../..');

export class ChatProcess {
  readonly child: ChildProcessWithoutNullStreams;
  stdout = '';
  stderr = '';
  readonly #closed: Promise<unknown>;
  readonly #watchers = new Set<() => void>();

  constructor(context: TestContext, args: readonly string[], env: NodeJS.ProcessEnv = {}) {
    const { PATH, HOME } = process.env;
    this.child = spawn(process.execPath, ['bin/turnkeep.js', 'chat', ...args], { cwd: root, env: { PATH, HOME, ...env } });
    this.#closed = once(this.child, 'close');
    this.child.stdout.setEncoding('utf8').on('data', (text: string) => this.#heard(() => (this.stdout += text)));
    this.child.stderr.setEncoding('utf8').on('data', (text: string) => this.#heard(() => (this.stderr += text)));
    this.child.once('close', () => this.#heard(() => undefined));
    context.after(() => this.child.kill('SIGKILL'));
  }

  say(...lines: string[]): this {
    for (const line of lines) this.child.stdin.write(`${line}\n`);
    return this;
  }

  /** Rejects when the process ends first. */
  async until(test: (chat: this) => boolean): Promise<void> {
    const held = new Promise<void>((resolve, reject) => {
      const look = (): void => {
        if (test(this)) resolve();
        else if (this.child.exitCode !== null) reject(new Error(`it ended before that:\n${this.stdout}\n${this.stderr}`));
        else return;
        this.#watchers.delete(look);
      };
      this.#watchers.add(look);
      look();
    });
    await within(`a chat of which ${String(test)} holds`, held, () => this.#words);
  }

  signal(name: NodeJS.Signals): void {
    this.child.kill(name);
  }

  /** No more messages; resolves with the exit code when the last is answered. */
  async finished(): Promise<number | null> {
    this.child.stdin.end();
    return this.ended();
  }

  /** The same, the pipe left open. */
  async ended(): Promise<number | null> {
    await within('the end of a chat', this.#closed, () => this.#words);
    return this.child.exitCode;
  }

  /** What it said beside the answers: without that a message waits, as it may while a worker has just been started. */
  get notes(): string {
    return this.stderr.replaceAll(/^· waits: .*\n/gm, '');
  }

  /** The session it says it leaves. */
  get session(): string {
    return /--session (\S+) goes on here/.exec(this.stderr)?.[1] ?? '';
  }

  get #words(): string {
    return `${this.stdout}\n${this.stderr}`;
  }

  #heard(take: () => unknown): void {
    take();
    for (const look of this.#watchers) look();
  }
}
