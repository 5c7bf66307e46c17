/**
 * First token and end of a plain turn, on Postgres and on SQLite: a stock client, one turn at a time, five on the one, five on the
 * other, five direct calls of the model, and so on: all three meet the same machine.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import OpenAI from 'openai';
import { promptOf } from '../support/orders.ts';
import { type Spread, spreadOf } from '../support/statistics.ts';
import { type Message, timeDirectTurn, timeTurn, type Took } from '../support/timed-turn.ts';
import { type Table, times } from './report.ts';
import { type ClusterRig, startClusterRig } from './rig.ts';

const input = promptOf({ tokens: 20 });
const turnsInRow = 5;
/** Somebody reads before he answers. */
const pauseMs = 50;

type Turn = () => Promise<Took>;

/** Of a conversation of its own, at the first replica. */
async function throughTurnkeep({ cluster }: ClusterRig): Promise<Turn> {
  const client = new OpenAI({ baseURL: `${cluster.replicas[0]?.url}/v1`, apiKey: cluster.apiKey, maxRetries: 0 });
  const conversation = (await client.conversations.create()).id;
  return async () => timeTurn(client, input, conversation);
}

/** The same talk, kept by the caller. */
function directly(modelUrl: string): Turn {
  const client = new OpenAI({ baseURL: modelUrl, apiKey: 'none', maxRetries: 0 });
  const messages: Message[] = [];
  return async () => timeDirectTurn(client, input, messages);
}

export interface FirstTokens {
  readonly postgres: { readonly first: Spread; readonly end: Spread };
  readonly sqlite: { readonly first: Spread; readonly end: Spread };
  readonly direct: { readonly first: Spread; readonly end: Spread };
}

export async function measureFirstTokens({ turns, warmUp }: { readonly turns: number; readonly warmUp: number }): Promise<FirstTokens> {
  await using postgres = await startClusterRig({ replicas: 1, workers: 0 });
  await using sqlite = await startClusterRig({ replicas: 1, workers: 0, database: 'sqlite' });
  const ways: Record<keyof FirstTokens, Turn> = {
    postgres: await throughTurnkeep(postgres),
    sqlite: await throughTurnkeep(sqlite),
    direct: directly(postgres.modelUrl),
  };
  for (const rig of [postgres, sqlite]) {
    const warm = await throughTurnkeep(rig);
    for (let n = 0; n < warmUp; n += 1) await warm();
  }
  const taken: Record<keyof FirstTokens, Took[]> = { postgres: [], sqlite: [], direct: [] };
  for (let begun = 0; begun < turns; begun += turnsInRow) {
    for (const name of ['postgres', 'sqlite', 'direct'] as const) {
      for (let n = 0; n < turnsInRow; n += 1) {
        taken[name].push(await ways[name]());
        await sleep(pauseMs);
      }
    }
  }
  const spread = (name: keyof FirstTokens): { first: Spread; end: Spread } => ({
    first: spreadOf(taken[name].map(({ firstMs }) => firstMs)),
    end: spreadOf(taken[name].map(({ endMs }) => endMs)),
  });
  return { postgres: spread('postgres'), sqlite: spread('sqlite'), direct: spread('direct') };
}

export function firstTokenTable({ postgres, sqlite, direct }: FirstTokens): Table {
  return {
    title: `First token and end of a plain turn, p50 / p99 of ${postgres.first.n}, ms`,
    head: ['', 'Postgres', 'SQLite', 'direct'],
    rows: [
      ['first token', times(postgres.first), times(sqlite.first), times(direct.first)],
      ['end of the turn', times(postgres.end), times(sqlite.end), times(direct.end)],
    ],
  };
}
