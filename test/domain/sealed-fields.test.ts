/** What of a provider's fields is given out sealed, and what is read again (T13, T14). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ReasoningItem } from '../../src/domain/item.ts';
import { sealOf, unsealFields } from '../../src/domain/prompt/sealed-fields.ts';

const reasoning = (text: string): ReasoningItem => ({
  id: 'rs_1',
  type: 'reasoning',
  status: 'completed',
  summary: [],
  provider_fields: { field: 'reasoning_details', details: [{ text }] },
});
const seal = (json: string): string => `turnkeep:1:${Buffer.from(json).toString('base64url')}`;

test('what is given out is read again; what would be too long is not given out', () => {
  const { provider_fields } = reasoning('a'.repeat(1_000_000));
  assert.deepEqual(unsealFields(sealOf(reasoning('a'.repeat(1_000_000)))), provider_fields);
  assert.equal(sealOf(reasoning('a'.repeat(3_000_000))), undefined);
});

test('fields that are too long or too deep are none', () => {
  assert.deepEqual(unsealFields(seal(`{"details":[${'[],'.repeat(1_000_000)}[]]}`)), {});
  assert.deepEqual(unsealFields(seal(`{"details":${'['.repeat(200_000)}${']'.repeat(200_000)}}`)), {});
});
