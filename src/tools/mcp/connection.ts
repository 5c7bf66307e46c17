/** One connection to an MCP server, from its handshake to its end. */
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { type Progress, ToolListChangedNotificationSchema } from '@modelcontextprotocol/sdk/types.js';
import { z } from 'zod';
import type { JsonObject } from '../../domain/item.ts';
import type { McpServer } from '../mcp-server.ts';
import type { ToolContext, ToolResult } from '../tool.ts';
import { failureWords, McpServerError } from './failure-words.ts';
import { HttpTransport } from './http-transport.ts';
import { type ListedTool, readListedTool } from './listed-tool.ts';
import { toolResultOf } from './result-text.ts';
import { StdioTransport } from './stdio-transport.ts';

/** Of the handshake and of a page of a list. `npx` may have to fetch the server first. */
const answerTimeoutMs = 30_000;
/** The SDK's clock, which a call does not need: whoever runs the tool has one. A timer holds no more. */
const neverMs = 2_147_483_647;
const maxPages = 50;
const maxTools = 512;
const maxProgressChars = 500;

/** The SDK's own schemas refuse a whole list for one tool in it, and a result for one part: ours is read part by part. */
const anyObject = z.looseObject({});
const listPage = z.looseObject({ tools: z.array(z.unknown()), nextCursor: z.string().optional() });

export interface ConnectionEvents {
  /** Once, however it ends. */
  readonly onEnd: () => void;
  readonly onListChanged: () => void;
}

export class McpConnection {
  readonly #client: Client;
  readonly #transport: StdioTransport | HttpTransport;
  #isEnded = false;

  private constructor(client: Client, transport: StdioTransport | HttpTransport) {
    this.#client = client;
    this.#transport = transport;
  }

  /** @throws {McpServerError} the server could not be started or reached, or does not speak the protocol */
  static async open(
    server: McpServer,
    version: string,
    events: ConnectionEvents,
    signal: AbortSignal,
    timeoutMs = answerTimeoutMs,
  ): Promise<McpConnection> {
    const transport = 'url' in server ? new HttpTransport(server) : new StdioTransport(server);
    // No capabilities: it is told that nobody here answers for a user, lends it a model or has files.
    const client = new Client({ name: 'turnkeep', version }, { capabilities: {} });
    const connection = new McpConnection(client, transport);
    client.onclose = () => {
      connection.#isEnded = true;
      events.onEnd();
    };
    client.setNotificationHandler(ToolListChangedNotificationSchema, events.onListChanged);
    try {
      await withOwnSignal(signal, async (signal) =>
        withinTime(client.connect(transport, { signal, timeout: timeoutMs }), signal, timeoutMs),
      );
    } catch (error) {
      const isStdio = transport instanceof StdioTransport;
      const words = isStdio && connection.#isEnded && transport.hasStarted ? `it ${transport.end}` : failureWords(error);
      const tail = isStdio && transport.stderrTail !== '' ? `; its last words: ${transport.stderrTail}` : '';
      await transport.close();
      throw new McpServerError(`could not be ${isStdio ? 'started' : 'reached'}: ${words}${tail}`);
    }
    if (transport instanceof StdioTransport) transport.forgetStderr();
    return connection;
  }

  get isEnded(): boolean {
    return this.#isEnded;
  }

  /** How it ended, in words. */
  get end(): string {
    return this.#transport.end;
  }

  /** @returns what cannot be used is counted, not listed */
  async tools(signal: AbortSignal): Promise<{ readonly tools: readonly ListedTool[]; readonly leftOut: number }> {
    if (this.#client.getServerCapabilities()?.tools === undefined) return { tools: [], leftOut: 0 };
    const tools = new Map<string, ListedTool>();
    let leftOut = 0;
    let cursor: string | undefined;
    for (let page = 0; page < maxPages; page += 1) {
      const params = cursor === undefined ? {} : { cursor };
      const answer = await withOwnSignal(signal, async (signal) =>
        this.#client.request({ method: 'tools/list', params }, listPage, { signal, timeout: answerTimeoutMs }),
      );
      for (const value of answer.tools) {
        const tool = readListedTool(value);
        if (tool === undefined || tools.has(tool.name) || tools.size === maxTools) leftOut += 1;
        else tools.set(tool.name, tool);
      }
      cursor = answer.nextCursor;
      if (cursor === undefined || tools.size === maxTools) break;
    }
    return { tools: [...tools.values()], leftOut };
  }

  /** @throws what the SDK, the transport or the server's protocol says; an error of the tool itself is a result */
  async call(name: string, args: JsonObject, context: Pick<ToolContext, 'signal' | 'progress' | 'traceparent'>): Promise<ToolResult> {
    const { signal, progress: onProgress, traceparent } = context;
    const meta = traceparent === undefined ? {} : { _meta: { traceparent } };
    const answer = await withOwnSignal(signal, async (signal) =>
      this.#client.request({ method: 'tools/call', params: { name, arguments: { ...args }, ...meta } }, anyObject, {
        signal,
        timeout: neverMs,
        onprogress: (progress) => {
          onProgress(progressWords(progress));
        },
      }),
    );
    return toolResultOf(answer as JsonObject);
  }

  /** Resolves when nothing of it is left: no process, no socket. */
  async close(): Promise<void> {
    await this.#transport.close();
  }
}

/** The SDK listens to a signal for good, and would cancel what has long been answered. */
async function withOwnSignal<T>(signal: AbortSignal, ask: (own: AbortSignal) => Promise<T>): Promise<T> {
  signal.throwIfAborted();
  const own = new AbortController();
  const onAbort = (): void => {
    // The reason is not told to the server: it may have words of a user.
    own.abort('The request was cancelled.');
  };
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await ask(own.signal);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

/**
 * The SDK's time and signal are those of the first message of a handshake alone: its second is a request over HTTP, which a
 * server may leave without an answer. Who gives up closes the transport, and so ends what is waited for.
 */
async function withinTime(awaited: Promise<void>, signal: AbortSignal, timeoutMs: number): Promise<void> {
  awaited.catch(() => {});
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    reject(new McpServerError('it did not answer in time'));
  }, timeoutMs);
  const onAbort = (): void => {
    reject(new McpServerError(String(signal.reason)));
  };
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    await Promise.race([awaited, promise]);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', onAbort);
  }
}

function progressWords({ progress, total, message }: Progress): string {
  const amount = total === undefined ? String(progress) : `${progress} of ${total}`;
  return (message === undefined || message === '' ? amount : message).slice(0, maxProgressChars);
}
