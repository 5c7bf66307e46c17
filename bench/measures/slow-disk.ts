/** A deployment whose process waits 5 ms more at every sync of its disk: what is synced before a first token shows. */
import { compileSlowSync } from '../support/slow-sync.ts';
import type { OpenLoad } from '../support/load.ts';
import { type Row, say } from '../support/report.ts';
import type { Rig } from '../support/rig.ts';
import { watchTurn } from '../support/viewer.ts';
import { measureFirstToken } from './first-token.ts';
import { measureOpenLoad } from './open-load.ts';

const moreMs = 5;
const turns = 50;

export async function measureSlowDisk(rig: Rig, load: OpenLoad): Promise<Row[]> {
  const slow = compileSlowSync(rig.folder, moreMs);
  if (typeof slow === 'string') {
    say(`  skipped: ${slow}`);
    return [];
  }
  const deployment = await rig.startInOne({ env: slow.env });
  const name = `, ${moreMs} ms added to every sync`;
  const { rows } = await measureFirstToken(rig, deployment, { turns, name });
  let syncsToFirst = 0;
  let syncs = 0;
  for (let turn = 0; turn < turns; turn += 1) {
    const before = slow.read().count;
    const watching = watchTurn(deployment.url, { tokens: 20, waitMs: 5 });
    await watching.shown;
    syncsToFirst += slow.read().count - before;
    await watching.ended;
    syncs += slow.read().count - before;
  }
  return [
    ...rows,
    {
      figure: 'syncs of a turn: to its first token, to its end',
      turnkeep: `${(syncsToFirst / turns).toFixed(2)}, ${(syncs / turns).toFixed(2)}`,
      aim: '2, 3',
    },
    ...(await measureOpenLoad(rig, deployment, load, name)),
  ];
}
