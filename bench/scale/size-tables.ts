/** What so many sessions take, simulated: one column a size. */
import { one, type Table, times, whole } from '../cluster/report.ts';
import { bytesOf, type Costs, type Measured } from './costs.ts';
import { loadOf, type Sessions, topologyFor, turnsPerSecondOf } from './sizes.ts';
import { simulate } from './system.ts';

const daySeconds = 86_400;
const giga = 1e9;

export function sizeTables(
  sizes: readonly Sessions[],
  measured: Measured,
  costs: Costs,
  { seconds, seed }: { readonly seconds: number; readonly seed: number },
): Table[] {
  const bytes = bytesOf(measured);
  const rows = new Map<string, string[]>();
  const put = (name: string, value: string): void => void rows.set(name, [...(rows.get(name) ?? []), value]);
  for (const sessions of sizes) {
    const topology = topologyFor(sessions, costs);
    const outcome = simulate(topology, costs, loadOf(sessions, { seconds, seed }));
    const turns = turnsPerSecondOf(sessions);
    const tokens = turns * sessions.tokens;
    const percent = (name: string): string => `${whole(100 * (outcome.utilization[name] ?? 0))} %`;
    const walBytes = turns * bytes.walOfTurn + tokens * bytes.walOfToken;
    put('turns a second', one(turns));
    put('streams at once', whole(tokens / sessions.tokensPerSecond));
    put('tokens a second', whole(tokens));
    put('replicas (`serve`), cores of each', `${topology.replicas}, ${topology.coresOfReplica}`);
    put('their event loops, the fullest', percent('event loops'));
    put('Postgres: cores', `${topology.postgresCores} (${percent('cores of Postgres')} used)`);
    put('Postgres: connections of turnkeep', whole(topology.replicas * (topology.poolSize + 5)));
    put('Postgres: WAL, MB a second', one(walBytes / 1e6));
    put(
      'Postgres: what a day adds, GB (turns, streams)',
      `${one((turns * bytes.tablesOfTurn * daySeconds) / giga)}, ${one((tokens * bytes.tablesOfToken * daySeconds) / giga)}`,
    );
    put('Postgres: conversations, GB', one((sessions.count * bytes.tablesOfConversation) / giga));
    put('Temporal: cores', `${topology.temporalCores} (${percent('cores of Temporal')} used)`);
    put('Temporal: history shards', `${topology.shards} (the fullest ${percent('shards')})`);
    put('Temporal: requests a second', whole(turns * (2 + 2 * sessions.steps)));
    put('Temporal: partitions of the task queue', `${topology.partitions}`);
    put('Temporal: pollers', `${topology.pollersOfReplica * topology.replicas} (${percent('pollers')} used)`);
    put('first token added, p50 / p99, ms', times(outcome.firstTokenMs));
    put('a turn added, p50 / p99, ms', times(outcome.overheadMs));
    put('ten tokens to the client, p50 / p99, ms', times(outcome.tokenLagMs));
    put('the fullest of all', `${outcome.givesFirst} (${percent(outcome.givesFirst)})`);
  }
  const [first] = sizes;
  return [
    {
      title: `Sessions with a turn each ${first?.thinkSeconds} s, of ${first?.steps} request and ${first?.tokens} tokens at ${first?.tokensPerSecond} a second`,
      head: ['', ...sizes.map(({ count }) => count.toLocaleString('en'))],
      rows: [...rows].map(([name, values]) => [name, ...values]),
    },
  ];
}
