/**
 * Carries what `bench/cluster.ts` measured to more sessions than this machine has room for: first the simulation is held against the
 * measurement it was not told of, then it is run at 10,000, 100,000 and a million sessions. docs/scaling.md says what it is worth.
 *
 *     node bench/scale/simulate.ts [--costs FILE] [--sessions 10000,100000,1000000] [--think 600] [--steps 1] [--tokens 300]
 *                                  [--seconds 20] [--seed 1]
 *
 * `--think`: seconds between two turns of a session, the mean. Two runs with the same arguments print the same.
 */
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { textOf } from '../cluster/report.ts';
import { readCosts } from './costs.ts';
import { sizeTables } from './size-tables.ts';
import { calibrate, validationTables } from './validate.ts';

const { values } = parseArgs({
  options: {
    costs: { type: 'string', default: join(import.meta.dirname, 'costs.json') },
    sessions: { type: 'string', default: '10000,100000,1000000' },
    think: { type: 'string', default: '600' },
    steps: { type: 'string', default: '1' },
    tokens: { type: 'string', default: '300' },
    seconds: { type: 'string', default: '20' },
    seed: { type: 'string', default: '1' },
  },
});

const measured = readCosts(values.costs);
const seed = Number(values.seed);
const costs = calibrate(measured, seed);
for (const table of validationTables(measured, costs, seed)) process.stdout.write(`${textOf(table)}\n`);
const profile = { thinkSeconds: Number(values.think), steps: Number(values.steps), tokens: Number(values.tokens), tokensPerSecond: 50 };
const sizes = values.sessions.split(',').map((count) => ({ ...profile, count: Number(count) }));
for (const table of sizeTables(sizes, measured, costs, { seconds: Number(values.seconds), seed }))
  process.stdout.write(`${textOf(table)}\n`);
