/**
 * Compacts what a request shows: by the provider, where its server has an endpoint for that, else by asking the model for a
 * summary. The answer is one item of the type `compaction`, whoever has made it.
 */
import { longestSummary, sealSummary, summaryRequest } from '../../domain/prompt/compaction.ts';
import type { JsonObject } from '../../domain/item.ts';
import type { ModelEvent, ModelRequest } from '../../domain/model.ts';
import { modelFailure, protocolError } from '../failures/model-failure.ts';
import { asArray, asRecord, asText, parseJson, omitNullish } from '../json.ts';
import { ProviderError } from '../provider.ts';
import { type JsonRequest, requestJson } from './json-request.ts';
import { newIds } from './new-ids.ts';
import { responsesRequest } from './responses-request.ts';
import { readUsage } from './usage.ts';

export interface CompactOptions {
  /** Of a provider of the Responses API: how its server is asked. */
  readonly own?: Omit<JsonRequest, 'path' | 'body' | 'maxChars'> | undefined;
  readonly isOpenAiHost: boolean;
  /** Asks the model. */
  readonly stream: (request: ModelRequest) => AsyncIterable<ModelEvent>;
}

/** Throws as `Provider.stream` does. Where the server has no such endpoint, a second request is sent: the first one asked nothing. */
export async function* compact(request: ModelRequest, { own, isOpenAiHost, stream }: CompactOptions): AsyncGenerator<ModelEvent> {
  const events = own === undefined ? undefined : await compactedByProvider(request, own, isOpenAiHost);
  yield* events ?? summarised(stream(summaryRequest(request)), request);
}

/** Of the answer: all messages of the user, and the item. */
const longestAnswer = 33_554_432;

/** undefined: its server has no endpoint for it, or not for this model. */
async function compactedByProvider(
  request: ModelRequest,
  own: NonNullable<CompactOptions['own']>,
  isOpenAiHost: boolean,
): Promise<readonly ModelEvent[] | undefined> {
  const { model, input, instructions, prompt_cache_key, prompt_cache_retention, service_tier } = responsesRequest(request, isOpenAiHost);
  const body = { model, input, ...omitNullish({ instructions, prompt_cache_key, prompt_cache_retention, service_tier }) };
  try {
    return await requestJson({ ...own, path: '/responses/compact', body, maxChars: longestAnswer }, eventsOf);
  } catch (error) {
    // Not every server says by its status that it knows no such thing. Whatever else is wrong, the model's answer will say.
    if (error instanceof ProviderError && error.failure.code === 'provider_rejected' && /^4(?:00|22)\b/.test(error.failure.detail ?? '')) {
      return undefined;
    }
    throw error;
  }
}

function eventsOf(text: string): readonly ModelEvent[] | undefined {
  const answer = asRecord(parseJson(text));
  if (answer === undefined) {
    // Cut off: nothing of it has been accepted, so it may be asked for again.
    if (text.trimStart().startsWith('{') || text === '')
      throw new ProviderError(modelFailure('transport_failed', { detail: 'end_of_body' }));
    throw protocolError('no_compaction');
  }
  // LM Studio answers unknown paths with 200 and an error.
  if (answer['object'] !== 'response.compaction') return undefined;
  const item = asArray(answer['output'])
    .map(asRecord)
    .find((each) => each?.['type'] === 'compaction');
  if (item === undefined || asText(item['encrypted_content']) === undefined) throw protocolError('no_compaction');
  const usage = readUsage(answer['usage']);
  return [
    ...itemEvents(item as JsonObject),
    { type: 'finish', finish: { status: 'completed' } },
    ...(usage === undefined ? [] : [{ type: 'usage', usage } as const]),
  ];
}

const key = 'compaction';

function opaque(event: JsonObject): ModelEvent {
  return { type: 'delta', delta: { type: 'opaque', item: key, text: '', event } };
}

function itemEvents(item: JsonObject): readonly ModelEvent[] {
  return [
    opaque({ type: 'response.output_item.added', item: { ...item, encrypted_content: '' } }),
    opaque({ type: 'response.compaction.compacting' }),
    opaque({ type: 'response.output_item.done', item }),
  ];
}

/** A sign of life for each so many characters of a summary: there is nothing else to be seen of it before it is whole. */
const charsPerSign = 1_000;

/** The model's text is the summary. Half of one would be worse than none: what is cut off is left empty. */
async function* summarised(events: AsyncIterable<ModelEvent>, { keptChars, ids }: ModelRequest): AsyncGenerator<ModelEvent> {
  const item = { type: 'compaction', id: newIds(ids)('cmp'), encrypted_content: '' };
  let summary = '';
  let chars = 0;
  let signs = 0;
  let finish: (ModelEvent & { readonly type: 'finish' }) | undefined;
  for await (const event of events) {
    if (event.type === 'delta' && event.delta.type === 'text') {
      if (event.delta.text === '') continue;
      if (summary === '') yield opaque({ type: 'response.output_item.added', item });
      chars += event.delta.text.length;
      // No more of it is sealed: a model that does not stop is not kept (T14).
      if (summary.length < longestSummary) summary += event.delta.text;
      if (chars < signs * charsPerSign) continue;
      signs = Math.floor(chars / charsPerSign) + 1;
      yield opaque({ type: 'response.compaction.compacting' });
    } else if (event.type === 'finish') {
      // Some servers state a finish with every chunk: the last one counts.
      finish = event;
    } else {
      yield event;
    }
  }
  if (finish === undefined) return;
  if (finish.finish.status === 'completed') {
    // It refused, or called a tool although it was offered none.
    if (summary.trim() === '') throw new ProviderError(modelFailure('empty_response', { detail: 'no_summary' }));
    yield opaque({ type: 'response.output_item.done', item: { ...item, encrypted_content: sealSummary(summary, keptChars) } });
  }
  yield finish;
}
