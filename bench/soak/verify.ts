/** Reads back every turn and every session of a soak, and holds them against what the clients and the model server saw. */
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { retryWhileBusy } from '../../src/store/retry-while-busy.ts';
import { openSqliteStore } from '../../src/store/sqlite/open-store.ts';
import { spreadOf } from '../support/statistics.ts';
import { checkTalk } from './check-talk.ts';
import { checkTurn, lossesOf, readEvents, type TurnFacts } from './check.ts';
import type { Clients } from './clients.ts';
import { Dice } from './dice.ts';
import type { Load } from './load.ts';
import type { Arrivals } from './model.ts';
import type { SoakProcesses } from './processes.ts';
import type { Disturbed, TurnRecord, Violation } from './record.ts';
import { countRow, timelineOf } from './report.ts';
import type { ShownItem } from './view.ts';

export interface VerifyDeps {
  readonly clients: Clients;
  readonly processes: SoakProcesses;
  readonly load: Load;
  /** Aborted once the clients have had their time. */
  readonly giveUp: AbortController;
  readonly onViolation: (violation: Violation) => void;
}

export interface Verified {
  readonly rows: readonly [string, string][];
  readonly timelineOf: (turn: TurnRecord) => string;
}

const readersAtOnce = 4;

export async function verify({ clients: loadClients, processes, load, giveUp, onViolation }: VerifyDeps): Promise<Verified> {
  giveUp.abort();
  const { turns, talks } = load;
  const { dataDir, disturbed } = processes;
  // Those of the load have been given up.
  const clients: Clients = { ...loadClients, signal: new AbortController().signal };
  const facts = new Map<TurnRecord, TurnFacts>();
  const outputs = new Map<TurnRecord, readonly ShownItem[]>();
  const ends: string[] = [];
  const arrivals = await processes.model.call<Arrivals>('arrivals');
  const store = openSqliteStore(join(dataDir, 'turnkeep.db'));
  await forEach(turns, async (turn) => {
    if (turn.id === undefined) return onViolation({ what: 'it was never accepted', turn });
    if (turn.endedAtMs === undefined) onViolation({ what: 'its client never saw its end', turn });
    const { id } = turn;
    const streams: string[][] = [];
    for (const gateway of clients.gateways) {
      await readEvents(gateway, id, AbortSignal.timeout(20_000)).then(
        (events) => streams.push(events),
        (error: unknown) => onViolation({ what: error instanceof Error ? error.message : String(error), turn }),
      );
    }
    const [attempts, row] = await retryWhileBusy(() => Promise.all([store.readAttempts(id), store.readTurn(id)]));
    const found: TurnFacts = { turn, streams, attempts, row, arrivals: arrivals.get(turn.plan.order.marker) ?? [] };
    const { end, output, problems } = checkTurn(found, disturbed);
    // The bytes of an hour are more than a process can hold.
    facts.set(turn, problems.length === 0 ? { ...found, streams: [], row: undefined } : found);
    for (const what of problems) onViolation({ what, turn });
    outputs.set(turn, output);
    ends.push(end ?? 'no end');
  });
  await store.close();
  await forEach(talks, async (talk) => {
    for (const problem of await checkTalk(clients, new Dice(0, talk.id), talk, outputs)) onViolation(problem);
  });
  const accepted = turns.filter(({ id }) => id !== undefined);
  const inDatabase = countTurns(dataDir);
  if (inDatabase !== accepted.length) onViolation({ what: `${inDatabase} turns in the database, ${accepted.length} accepted` });
  const requests = [...facts.values()].map((each) => each.arrivals.length);
  return {
    rows: [
      ['turns accepted', `${accepted.length} of ${turns.length}, in ${talks.length} sessions and outside of any`],
      countRow('ended', ends),
      countRow(
        'requests to the model',
        requests.map((count) => `${count}:`),
      ),
      ['resumed, sent again', againOf(turns)],
      lossRow([...facts.values()], disturbed),
    ],
    timelineOf: (turn) => timelineOf(turn, facts.get(turn), disturbed, clients.at),
  };
}

function lossRow(all: readonly TurnFacts[], disturbed: readonly Disturbed[]): [string, string] {
  const { p50, max, n } = spreadOf(all.flatMap((facts) => lossesOf(facts, disturbed).map(({ tookMs }) => tookMs)));
  const text = n === 0 ? 'none' : `${n}: p50 ${(p50 / 1_000).toFixed(1)} s, max ${(max / 1_000).toFixed(1)} s`;
  return ['attempts lost, and the time until that was found', text];
}

function againOf(turns: readonly TurnRecord[]): string {
  const count = (mark: RegExp): number => turns.reduce((sum, { notes }) => sum + notes.filter((note) => mark.test(note)).length, 0);
  const again = count(/ posted to /) - turns.length;
  return `${count(/ reads from .* behind \d/)} streams resumed, ${again} posts sent again, ${count(/ post answered /)} posts answered with an error`;
}

/** All of them, not only those that were asked for. */
function countTurns(dataDir: string): number {
  const db = new DatabaseSync(join(dataDir, 'turnkeep.db'), { readOnly: true });
  try {
    return Number(db.prepare(`SELECT count(*) AS count FROM turns WHERE kind = 'response'`).get()?.['count']);
  } finally {
    db.close();
  }
}

async function forEach<T>(all: readonly T[], work: (each: T) => Promise<void>): Promise<void> {
  const left = all.values();
  const workers = Array.from({ length: readersAtOnce }, async () => {
    for (const each of left) await work(each);
  });
  await Promise.all(workers);
}
