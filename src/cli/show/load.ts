/** Where `show` has its turn from: a gateway, or a file. */
import { existsSync } from 'node:fs';
import { previewOf } from '../../domain/turn/timeline-text.ts';
import { type Bundle, readBundle } from '../../history/bundle.ts';
import type { JsonEvent } from '../../history/history-json.ts';
import { temporalEventsOf } from '../../history/temporal-event-list.ts';
import { CallError } from '../../http-client/call-error.ts';
import { withRetries } from '../../http-client/retry.ts';
import type { GatewayClient } from '../../http-client/calls.ts';
import { readAnswer, withGatewayErrors } from '../gateway/open.ts';
import { GatewayError } from '../gateway/target.ts';
import { readTurnPage } from '../lists/turn-text.ts';
import { type ShownTimeline, timelineSchema } from './timeline.ts';

export interface Loaded {
  readonly timeline: ShownTimeline;
  /** All of it, as it came. */
  readonly json: unknown;
}

/** Is a turn or a file named? Ids have neither dots nor slashes. */
export function isFile(name: string): boolean {
  return /[./\\]/.test(name) || existsSync(name);
}

const inputItems = 10;

/** @throws {BundleError} where it cannot be read, or is no bundle */
export async function loadFile(file: string): Promise<Loaded & { readonly notes: readonly string[] }> {
  const { exported_at: at, turnkeep, redacted, timeline, input, temporal } = await readBundle(file);
  const json = {
    ...timeline,
    input: input.slice(0, inputItems).map(previewOf),
    input_items: input.length,
    temporal: temporalPart(temporal, timeline),
  };
  const notes = [`From ${file}, exported ${at} by turnkeep ${turnkeep}${redacted ? ', without its content' : ''}.`];
  return { timeline: timelineSchema.parse(json), json, notes };
}

/** Of the run that the turn ran in. */
function temporalPart(temporal: Bundle['temporal'], timeline: Bundle['timeline']): object {
  if (!('histories' in temporal)) return { missing: temporal.missing };
  const { histories, run_ids: runs } = temporal as { histories: { events: JsonEvent[] }[]; run_ids: string[] };
  const index = runs.indexOf(String(timeline['run_id']));
  const history = histories.at(index === -1 ? -1 : index);
  return { events: temporalEventsOf(history?.events ?? []), complete: true };
}

/**
 * @param isPatient it is asked for again, for two minutes, where the gateway is away
 * @throws {GatewayError} where there is no such turn, or no gateway answers
 */
export async function loadTurn(client: GatewayClient, id: string, { isPatient = false } = {}): Promise<Loaded> {
  const ask = () => client.json('GET', `/turns/${encodeURIComponent(id)}/timeline`);
  try {
    const json = isPatient ? await withRetries(ask) : await ask();
    return { timeline: readAnswer(timelineSchema, json, client), json };
  } catch (error) {
    if (error instanceof CallError && error.failure.type === 'refused' && error.failure.status === 404)
      throw new GatewayError(`There is no turn '${id}' at ${client.url}, or it is another tenant's. \`turnkeep turns\` lists the turns.`, {
        cause: error,
      });
    return withGatewayErrors(client, () => Promise.reject(error));
  }
}

/** The id of the tenant's newest turn. @throws {GatewayError} where there is none */
export async function newestTurn(client: GatewayClient): Promise<string> {
  const page = await withGatewayErrors(client, async () => readTurnPage(await client.json('GET', '/turns?limit=1'), client));
  const [newest] = page.data;
  if (newest === undefined) throw new GatewayError(`There are no turns at ${client.url} yet.`);
  return newest.id;
}
