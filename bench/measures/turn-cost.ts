/** CPU of a whole turn, by process and thread: through turnkeep, as a direct call, and as the least workflow. */
import { untilClosed } from '../support/backlog.ts';
import { allOf, billOf, byThread, type CpuBill, sumOf } from '../support/cpu.ts';
import { type Carried, closedLoad, type Load } from '../support/load.ts';
import { promptOf } from '../support/orders.ts';
import type { Row } from '../support/report.ts';
import type { Deployment, Floor, Rig } from '../support/rig.ts';
import { watchModel, watchTurn } from '../support/viewer.ts';

const order = { tokens: 20 };
const messages = [{ role: 'user' as const, content: promptOf(order) }];

export async function measureTurnCost(rig: Rig, deployment: Deployment, floor: Floor, turns: number): Promise<Row[]> {
  const load = { atOnce: 1, turns };
  const ours = await turnkeepBill(rig, deployment, load);
  const theirs = await directBill(rig, load);
  const least = await floorBill(rig, floor, load);
  const figure = `CPU of a turn of ${order.tokens} tokens, one at a time (of ${turns})`;
  return billRows(figure, { ours, theirs, least }, '12 ms');
}

export interface Bills {
  readonly ours: CpuBill;
  readonly theirs?: CpuBill;
  readonly least?: CpuBill;
}

export function billRows(figure: string, { ours, theirs, least }: Bills, aim?: string): Row[] {
  const text = (bill: CpuBill | undefined, name: string): string => (bill?.has(name) === true ? `${sumOf(bill, name).toFixed(1)} ms` : '—');
  const rowOf = (what: string, name: string): Row => ({
    figure: `the same: ${what}`,
    turnkeep: text(ours, name),
    direct: text(theirs, name),
    floor: text(least, name),
  });
  const all = (bill: CpuBill | undefined): string => (bill === undefined ? '—' : `${allOf(bill).toFixed(1)} ms`);
  return [
    {
      figure: `${figure}: our process`,
      turnkeep: byThread(ours, 'turnkeep'),
      ...(least === undefined ? {} : { floor: byThread(least, 'floor') }),
      ...(aim === undefined ? {} : { aim }),
    },
    rowOf("Temporal's server", 'temporal'),
    rowOf('the model server', 'model'),
    rowOf("the bench's client", 'client'),
    { figure: 'the same: all of them', turnkeep: all(ours), direct: all(theirs), floor: all(least) },
  ];
}

/** To the last workflow's end, which comes a little after the last answer's. */
async function turnkeepBill(rig: Rig, { url, worker, taskQueue }: Deployment, load: Load): Promise<CpuBill> {
  const turn = async (): Promise<number> => (await watchTurn(url, order).ended).endedAtMs;
  await closedLoad({ atOnce: 1, turns: 300 }, turn);
  await untilClosed(rig, taskQueue);
  const { bill } = await billOf(rig.processes({ turnkeep: worker.pid }), async () => {
    const carried = await closedLoad(load, turn);
    await untilClosed(rig, taskQueue);
    return carried;
  });
  return bill;
}

async function directBill(rig: Rig, load: Load): Promise<CpuBill> {
  const turn = async (): Promise<number> => (await watchModel(rig.modelUrl, messages).ended).endedAtMs;
  await closedLoad({ atOnce: 1, turns: 300 }, turn);
  const { model = 0, client = 0 } = rig.processes({});
  const { bill } = await billOf({ model, client }, () => closedLoad(load, turn));
  return bill;
}

async function floorBill(rig: Rig, { child, taskQueue }: Floor, load: Load): Promise<CpuBill> {
  await child.call<Carried>('run', { atOnce: 1, turns: 20 });
  await untilClosed(rig, taskQueue);
  const { temporal = 0 } = rig.processes({});
  const { bill } = await billOf({ floor: child.pid, temporal }, async (): Promise<Carried> => {
    const carried = await child.call<Carried>('run', load);
    await untilClosed(rig, taskQueue);
    return carried;
  });
  return bill;
}
