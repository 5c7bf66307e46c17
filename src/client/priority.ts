/**
 * Where a workflow stands in the queues of Temporal's server while no worker has a free slot. Those of one tenant wait for each
 * other: its key is the tenant, and each key gets the same share. Activities and child workflows inherit it.
 */
import { createHash } from 'node:crypto';
import type { WorkflowStartOptions } from '@temporalio/client';
import type { TurnRow } from '../domain/turn/turn.ts';
import type { TurnStore } from '../store/ports/turns.ts';

/** Of `priorityKey`: 1 goes first, 5 last, and what says nothing is 3, like the workflows of an application beside ours. */
const priorityKeys = { interactive: 3, background: 4, afterwards: 5 } as const;

export type Priority = NonNullable<WorkflowStartOptions['priority']>;

/** `afterwards`: a title, a webhook. */
export type Urgency = keyof typeof priorityKeys;

/** Temporal refuses a longer key, in bytes. */
const longestKeyBytes = 64;

export function priorityOf(tenant: string, urgency: Urgency): Priority {
  return { priorityKey: priorityKeys[urgency], fairnessKey: fairnessKeyOf(tenant) };
}

/** A tenant's name is no secret (T11); one that is too long stands there by its hash, of the same length in hex. */
function fairnessKeyOf(tenant: string): string {
  return Buffer.byteLength(tenant) <= longestKeyBytes ? tenant : createHash('sha256').update(tenant).digest('hex');
}

/** Of a turn whose client has its answer already, `queued`, and of the turns that it calls. */
export async function urgencyOf(store: Pick<TurnStore, 'readTurn'>, turn: Pick<TurnRow, 'settings' | 'parent'>): Promise<Urgency> {
  let asked = turn;
  // Agents call each other a few deep (`longestAgentChain`).
  while (asked.parent !== null) {
    const caller = await store.readTurn(asked.parent.turn);
    if (caller === undefined) break;
    asked = caller;
  }
  return asked.settings.background ? 'background' : 'interactive';
}
