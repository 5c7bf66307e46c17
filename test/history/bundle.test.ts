/** Bundles: what a file must be, and that the document has every key of it. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { z } from 'zod';
import { BundleError, bundleSchema, parseBundle, readBundle } from '../../src/history/bundle.ts';
import { jsonPieces } from '../../src/history/json-pieces.ts';

const document = readFileSync(join(import.meta.dirname, '../../docs/bundle.md'), 'utf8');

/** Every key that the schema names, at any depth. */
function keysOf(schema: unknown): readonly string[] {
  if (typeof schema !== 'object' || schema === null) return [];
  if (Array.isArray(schema)) return schema.flatMap(keysOf);
  return Object.entries(schema).flatMap(([name, member]) =>
    name === 'properties' ? Object.entries(member as object).flatMap(([key, of]) => [key, ...keysOf(of)]) : keysOf(member),
  );
}

test('docs/bundle.md has every key of the schema', () => {
  const keys = new Set(keysOf(z.toJSONSchema(bundleSchema)));
  assert.ok(keys.size > 60, `only ${keys.size} keys are found`);
  assert.deepEqual(
    [...keys].filter((key) => !document.includes(`\`${key}\``)),
    [],
  );
});

const bundle = {
  format: 'turnkeep.turn',
  version: 1,
  exported_at: '2026-01-31T12:00:00.000Z',
  turnkeep: '0.1.0',
  redacted: false,
  timeline: { id: 'resp_1', status: 'completed' },
  turn: {
    id: 'resp_1',
    public_id: 'resp_1',
    kind: 'response',
    session: null,
    previous: null,
    replaces: null,
    parent: null,
    status: 'completed',
    settings: { model: 'm' },
    input_count: 0,
    brings_outputs: false,
    is_stored: true,
    created_at_ms: 1,
    ready_at_ms: 1,
    cancel_requested_at_ms: null,
    settled_at_ms: 2,
    error_code: null,
    retry_at_ms: null,
    usage: null,
    workflow_id: null,
    run_id: null,
    owner_run_id: null,
    erased_by: null,
  },
  transcript: [],
  input: [],
  attempts: [],
  calls: [],
  journal: [{ seq: 0, type: 'response.created', data: '{}' }],
  recordings: [],
  temporal: { missing: 'its retention is over' },
};

test('a bundle is read, and what a newer version writes beside it passes', () => {
  const read = parseBundle(JSON.stringify({ ...bundle, news: 1, turn: { ...bundle.turn, more: true } }), 'a.json');
  assert.deepEqual([read['news'], read.turn['more'], read.temporal], [1, true, bundle.temporal]);
});

test('what is none is refused by the name of the file and of the field', () => {
  const cases: readonly [string, RegExp][] = [
    ['{"format":"turnkeep.turn"', /^a\.json is not whole JSON: export the turn again/],
    ['[]', /^a\.json is no exported turn: its format is not "turnkeep\.turn"/],
    ['{"format":"turnkeep.turn","version":2}', /^a\.json has the version 2: this turnkeep reads 1/],
    [JSON.stringify({ ...bundle, journal: [{ seq: 'x', type: 'a', data: '' }] }), /^a\.json is no whole bundle: journal\[0\]\.seq: /],
    [JSON.stringify({ ...bundle, turn: { ...bundle.turn, kind: 'odd' } }), /: turn\.kind: /],
  ];
  for (const [text, words] of cases) {
    assert.throws(
      () => parseBundle(text, 'a.json'),
      (error) => error instanceof BundleError && words.test(error.message),
    );
  }
});

test('a file that is not there is named', async () => {
  await assert.rejects(
    readBundle('/nowhere/x.json'),
    (error) => error instanceof BundleError && error.message.startsWith('/nowhere/x.json cannot be read: ENOENT'),
  );
  const folder = mkdtempSync(join(tmpdir(), 'turnkeep-bundle-'));
  try {
    writeFileSync(join(folder, 'a.json'), JSON.stringify(bundle));
    assert.equal((await readBundle(join(folder, 'a.json'))).timeline.id, 'resp_1');
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('T14 · JSON in pieces is what JSON.stringify makes, and no piece is long', () => {
  const long = `${'a"\n😀\\'.repeat(60_000)}\uD800`;
  for (const value of [{ a: [1, 'x', null, { b: long }], c: undefined, d: {} }, [], {}, 'x', long, null, 1.5]) {
    const pieces = [...jsonPieces(value)];
    assert.equal(pieces.join(''), JSON.stringify(value));
    assert.ok(pieces.every(({ length }) => length < 6 * 65_536 + 2));
  }
});
