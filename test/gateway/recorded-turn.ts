/** A turn's journal as the worker writes it, for translators to read. */
import { defaultSettings } from '../../src/domain/response/response-settings.ts';
import type { ModelDelta } from '../../src/domain/model.ts';
import { journalRowOf, type ResponseEvent } from '../../src/domain/response/response-event.ts';
import { newResponse } from '../../src/domain/response/response.ts';
import { ResponseStream } from '../../src/domain/response/response-stream.ts';
import { approvalAsked, callBegun, callEnded } from '../../src/domain/response/worker-call-events.ts';
import type { WorkerCall, WorkerCallEnd } from '../../src/domain/agents/worker-call.ts';
import type { TurnOutcome } from '../../src/domain/turn/turn-outcome.ts';
import { type SsePayload, startTranslation, type Translator } from '../../src/gateway/stream/encode.ts';

export const say = (text: string): ModelDelta => ({ type: 'text', text });
export const think = (text: string, item = ''): ModelDelta => ({ type: 'reasoning', text, item });
export const refuse = (text: string): ModelDelta => ({ type: 'refusal', text });
export const call = (item: string, name: string, text: string): ModelDelta => ({
  type: 'tool_call',
  item,
  callId: `call_${item}`,
  name,
  text,
});

export const completed: TurnOutcome = {
  status: 'completed',
  usage: {
    input_tokens: 3,
    input_tokens_details: { cached_tokens: 1 },
    output_tokens: 2,
    output_tokens_details: { reasoning_tokens: 1 },
    total_tokens: 5,
  },
};

/** The events of a turn; as read from the database, so that nothing but JSON gets through. */
export function recorded(deltas: readonly ModelDelta[], end: TurnOutcome): readonly ResponseEvent[] {
  const response = newResponse({ id: 'resp_ab', createdAtMs: 5_000, settings: defaultSettings('m'), session: null, previous: null });
  const opening = ResponseStream.open(response);
  const stream = ResponseStream.replay(opening);
  const events = [...opening, ...stream.begin(), ...deltas.flatMap((delta) => stream.write(delta)), ...stream.end(end, 9_000)];
  return JSON.parse(JSON.stringify(events)) as ResponseEvent[];
}

const workerCall = (step: number, name: string, at: string): WorkerCall => ({
  serverLabel: 'turnkeep',
  name,
  arguments: `{"at":"${at}"}`,
  origin: { call_id: `call_${at}`, step },
});

/** An agent's turn: it says something, calls two tools side by side, says more, and asks for the approval of a third. */
export function recordedAgent(): readonly ResponseEvent[] {
  const response = newResponse({ id: 'resp_ab', createdAtMs: 5_000, settings: defaultSettings('clerk'), session: null, previous: null });
  const opening = ResponseStream.open(response);
  const stream = ResponseStream.replay(opening);
  const begins = (name: string, at: string): readonly ResponseEvent[] =>
    stream.show((output) => callBegun(output, workerCall(1, name, at)));
  const ends = (index: number, end: WorkerCallEnd): readonly ResponseEvent[] =>
    stream.show(({ output }) => callEnded(output[index], index, end));
  const events = [
    ...opening,
    ...stream.begin(),
    ...stream.write(say('Wait.')),
    ...stream.endStep(),
    ...begins('look', 'a'),
    ...begins('look', 'b'),
    ...ends(2, { status: 'failed', message: 'Not there.' }),
    ...ends(1, { status: 'completed', output: '{"is":"there"}' }),
    ...stream.write(say('Found.')),
    ...stream.show((output) => approvalAsked(output, workerCall(2, 'drop', 'c'))),
    ...stream.end(completed, 9_000),
  ];
  return JSON.parse(JSON.stringify(events)) as ResponseEvent[];
}

export function translated<State>(translator: Translator<State>, events: readonly ResponseEvent[]): readonly SsePayload[] {
  return startTranslation(translator)(events.map(journalRowOf));
}
