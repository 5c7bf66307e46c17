/**
 * Whether what turnkeep says is what Open Responses knows: single objects by schema, whole streams by its rules.
 *
 * The contract asks for some things that the specification's prose does not know. Its schema lets them through
 * (`status` is any string, objects are open), so nothing is excused here for them:
 * - a cancelled turn ends with `response.incomplete`, whose response says status `cancelled` and that as its reason;
 * - responses also have `conversation` and `user`, the done event of arguments also has the function's `name`.
 */
import assert from 'node:assert/strict';
import { Ajv, type ValidateFunction } from 'ajv';
import { compactionSchema, eventSchema, itemSchema, responseSchema } from '../data/open-responses-schema.ts';
import type { SeenEvent } from './viewer.ts';

const ajv = new Ajv({ allErrors: true, discriminator: true });
const isResponse = ajv.compile(responseSchema);
const isEvent = ajv.compile(eventSchema);
const isItem = ajv.compile(itemSchema);
const isCompaction = ajv.compile(compactionSchema);

export function assertOpenResponse(response: unknown): void {
  assertValid(isResponse, response, 'response');
  const { status, error, completed_at, incomplete_details } = response as Record<string, unknown>;
  assert.ok(
    ['queued', 'in_progress', 'completed', 'incomplete', 'cancelled', 'failed'].includes(String(status)),
    `no such status: ${String(status)}`,
  );
  assert.equal(error !== null, status === 'failed', 'an error goes with status failed, and only with that');
  assert.equal(completed_at !== null, status === 'completed', 'completed_at goes with status completed, and only with that');
  assert.equal(incomplete_details !== null, status === 'incomplete' || status === 'cancelled');
}

export function assertOpenItem(item: unknown): void {
  assertValid(isItem, item, 'item');
}

/** What `POST /v1/responses/compact` answers. */
export function assertOpenCompaction(compaction: unknown): void {
  assertValid(isCompaction, compaction, 'compaction');
}

export function assertOpenEvent(event: unknown): void {
  assertValid(isEvent, event, 'event');
  if (typeof event === 'object' && event !== null && 'response' in event) assertOpenResponse(event.response);
}

/** A whole stream: dense, from `response.created` to one end; each item and part opened, filled and closed in turn. */
export function assertOpenStream(events: readonly SeenEvent[]): void {
  for (const event of events) assertOpenEvent(event);
  assert.deepEqual(
    events.map((event) => event.sequence_number),
    events.map((_, index) => index),
  );
  assert.equal(events[0]?.type, 'response.created');
  const isEnd = ({ type }: SeenEvent): boolean => /^response\.(completed|incomplete|failed)$/.test(type);
  assert.deepEqual(events.filter(isEnd), [events.at(-1)]);
  // Calls side by side may be open together: each is added in its turn, and done whenever.
  const items: unknown[] = [];
  const open = new Map<string, string>();
  for (const event of events) {
    const at = JSON.stringify([event['output_index'], event['content_index'] ?? event['summary_index']]);
    if (event.type === 'response.output_item.added') assert.equal(items.push(undefined) - 1, event['output_index']);
    if (event.type === 'response.output_item.done') items[Number(event['output_index'])] = event['item'];
    if (event.type.endsWith('_part.added')) open.set(at, '');
    if (event.type.endsWith('.delta')) open.set(at, (open.get(at) ?? '') + String(event['delta']));
    const whole = event['text'] ?? event['refusal'] ?? event['arguments'];
    if (whole !== undefined) assert.equal(whole, open.get(at) ?? '', `${event.type} has what the deltas said`);
    if (event.type.endsWith('_part.done')) open.delete(at);
  }
  const { output } = (events.at(-1) as { response?: { output: unknown[] } } | undefined)?.response ?? { output: [] };
  assert.deepEqual(items, output, 'the output is the items that were done');
}

function assertValid(validate: ValidateFunction, value: unknown, what: string): void {
  if (validate(value)) return;
  const wrong = validate.errors?.map(({ instancePath, message }) => `${instancePath || '/'} ${message}`).join('\n');
  assert.fail(`no ${what} of Open Responses:\n${wrong}\n${JSON.stringify(value)}`);
}
