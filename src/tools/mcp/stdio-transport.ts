/**
 * A server that is a child of this process. The SDK's own transport is not used: it knows no process groups, so that what a
 * server has started itself outlives it, and it copies a long message anew with each piece that arrives.
 */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import { getDefaultEnvironment } from '@modelcontextprotocol/sdk/client/stdio.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import { type JSONRPCMessage, JSONRPCMessageSchema } from '@modelcontextprotocol/sdk/types.js';
import { maxMessageBytes, MessageLines } from './message-lines.ts';

/** Between the end of a server's stdin, SIGTERM, and SIGKILL. */
const graceMs = 1_000;
/** What its output may take to end when it has: somebody outside of its group may hold it open. */
const outputGraceMs = 1_000;
const maxStderrBytes = 1_536;
/** Bytes that a server has not read: more than the calls that may run at once hold. */
const maxUnreadBytes = 2 * maxMessageBytes;

const hasGroups = process.platform !== 'win32';

/**
 * Kills a group when the pipe on its stdin ends, which only this process holds: a server must not outlive a worker, not even
 * its kill -9. The server's own stdin has ended too by then, and it gets two seconds to go by itself.
 */
const watchdogScript = 'read _; sleep 2; kill -s KILL -- "-$1"';

export interface StdioServer {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

export class StdioTransport implements Transport {
  onclose?: () => void;
  onerror?: (error: Error) => void;
  onmessage?: (message: JSONRPCMessage) => void;
  readonly #server: StdioServer;
  readonly #lines = new MessageLines();
  readonly #ended = Promise.withResolvers<void>();
  #child: ChildProcessByStdio<Writable, Readable, Readable> | undefined;
  #watchdog: ChildProcessByStdio<Writable, null, null> | undefined;
  #stderr = Buffer.alloc(0);
  #keepsStderr = true;
  #isEnded = false;
  #closing: Promise<void> | undefined;
  #end = 'ended';

  constructor(server: StdioServer) {
    this.#server = server;
  }

  get hasStarted(): boolean {
    return this.#child?.pid !== undefined;
  }

  /** How it ended, in words. */
  get end(): string {
    return this.#end;
  }

  /** The end of what the server has written to stderr before `forgetStderr`. */
  get stderrTail(): string {
    return this.#stderr.toString('utf8').trim();
  }

  /** What it writes from the first call on may be of any tenant's calls: it is read, so that the server goes on, and dropped. */
  forgetStderr(): void {
    this.#keepsStderr = false;
    this.#stderr = Buffer.alloc(0);
  }

  /** @throws it could not be started */
  async start(): Promise<void> {
    const { command, args, env } = this.#server;
    const child = spawn(command, args, {
      env: { ...getDefaultEnvironment(), ...env },
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: hasGroups,
      windowsHide: true,
    });
    this.#child = child;
    // Ends by themselves are told by `exit`.
    for (const stream of [child.stdin, child.stdout, child.stderr]) stream.on('error', () => {});
    child.stdout.on('data', (chunk: Buffer) => {
      this.#read(chunk);
    });
    child.stderr.on('data', (chunk: Buffer) => {
      if (this.#keepsStderr) this.#stderr = Buffer.from(Buffer.concat([this.#stderr, chunk]).subarray(-maxStderrBytes));
    });
    child.once('exit', (code, signal) => {
      if (this.#end === 'ended') this.#end = signal === null ? `ended with code ${code}` : `ended by ${signal}`;
      this.#killGroup('SIGKILL');
      // What it wrote last may still be on its way.
      const timer = setTimeout(() => {
        this.#finish();
      }, outputGraceMs);
      child.once('close', () => {
        clearTimeout(timer);
        this.#finish();
      });
    });
    try {
      await once(child, 'spawn');
    } catch (error) {
      this.#finish();
      throw error;
    }
    if (hasGroups && child.pid !== undefined) this.#watch(child.pid);
  }

  async send(message: JSONRPCMessage): Promise<void> {
    const stdin = this.#child?.stdin;
    if (stdin === undefined || this.#isEnded) throw new Error('it is not running');
    if (stdin.writableLength > maxUnreadBytes) throw new Error('it does not read what it is sent');
    const written = Promise.withResolvers<void>();
    stdin.write(`${JSON.stringify(message)}\n`, (error) => {
      // It is about to end, or of no more use: in either case its end is what a call is told.
      if (error != null) this.#killGroup('SIGKILL');
      written.resolve();
    });
    return written.promise;
  }

  /** Ends the server and whatever it has started; resolves when it is gone. */
  async close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    if (this.#child === undefined || this.#isEnded) return;
    this.#child.stdin.end();
    const term = setTimeout(() => {
      this.#killGroup('SIGTERM');
    }, graceMs);
    const kill = setTimeout(() => {
      this.#killGroup('SIGKILL');
    }, 2 * graceMs);
    await this.#ended.promise;
    clearTimeout(term);
    clearTimeout(kill);
  }

  #read(chunk: Buffer): void {
    for (const line of this.#lines.push(chunk)) {
      if (line.type === 'line') this.#receive(line.text);
      else if (line.id !== undefined) {
        const message = `the answer is longer than ${maxMessageBytes} bytes`;
        this.onmessage?.({ jsonrpc: '2.0', id: line.id, error: { code: -32_000, message } });
      } else if (!line.isNotification) {
        // Some call waits for it, and nobody knows which.
        this.#end = `ended: it wrote a line of more than ${maxMessageBytes} bytes`;
        this.#killGroup('SIGKILL');
      }
    }
  }

  #receive(text: string): void {
    let message: JSONRPCMessage;
    try {
      message = JSONRPCMessageSchema.parse(JSON.parse(text));
    } catch {
      // Many servers print to stdout what belongs to stderr.
      return;
    }
    this.onmessage?.(message);
  }

  #watch(pid: number): void {
    const watchdog = spawn('/bin/sh', ['-c', watchdogScript, 'turnkeep-watchdog', String(pid)], {
      env: { PATH: process.env['PATH'] },
      stdio: ['pipe', 'ignore', 'ignore'],
      detached: true,
    });
    // Without a shell the end of its stdin has to do.
    watchdog.once('error', () => {});
    watchdog.stdin.on('error', () => {});
    watchdog.unref();
    if ('unref' in watchdog.stdin && typeof watchdog.stdin.unref === 'function') watchdog.stdin.unref();
    this.#watchdog = watchdog;
  }

  #killGroup(signal: NodeJS.Signals): void {
    const pid = this.#child?.pid;
    if (pid === undefined) return;
    try {
      process.kill(hasGroups ? -pid : pid, signal);
    } catch {
      // Nobody is left in it.
    }
  }

  #finish(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#watchdog?.kill('SIGKILL');
    for (const stream of [this.#child?.stdin, this.#child?.stdout, this.#child?.stderr]) stream?.destroy();
    this.#ended.resolve();
    this.onclose?.();
  }
}
