/** Ids by which commits are found again, and errors by what is to be made of them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isAnswer, isLost, isWorthRepeating, translateError } from '../../../src/store/postgres/errors.ts';
import { newCommitId } from '../../../src/store/postgres/outcome.ts';
import { PostgresDatabase } from '../../../src/store/postgres/database.ts';
import { StoreBusyError } from '../../../src/store/ports/store.ts';
import { all, run } from '../../../src/store/sql/work.ts';
import { needDatabase } from '../../support/postgres-server.ts';

test('ids of commits are UUIDs in the order of their time, and no two are the same', () => {
  const times = [0, 1, 255, 256, 1_700_000_000_000, 1_900_000_000_000];
  const ids = times.map((ms) => newCommitId(ms));
  for (const id of ids) assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$/);
  assert.deepEqual(ids.toSorted(), ids);
  assert.equal(new Set(Array.from({ length: 1_000 }, () => newCommitId(5))).size, 1_000);
});

test('commits that nobody asks for any more are forgotten, and the others are not', async (t) => {
  const url = await needDatabase(t);
  if (url === undefined) return;
  const db = new PostgresDatabase({ url, poolSize: 4 });
  t.after(async () => db.close());
  const [old, recent] = [newCommitId(Date.now() - 7_200_000), newCommitId(Date.now() - 60_000)];
  await db.commit('quick', () => run('INSERT INTO commits (id) VALUES (?), (?)', old, recent));
  for (let left = 999; left > 0; left -= 111) {
    await Promise.all(Array.from({ length: 111 }, async (_, at) => db.commit('quick', () => run('UPDATE leaders SET until = ?', at))));
  }
  await db.close();
  const other = new PostgresDatabase({ url });
  t.after(async () => other.close());
  const kept = (await other.read(() => all('SELECT id FROM commits'))).map(({ id }) => id);
  assert.deepEqual([kept.includes(old), kept.includes(recent), kept.length], [false, true, 1_001]);
});

const server = (code: string, severity = 'ERROR', more: object = {}): Error => Object.assign(new Error(code), { code, severity, ...more });
const network = (code: string): Error => Object.assign(new Error(code), { code });

/** busy: ask again later. again: the driver itself does, at once. lost: so it does, on another connection. answered: nothing was committed. */
const errors: readonly (readonly [Error, string])[] = [
  [server('40001'), 'busy again answered'],
  [server('40P01'), 'busy again answered'],
  [server('23505'), 'again answered'],
  [server('0A000', 'ERROR', { routine: 'RevalidateCachedQuery' }), 'busy again answered'],
  [server('0A000'), 'answered'],
  [server('23514'), 'busy again answered'],
  [server('23514', 'ERROR', { constraint: 'positive' }), 'answered'],
  [server('55P03'), 'busy answered'],
  [server('57014'), 'busy answered'],
  [server('25006'), 'busy lost answered'],
  [server('53100'), 'busy answered'],
  [server('53300', 'FATAL'), 'busy'],
  [server('57P01', 'FATAL'), 'busy lost'],
  [server('57P02', 'FATAL'), 'busy lost'],
  [server('57P03', 'FATAL'), 'busy'],
  [server('25P03', 'FATAL'), 'busy lost'],
  [server('08006', 'FATAL'), 'busy'],
  [server('28P01', 'FATAL'), ''],
  [server('3D000', 'FATAL'), ''],
  [server('42P01'), 'answered'],
  // In the words of a server that speaks German, Polish, French.
  [server('42P01', 'FEHLER'), 'answered'],
  [server('23514', 'BŁĄD', { constraint: 'positive' }), 'answered'],
  [server('40001', 'ERREUR'), 'busy again answered'],
  [server('57P01', 'KATASTROFALNY'), 'busy lost'],
  [server('08006', 'KATASTROFALNY'), 'busy'],
  [server('53100', 'PANIC'), 'busy'],
  [server('53100', 'PANIK'), 'busy'],
  [server('58030', 'ERREUR'), 'busy'],
  [server('22012'), 'answered'],
  [network('ECONNRESET'), 'busy lost'],
  [network('EPIPE'), 'busy lost'],
  [network('ECONNREFUSED'), 'busy'],
  [network('ETIMEDOUT'), 'busy'],
  [network('ENOTFOUND'), 'busy'],
  [network('ENOENT'), 'busy'],
  [network('ERR_INVALID_ARG_TYPE'), ''],
  [new Error('Connection terminated unexpectedly'), 'busy lost'],
  [new Error('Connection terminated due to connection timeout'), 'busy'],
  [new Error('timeout exceeded when trying to connect'), 'busy'],
  [new Error('Query read timeout'), 'busy'],
  [new Error('a fault of its own'), ''],
];

for (const [error, expected] of errors) {
  const { severity = '' } = error as { severity?: string };
  test(`${severity} ${error.message} is ${expected || 'nothing that passes'}`, () => {
    const is = {
      busy: translateError(error) instanceof StoreBusyError,
      again: isWorthRepeating(error),
      lost: isLost(error),
      answered: isAnswer(error),
    };
    const found = Object.entries(is).flatMap(([name, holds]) => (holds ? [name] : []));
    assert.equal(found.join(' '), expected);
  });
}
