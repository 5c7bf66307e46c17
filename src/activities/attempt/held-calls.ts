/**
 * The calls of a step that a worker is to carry out: held back until the model has said all of them, since their arguments
 * decide whether somebody has to approve them first.
 */
import type { JsonObject, ProviderFields } from '../../domain/item.ts';
import { type ModelDelta, startsStep } from '../../domain/model.ts';
import type { Tool } from '../../domain/response/response-settings.ts';
import type { WorkerCall } from '../../domain/agents/worker-call.ts';
import { protocolError } from '../../providers/failures/model-failure.ts';
import { isWorkers } from '../../providers/openai/call-arguments.ts';
import { localServerLabel } from '../../tools/tool.ts';
import { namesOf } from './agents.ts';
import type { TurnTools } from '../../tools/turn-tools.ts';

/** Calls that a model may make in one step: more are a loop, and each is a run of a tool (T14). */
const maxCalls = 128;

type CallDelta = ModelDelta & { readonly type: 'tool_call' };

interface HeldCall {
  readonly callId: string;
  readonly name: string;
  text: string;
  fields: ProviderFields | undefined;
}

export class HeldCalls {
  readonly #tools: TurnTools;
  /** Names of the functions that the client carries out. */
  readonly clients: ReadonlySet<string>;
  readonly #step: number;
  readonly #held = new Map<string, HeldCall>();
  /** Something else has been said behind them. */
  #isPast = false;

  /** @param offered what the request brought: the client carries out calls of these itself */
  constructor(tools: TurnTools, offered: readonly Tool[], step: number) {
    this.#tools = tools;
    this.clients = new Set(offered.flatMap(namesOf));
    this.#step = step;
  }

  /** A call of something that nobody offered is the worker's as well: it tells the model so. */
  takes(delta: ModelDelta): delta is CallDelta {
    const isTaken =
      delta.type === 'tool_call' && delta.isCustom !== true && isWorkers({ ...delta.members, name: delta.name }, this.clients);
    if (startsStep(delta)) this.#isPast = !isTaken;
    return isTaken;
  }

  /** What is to be shown of a delta that is not taken: all of its call, where its namespace was told late and the rest was held back. */
  whole(delta: ModelDelta): ModelDelta {
    const held = delta.type === 'tool_call' ? this.#held.get(delta.item) : undefined;
    if (held === undefined || delta.type !== 'tool_call') return delta;
    this.#held.delete(delta.item);
    return { ...delta, text: held.text + delta.text };
  }

  /** @throws `ProviderError`, `provider_protocol`: there are too many of them */
  add({ item, callId, name, text, providerFields }: CallDelta): void {
    if (this.#held.size >= maxCalls && !this.#held.has(item)) throw protocolError('too_many_calls');
    const held = this.#held.get(item) ?? { callId, name, text: '', fields: undefined };
    held.text += text;
    if (providerFields !== undefined) held.fields = { ...held.fields, ...providerFields };
    this.#held.set(item, held);
  }

  /** Are there any that need nobody's approval? */
  get hasCallsToMake(): boolean {
    return [...this.#held.values()].some((held) => !this.#needsApproval(held));
  }

  /** All of them, as the model has said them. */
  take(): { readonly calls: readonly WorkerCall[]; readonly asks: readonly WorkerCall[] } {
    const all = Array.from(this.#held.values(), (held) => ({ call: this.#callOf(held), asks: this.#needsApproval(held) }));
    this.#held.clear();
    return { calls: all.flatMap(({ call, asks }) => (asks ? [] : [call])), asks: all.flatMap(({ call, asks }) => (asks ? [call] : [])) };
  }

  /** Those that the answer was cut off with, none of which is made (T8): none where it was cut off in what came behind them. */
  takeCutOff(): readonly WorkerCall[] {
    const calls = this.#isPast ? [] : Array.from(this.#held.values(), (held) => ({ ...this.#callOf(held), arguments: held.text }));
    this.#held.clear();
    return calls;
  }

  #callOf({ callId, name, text, fields }: HeldCall): WorkerCall {
    const tool = this.#tools.called(name);
    return {
      serverLabel: tool?.serverLabel ?? localServerLabel,
      name: tool?.name ?? name,
      arguments: text === '' ? '{}' : text,
      origin: {
        call_id: callId,
        step: this.#step,
        ...(tool === undefined || tool.name === name ? {} : { function: name }),
        ...(fields === undefined ? {} : { provider_fields: fields }),
      },
    };
  }

  /** What cannot run needs nobody's approval: the model is told what is wrong with it. */
  #needsApproval({ name, text }: HeldCall): boolean {
    const tool = this.#tools.called(name);
    const args = argumentsOf(text);
    if (tool === undefined || args === undefined) return false;
    try {
      return tool.check(args) === undefined && tool.needsApproval(args);
    } catch {
      // A check or a rule that cannot be asked does not let anything pass.
      return true;
    }
  }
}

function argumentsOf(text: string): JsonObject | undefined {
  if (text === '') return {};
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonObject) : undefined;
  } catch {
    return undefined;
  }
}
