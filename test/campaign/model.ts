/** The model of a campaign: does what the last words of a user order, and books each request with what is wrong with it. */
import {
  chat,
  done,
  end,
  fin,
  httpError,
  type LoggedRequest,
  reset,
  type Script,
  sseHead,
  stall,
  wait,
} from '../../src/testing/model-server/index.ts';
import type { ModelFault, Order } from './plan.ts';
import type { OperationLog } from './record.ts';

interface Message {
  readonly role: string;
  readonly content?: string | null | readonly { readonly text?: string }[];
  readonly tool_calls?: readonly { readonly id: string; readonly function: { readonly name: string; readonly arguments: string } }[];
  readonly tool_call_id?: string;
}

/** The words of a user: an order, and a secret that must be nowhere but in conversations. */
export function wordsOf(order: Order, secret: string): string {
  return JSON.stringify({ ...order, secret });
}

export function orderIn(text: string): Order {
  return JSON.parse(text) as Order;
}

export class CampaignModel {
  readonly #log: OperationLog;
  readonly #secret: string;
  readonly #asked = new Map<string, number>();
  #open: LoggedRequest[] = [];
  #prunedAt = 1_000;
  /** A fault of the model was played. */
  readonly #onFault: (kind: ModelFault, turn: string) => void;

  constructor(log: OperationLog, secret: string, onFault: (kind: ModelFault, turn: string) => void) {
    this.#log = log;
    this.#secret = secret;
    this.#onFault = onFault;
  }

  /** Requests whose responses have not ended. */
  get open(): readonly LoggedRequest[] {
    this.#open = this.#open.filter(({ endedAtMs }) => endedAtMs === undefined);
    return this.#open;
  }

  readonly reply = (asked: LoggedRequest): Script => {
    this.#open.push(asked);
    if (this.#open.length > this.#prunedAt) this.#prunedAt = 1_000 + 2 * this.open.length;
    const { messages } = asked.body as { readonly messages: readonly Message[] };
    const users = ordersIn(messages);
    const order = users.at(-1);
    if (order === undefined) throw new Error('a request without words of a user');
    const behind = messages.slice(messages.findLastIndex(({ role }) => role === 'user'));
    const step = 1 + behind.filter(({ tool_calls: calls }) => calls !== undefined).length;
    const key = `${order.turn} ${step}`;
    const nth = (this.#asked.get(key) ?? 0) + 1;
    this.#asked.set(key, nth);
    const said = users.map(({ turn }) => turn);
    this.#log.add({ op: 'request', turn: order.turn, step, nth, said, malformed: problemsOf(messages), tokens: order.tokens });
    return this.#script(order, step, nth);
  };

  #script(order: Order, step: number, nth: number): Script {
    const { turn, tokens, waitMs, toolSteps, tools, fault } = order;
    const says = Array.from({ length: tokens }, (_, at) => [chat.content(`${step}.${nth}.${at} `), wait(waitMs)]);
    const half = says.slice(0, Math.ceil(tokens / 2)).flat();
    const isFirst = step === 1 && fault !== undefined;
    if (isFirst && (nth <= fault.times || / after|truncated/.test(fault.kind))) {
      this.#onFault(fault.kind, turn);
      switch (fault.kind) {
        case 'reset before':
          return nth % 2 === 1 ? [reset] : [sseHead, chat.role(), wait(waitMs), reset];
        case 'busy':
          return httpError(nth % 2 === 1 ? 429 : 503, undefined, { 'retry-after': '1' });
        case 'stall before':
          return [sseHead, chat.role(), stall];
        case 'bare end':
          return [sseHead, chat.role(), end];
        case 'reset after':
          return [sseHead, chat.role(), ...half, reset];
        case 'stall after':
          return [sseHead, chat.role(), ...half, stall];
        case 'truncated':
          return [sseHead, chat.role(), ...half, nth % 2 === 1 ? end : fin];
        default:
          return fault.kind satisfies never;
      }
    }
    const usage = chat.usage(3, tokens);
    if (step > toolSteps) return [sseHead, chat.role(), ...says.flat(), chat.finish(), usage, done, end];
    const calls = tools.flatMap((name, index) => {
      const call = `${turn}-${step}-${name}`;
      const args = JSON.stringify({ call: `${call} ${this.#secret}` });
      return [chat.toolCall(index, { id: call, name, arguments: args.slice(0, 8) }), chat.toolCall(index, { arguments: args.slice(8) })];
    });
    return [sseHead, chat.role(), ...says.flat(), ...calls, chat.finish('tool_calls'), usage, done, end];
  }
}

/** Whose request it is, by the last words of a user. */
export function turnOf({ body }: LoggedRequest): string {
  return ordersIn((body as { readonly messages: readonly Message[] }).messages).at(-1)?.turn ?? '';
}

function ordersIn(messages: readonly Message[]): Order[] {
  return messages.filter(({ role }) => role === 'user').map((message) => orderIn(textOf(message)));
}

function textOf({ content }: Message): string {
  return typeof content === 'string' ? content : (content ?? []).map(({ text = '' }) => text).join('');
}

/** T13: what strict providers refuse. */
function problemsOf(messages: readonly Message[]): string[] {
  const problems: string[] = [];
  /** Calls without an output so far. */
  let open = new Set<string>();
  for (const { role, tool_calls: calls = [], tool_call_id: id = '' } of messages) {
    if (role === 'tool') {
      if (!open.delete(id)) problems.push(`an output of ${id}, which is not called, or has one already`);
      continue;
    }
    if (open.size > 0) problems.push(`no output of ${[...open].join(', ')} before the next message`);
    open = new Set(calls.map((call) => call.id));
    for (const call of calls) {
      try {
        JSON.parse(call.function.arguments);
      } catch {
        problems.push(`arguments of ${call.id} that are no JSON`);
      }
    }
  }
  if (open.size > 0) problems.push(`no output of ${[...open].join(', ')} at the end`);
  return problems;
}
