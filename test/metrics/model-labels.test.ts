/** A client names the model, and `/metrics` needs no key: neither may it be flooded, nor show what somebody wrote. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ModelLabels } from '../../src/metrics/model-labels.ts';

test('a model has its name once it has answered, or is configured; before, and where it is no name, it is other', () => {
  const labels = new ModelLabels(['configured']);
  labels.add('openai/gpt-5.2-mini:free@2026');
  labels.add('a secret that somebody typed');
  labels.add('x'.repeat(81));
  for (const known of ['configured', 'openai/gpt-5.2-mini:free@2026']) assert.equal(labels.labelOf(known), known);
  for (const unknown of ['asked for', 'a secret that somebody typed', 'x'.repeat(81), '', undefined]) {
    assert.equal(labels.labelOf(unknown), 'other');
  }
});

test('a provider that answers under any name gives 30 of them', () => {
  const labels = new ModelLabels();
  const names = Array.from({ length: 100 }, (_, index) => `m${index}`);
  for (const name of names) labels.add(name);
  assert.equal(new Set(names.map((name) => labels.labelOf(name))).size, 31);
  assert.deepEqual([labels.labelOf('m0'), labels.labelOf('m29'), labels.labelOf('m30')], ['m0', 'm29', 'other']);
});
