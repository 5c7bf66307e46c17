/** SQLite's dialect as Postgres takes it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { translate } from '../../../src/store/postgres/translate.ts';

const cases: Readonly<Record<string, string>> = {
  'SELECT 1 FROM turns WHERE id = ? AND tenant = ?': 'SELECT 1 FROM turns WHERE id = $1 AND tenant = $2',
  [`SELECT '?', "a?b", 'it''s ?' -- why?\n, ?`]: `SELECT '?', "a?b", 'it''s ?' -- why?\n, $1`,
  'SELECT id FROM turns INDEXED BY turns_by_tenant WHERE tenant = ?': 'SELECT id FROM turns WHERE tenant = $1',
  'SELECT id FROM turns\n    INDEXED BY turns_by_tenant\n    WHERE tenant = ?': 'SELECT id FROM turns\n    WHERE tenant = $1',
  'SELECT 1 FROM turns NOT INDEXED': 'SELECT 1 FROM turns',
  'FROM turns CROSS JOIN items ON items.turn = turns.id': 'FROM turns JOIN items ON items.turn = turns.id',
  'FROM turns CROSS JOIN items AS i ON i.turn = turns.id': 'FROM turns JOIN items AS i ON i.turn = turns.id',
  'FROM turns CROSS JOIN items': 'FROM turns CROSS JOIN items',
  'WHERE seq > ? LIMIT ?': 'WHERE seq > $1 LIMIT NULLIF(CAST($2 AS BIGINT), -1)',
  'IN (SELECT value FROM json_each(?)) AND a = ?':
    'IN (SELECT value FROM json_array_elements_text(json_clean($1)) AS each (value)) AND a = $2',
  'FROM json_each(?) AS wanted JOIN x ON x.id = wanted.value':
    'FROM json_array_elements_text(json_clean($1)) AS wanted (value) JOIN x ON x.id = wanted.value',
  [`SELECT data -> '$.response' FROM journal`]: `SELECT json_part(data, '{response}') FROM journal`,
  [`coalesce(item ->> '$.content[0].text', '')`]: `coalesce(json_text(item, '{content,0,text}'), '')`,
  [`each.value ->> '$.type' <> ?`]: `json_text(each.value, '{type}') <> $1`,
  [`CASE WHEN json_valid(data) THEN data -> '$.response' END`]: `CASE WHEN true THEN json_part(data, '{response}') END`,
  'substr(CAST(result AS BLOB), ?, ?)': `substr(convert_to(result, 'UTF8'), $1, $2)`,
  'CAST(? AS TEXT) IS NULL OR step = CAST(? AS BIGINT)': 'CAST($1 AS TEXT) COLLATE "C" IS NULL OR step = CAST($2 AS BIGINT)',
  'branch = ? AND call_id = ? AND depth <= ?': 'branch = $1 AND md5(call_id) = md5(CAST($2 AS TEXT)) AND depth <= $3',
};

for (const [sql, text] of Object.entries(cases)) {
  test(`${sql} becomes ${text}`, () => {
    assert.equal(translate(sql).text, text);
  });
}

test('a path that has another form is refused, and not taken for something else', () => {
  assert.throws(() => translate(`SELECT a ->> '$[#-1]'`), /\$\[#-1\]/);
});

test('the same text has the same name of its prepared statement, and another one another', () => {
  const [one, other] = ['SELECT 1 WHERE ? = 1', 'SELECT 2 WHERE ? = 1'].map((sql) => translate(sql));
  assert.equal(one?.name, translate('SELECT 1 WHERE ? = 1').name);
  assert.notEqual(one?.name, other?.name);
});

test('what writes is told from what reads', () => {
  const reads = ['SELECT 1', ' WITH a AS (SELECT 1) SELECT * FROM a', 'VALUES (1)'];
  const writes = [
    'INSERT INTO a VALUES (1)',
    'UPDATE a SET b = 1 RETURNING b',
    'WITH gone AS (DELETE FROM a RETURNING b) SELECT * FROM gone',
    'SELECT 1 FROM a FOR UPDATE',
    'DELETE FROM a',
  ];
  assert.deepEqual(
    [...reads, ...writes].map((sql) => translate(sql).isRead),
    [...reads.map(() => true), ...writes.map(() => false)],
  );
});
