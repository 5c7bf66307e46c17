/** The one client of an MCP server in a worker: started when it is first needed, started anew when it ended. */
import type { JsonObject } from '../../domain/item.ts';
import type { McpServer } from '../mcp-server.ts';
import type { ToolContext, ToolResult } from '../tool.ts';
import { McpConnection } from './connection.ts';
import { boundedWords, failureWords, isServersAnswer, isSessionLost, McpServerError, redactor } from './failure-words.ts';
import type { ListedTool } from './listed-tool.ts';
import { Slots } from './slots.ts';

/** Calls of one server at once. One tenant alone has half of them, which is what most servers serve. */
const maxCalls = 32;
/** A server that tells of no changes is asked again after this. */
const maxListAgeMs = 300_000;
/** Of all pages of a list: turns wait for it. Shorter than the SDK's time for one. */
const longestListMs = 20_000;
/** A list that took so long and did not come has had its turn waiting: the next ones do not wait until it has come. */
const slowMs = 2_000;
/** After that it is asked for again, beside them. */
const askedAgainMs = 30_000;
const longestRestartDelayMs = 60_000;

/** Of pino's, what is used here. */
export interface ToolLog {
  readonly info: (fields: object, message: string) => void;
  readonly warn: (fields: object, message: string) => void;
}

export interface ServerClientOptions {
  readonly log: ToolLog;
  /** Told to servers. */
  readonly version: string;
  /** A clock that does not jump, ms. */
  readonly now: () => number;
  /** How long a list may take, ms. */
  readonly listTimeoutMs?: number;
}

/** After so many ends without a call that was answered in between: the first start anew is at once. */
export function restartDelayMs(failures: number): number {
  return failures <= 1 ? 0 : Math.min(longestRestartDelayMs, 1_000 * 2 ** (failures - 2));
}

interface CachedList<T> {
  readonly tools: readonly T[];
  readonly readAtMs: number;
  /** A list that was read before the last change is out of date. */
  readonly version: number;
}

/** @template T what is made of the tools of a list, once a list */
export class ServerClient<T> implements AsyncDisposable {
  readonly #server: McpServer;
  readonly #options: ServerClientOptions;
  readonly #make: (tool: ListedTool) => T;
  readonly #redacted: (text: string) => string;
  readonly #slots = new Slots(maxCalls);
  readonly #disposal = new AbortController();
  readonly #connections = new Set<McpConnection>();
  #current: McpConnection | undefined;
  #opening: Promise<McpConnection> | undefined;
  #list: CachedList<T> | undefined;
  #listing: Promise<readonly T[]> | undefined;
  /** The last list was waited for in vain: why, and when it is asked for again. */
  #hung: { readonly error: McpServerError; readonly againAtMs: number } | undefined;
  #listVersion = 0;
  #failures = 0;
  #notBeforeMs = 0;
  #lastWords = '';

  constructor(server: McpServer, make: (tool: ListedTool) => T, options: ServerClientOptions) {
    this.#server = server;
    this.#make = make;
    this.#options = options;
    this.#redacted = redactor(server);
  }

  /**
   * The tools of its list, which is asked for only when it changed, is old, or the server was started anew. Where it was waited for
   * in vain the turns behind that have the list before, or the error, at once, until it has come.
   * @throws {McpServerError} in words
   */
  async tools(signal: AbortSignal): Promise<readonly T[]> {
    this.#disposal.signal.throwIfAborted();
    const list = this.#list;
    if (list?.version === this.#listVersion && this.#options.now() - list.readAtMs < maxListAgeMs) return list.tools;
    const hung = this.#hung;
    if (hung === undefined || this.#options.now() >= hung.againAtMs) {
      this.#listing ??= this.#readList().finally(() => {
        this.#listing = undefined;
      });
    }
    if (hung === undefined && this.#listing !== undefined) return abandonable(this.#listing, signal);
    this.#listing?.catch(() => {});
    if (list !== undefined) return list.tools;
    throw hung?.error ?? new McpServerError(this.#lastWords);
  }

  /** Room for a call of this tenant, which is waited for as long as the signal lets it. @returns gives it back */
  async room(tenant: string, signal: AbortSignal): Promise<() => void> {
    return this.#slots.take(tenant, signal);
  }

  /**
   * Whoever calls has room for it.
   * @param signal cancels the call at the server too
   * @throws {McpServerError} the server is gone or did not answer: whether the call was run is not known
   */
  async call(name: string, args: JsonObject, context: Pick<ToolContext, 'signal' | 'progress' | 'traceparent'>): Promise<ToolResult> {
    const result = await this.#ask(context.signal, async (connection) => connection.call(name, args, context));
    this.#failures = 0;
    return result.type === 'error' ? { type: 'error', message: this.#redacted(result.message) } : result;
  }

  /** Ends what runs; resolves when no process is left. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposal.abort(new McpServerError(`the server "${this.#server.name}" is being closed`));
    await this.#opening?.catch(() => {});
    await Promise.all([...this.#connections].map(async (connection) => connection.close()));
  }

  async #readList(): Promise<readonly T[]> {
    const { signal } = this.#disposal;
    const { now, log, listTimeoutMs = longestListMs } = this.#options;
    const { name } = this.#server;
    const begunAtMs = now();
    let limit: AbortSignal | undefined;
    try {
      const tools = await this.#ask(signal, async (connection) => {
        const version = this.#listVersion;
        // A server that is started for it may take longer than that to be there.
        limit = AbortSignal.timeout(listTimeoutMs);
        const { tools, leftOut } = await connection.tools(AbortSignal.any([signal, limit]));
        if (leftOut > 0) log.warn({ mcpServer: name, leftOut }, 'an MCP server lists tools that cannot be used');
        this.#list = { tools: tools.map(this.#make), readAtMs: now(), version };
        return this.#list.tools;
      });
      this.#hung = undefined;
      return tools;
    } catch (thrown) {
      const isLate = limit?.aborted === true && !signal.aborted;
      const error = isLate ? new McpServerError(`the server "${name}" did not list its tools in time`) : thrown;
      const isSlow = isLate || now() - begunAtMs >= slowMs;
      this.#hung = isSlow && error instanceof McpServerError ? { error, againAtMs: now() + askedAgainMs } : undefined;
      if (!isLate || this.#list === undefined) throw error;
      log.warn({ mcpServer: name }, 'an MCP server did not list its tools in time: the list before is used');
      return this.#list.tools;
    }
  }

  /** A server that no longer knows the session has done nothing: it is asked once more, in a new one. */
  async #ask<R>(signal: AbortSignal, question: (connection: McpConnection) => Promise<R>): Promise<R> {
    for (let isSecond = false; ; isSecond = true) {
      const connection = await abandonable(this.#connected(), signal);
      try {
        return await question(connection);
      } catch (error) {
        signal.throwIfAborted();
        if (isSecond || !isSessionLost(error)) throw this.#failureOf(error, connection);
        this.#drop(connection);
      }
    }
  }

  async #connected(): Promise<McpConnection> {
    this.#disposal.signal.throwIfAborted();
    if (this.#current?.isEnded === false) return this.#current;
    this.#opening ??= this.#open().finally(() => {
      this.#opening = undefined;
    });
    return this.#opening;
  }

  async #open(): Promise<McpConnection> {
    if (this.#options.now() < this.#notBeforeMs) throw new McpServerError(this.#lastWords);
    let opened: McpConnection | undefined;
    const events = {
      onListChanged: (): void => {
        this.#listVersion += 1;
      },
      onEnd: (): void => {
        if (opened !== undefined) this.#ended(opened);
      },
    };
    try {
      opened = await McpConnection.open(this.#server, this.#options.version, events, this.#disposal.signal);
    } catch (error) {
      throw this.#failed(failureWords(error));
    }
    this.#connections.add(opened);
    this.#current = opened;
    if (opened.isEnded) this.#ended(opened);
    return opened;
  }

  #ended(connection: McpConnection): void {
    this.#connections.delete(connection);
    if (this.#current !== connection) return;
    this.#leave();
    if (!this.#disposal.signal.aborted) this.#failed(connection.end);
  }

  /** Its end is ours, and no failure. */
  #drop(connection: McpConnection): void {
    if (this.#current === connection) this.#leave();
    void connection.close();
  }

  /** Started anew, the server may list others. */
  #leave(): void {
    this.#current = undefined;
    this.#listVersion += 1;
  }

  #failed(words: string): McpServerError {
    this.#failures += 1;
    this.#notBeforeMs = this.#options.now() + restartDelayMs(this.#failures);
    this.#lastWords = this.#told(`the server "${this.#server.name}" ${words}`);
    return new McpServerError(this.#lastWords);
  }

  #told(words: string): string {
    return boundedWords(this.#redacted(words));
  }

  #failureOf(error: unknown, connection: McpConnection): McpServerError {
    if (error instanceof McpServerError) return error;
    if (this.#disposal.signal.aborted) return this.#disposal.signal.reason as McpServerError;
    const { name } = this.#server;
    if (connection.isEnded) return new McpServerError(this.#told(`the server "${name}" ${connection.end}`));
    const words = failureWords(error);
    return new McpServerError(this.#told(isServersAnswer(error) ? words : `the server "${name}": ${words}`));
  }
}

/** Waits no longer than the signal; what is waited for goes on, for others wait too. */
async function abandonable<T>(awaited: Promise<T>, signal: AbortSignal): Promise<T> {
  awaited.catch(() => {});
  signal.throwIfAborted();
  const { promise, reject } = Promise.withResolvers<never>();
  const onAbort = (): void => {
    reject(signal.reason);
  };
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([awaited, promise]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
