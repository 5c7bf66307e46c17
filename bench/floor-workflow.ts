/** The least durable turn: one activity that returns at once. Runs in Temporal's sandbox. */
import { proxyActivities } from '@temporalio/workflow';
import type { FloorActivities } from './floor.ts';

const { answer } = proxyActivities<FloorActivities>({ startToCloseTimeout: '10s' });

export async function leastTurn(turn: number): Promise<void> {
  await answer(turn);
}
