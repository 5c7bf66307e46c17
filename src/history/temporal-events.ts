/** Temporal's own events of a turn beside its timeline: what they are and when, and none of their payloads (T11). */
import type { Client } from '@temporalio/client';
import { inTime } from '../client/patience.ts';
import { workflowIdOf } from '../contract/workflows.ts';
import type { TurnRow } from '../domain/turn/turn.ts';
import { type JsonEvent, jsonOfEvents } from './history-json.ts';
import { whyMissing } from './read-histories.ts';
import { type TemporalEvent, temporalEventsOf } from './temporal-event-list.ts';

export type TemporalEvents =
  | { readonly events: readonly TemporalEvent[]; readonly complete: boolean }
  /** Why there are none. */
  | { readonly missing: string };

/** A workflow of somebody's own may have any number. */
const mostEvents = 5_000;
const pageSize = 256;

/** Together: a person waits, and the database has told the rest. */
const patienceMs = 2_000;

type Turn = Pick<TurnRow, 'id' | 'workflowId' | 'runId'>;

/** Of the run that last claimed the turn. Never rejects: a turn is told from the database, also where Temporal has nothing to say. */
export async function readTemporalEvents(client: Client, turn: Turn): Promise<TemporalEvents> {
  try {
    return await inTime(readRun(client, turn), patienceMs);
  } catch (error) {
    return { missing: whyMissing(error) };
  }
}

async function readRun(client: Client, { id, workflowId, runId }: Turn): Promise<TemporalEvents> {
  const { namespace } = client.options;
  const execution = { workflowId: workflowId ?? workflowIdOf(id), ...(runId === null ? {} : { runId }) };
  const events: JsonEvent[] = [];
  let nextPageToken: Uint8Array | undefined;
  do {
    const page = await client.workflowService.getWorkflowExecutionHistory({
      namespace,
      execution,
      maximumPageSize: pageSize,
      ...(nextPageToken === undefined ? {} : { nextPageToken }),
    });
    events.push(...jsonOfEvents(page.history?.events ?? []));
    nextPageToken = page.nextPageToken.length > 0 ? page.nextPageToken : undefined;
  } while (nextPageToken !== undefined && events.length < mostEvents);
  return { events: temporalEventsOf(events), complete: nextPageToken === undefined };
}
