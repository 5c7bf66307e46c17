/**
 * A campaign of faults against a whole cluster, and the laws held against all that was seen. Progress on stderr, a table on stdout.
 *
 *     npm run chaos -- --seed 7 --minutes 5
 *     --faults 100000      the load is over once so many were felt, and after these minutes at the latest
 *     --sessions 16        conversations at the same time
 *     --dense              short turns, nearly all of them with a fault of the model, of a client or both
 *     --weather 10         chunks a second, on every link that is busy, that come late or lose their connection; 0: none
 *     --every 1.5          seconds from one fault of the machinery to the next, in the mean
 *     --kill-every 5       every so many seconds a process is killed besides; 0: none
 *     --serves 2           replicas that are gateway and worker
 *     --gateways 1         gateways that are nothing else
 *     --workers 1          workers that are nothing else
 *     --nginx              nginx before the gateways
 *     --database postgres  instead of the embedded one
 *     --without disk       kinds of faults that this machine cannot have: `disk` takes the right to mount, `clock` libfaketime
 *     --keep               leaves logs and databases; so does whatever goes wrong
 *     --check FILE         runs nothing: holds an operation log of an earlier run against the laws
 *
 * Exit code 1: something did not hold, or a kind of fault was never felt. The seed plans the same turns and the same faults again;
 * which of them meet is a matter of time.
 */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { type CampaignResult, runCampaign } from './campaign.ts';
import { checkLog } from './check.ts';
import type { Entry } from './record.ts';
import { postgresDatabase } from './postgres.ts';
import { sqliteDatabase } from './sqlite.ts';

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: String(Date.now() % 100_000) },
    minutes: { type: 'string', default: '5' },
    faults: { type: 'string', default: 'Infinity' },
    sessions: { type: 'string', default: '16' },
    dense: { type: 'boolean', default: false },
    weather: { type: 'string', default: '0' },
    every: { type: 'string', default: '1.5' },
    'kill-every': { type: 'string', default: '0' },
    serves: { type: 'string', default: '2' },
    gateways: { type: 'string', default: '1' },
    workers: { type: 'string', default: '1' },
    database: { type: 'string', default: 'sqlite' },
    nginx: { type: 'boolean', default: false },
    without: { type: 'string', multiple: true, default: [] },
    keep: { type: 'boolean', default: false },
    check: { type: 'string' },
  },
});

const openDatabase = { sqlite: sqliteDatabase, postgres: postgresDatabase }[values.database];
if (openDatabase === undefined) throw new Error('--database takes sqlite or postgres');

function say(text: string): void {
  process.stderr.write(`${new Date().toISOString().slice(11, 19)} ${text}\n`);
}

function report({ violations, missing, felt, figures, folder }: CampaignResult): void {
  const rows = [...figures, ...[...felt].toSorted(([one], [other]) => one.localeCompare(other)).map(([kind, n]) => [kind, String(n)])];
  process.stdout.write(
    `| campaign | seed ${values.seed} |\n| --- | --- |\n${rows.map(([name, value]) => `| ${name} | ${value} |\n`).join('')}`,
  );
  for (const kind of missing) say(`never felt: ${kind}`);
  if (violations.length + missing.length > 0) say(`seed ${values.seed}; logs, databases and operations.jsonl are in ${folder}`);
}

let violations;
let missing: readonly string[] = [];
if (values.check === undefined) {
  const result = await runCampaign({
    seed: Number(values.seed),
    lengthMs: Number(values.minutes) * 60_000,
    mostFaults: Number(values.faults),
    sessions: Number(values.sessions),
    isDense: values.dense,
    weatherPerSecond: Number(values.weather),
    everyMs: Number(values.every) * 1_000,
    killEveryMs: Number(values['kill-every']) * 1_000,
    counts: { serve: Number(values.serves), gateway: Number(values.gateways), worker: Number(values.workers) },
    hasNginx: values.nginx,
    openDatabase,
    without: new Set(values.without),
    say,
    isKept: values.keep,
  });
  report(result);
  ({ violations, missing } = result);
} else {
  const lines = readFileSync(values.check, 'utf8').trimEnd().split('\n');
  violations = checkLog(lines.map((line) => JSON.parse(line) as Entry));
}
for (const { law, turn, what } of violations) say(`VIOLATION ${law} · ${turn}: ${what}`);
say(`${violations.length} violations`);
process.exit(violations.length + missing.length === 0 ? 0 : 1);
