/** A model of dice: it answers in text or with calls of tools, is busy, resets the connection and breaks off. */
import { failureOf } from '../../../src/domain/failure.ts';
import type { Item } from '../../../src/domain/item.ts';
import type { ModelDelta, ModelEvent, ModelRequest } from '../../../src/domain/model.ts';
import { unknownUsage } from '../../../src/domain/response/response.ts';
import { type Provider, type ProviderCallbacks, ProviderError } from '../../../src/providers/provider.ts';
import type { Process } from './process.ts';
import type { Schedule } from './schedule.ts';

/** What each answer that is whole is counted as. */
export const tokensPerAnswer = 5;
/** No turn has more. */
const mostSteps = 3;

export function providerOf(schedule: Schedule, process: Process): Provider {
  return {
    api: 'chat',
    stream: (request, signal, callbacks) => answer(schedule, process, request, { signal, callbacks: callbacks ?? {} }),
    countTokens: async () => undefined,
    listModels: async () => [],
    close: async () => undefined,
  };
}

async function* answer(
  schedule: Schedule,
  process: Process,
  request: ModelRequest,
  { signal, callbacks }: { readonly signal: AbortSignal; readonly callbacks: ProviderCallbacks },
): AsyncGenerator<ModelEvent> {
  const { dice, happened } = schedule;
  const wait = async (longestMs: number): Promise<void> => {
    await schedule.sleep(dice.upTo(longestMs), signal);
    await process.alive();
    signal.throwIfAborted();
  };
  await callbacks.beforeSend?.();
  await wait(100);
  if (callbacks.maySend?.() === false) {
    signal.throwIfAborted();
    throw new Error('kept back');
  }
  const turn = nameOf(request.items);
  const step = stepOf(turn, request.items);
  happened.push({ type: 'sent', turn, step, items: request.items });
  await wait(800);
  if (dice.isBelow(0.12)) throw new ProviderError({ ...failureOf('transport_failed'), detail: 'ECONNRESET' });
  if (dice.isBelow(0.06)) throw new ProviderError({ ...failureOf('provider_busy'), busy: { retryAfterMs: dice.upTo(3_000) } });
  for (const [index, delta] of deltasOf(schedule, turn, step, request).entries()) {
    yield { type: 'delta', delta };
    await wait(300);
    if (index === 0 && dice.isBelow(0.04)) throw new ProviderError(failureOf('stream_interrupted'));
  }
  yield { type: 'finish', finish: { status: 'completed' } };
  const usage = { ...unknownUsage, input_tokens: 10, output_tokens: tokensPerAnswer, total_tokens: 10 + tokensPerAnswer };
  callbacks.onUsage?.(usage);
  yield { type: 'usage', usage };
}

function deltasOf({ dice }: Schedule, turn: string, step: number, { settings }: ModelRequest): readonly ModelDelta[] {
  const says: ModelDelta = { type: 'text', text: `step ${step} of ${turn}` };
  const calls = (...names: readonly string[]): readonly ModelDelta[] =>
    names.flatMap((name, index) => {
      const callId = `${turn}-${step}-${index}`;
      const call = { type: 'tool_call', item: String(index), callId, name } as const;
      return [
        { ...call, text: '{"call":' },
        { ...call, text: `"${callId}"}` },
      ];
    });
  // Told that it may call no more tools, some call them all the same.
  const isToHeed = settings.tool_choice === 'none' && dice.isBelow(0.6);
  if (step >= mostSteps || isToHeed || dice.isBelow(0.25)) return [says, { ...says, text: '.' }];
  if (dice.isBelow(0.15)) return [says, ...calls('mail', 'once')];
  if (dice.isBelow(0.1)) return calls('yours', 'again');
  return [
    ...(dice.isBelow(0.5) ? [says] : []),
    ...calls(...Array.from({ length: 1 + dice.upTo(2) }, () => dice.oneOf(['once', 'again', 'none']))),
  ];
}

/** The user's last words are the name of the turn. */
function nameOf(items: readonly Item[]): string {
  const said = items.findLast((item) => item.type === 'message' && item.role === 'user');
  return said?.type === 'message' ? said.content.map((part) => ('text' in part ? part.text : '')).join('') : '';
}

/** Calls are `turn-step-number`. */
function stepOf(turn: string, items: readonly Item[]): number {
  const steps = items.flatMap((item) =>
    item.type === 'function_call' && item.call_id.startsWith(`${turn}-`) ? [Number(item.call_id.split('-').at(-2))] : [],
  );
  return Math.max(0, ...steps) + 1;
}
