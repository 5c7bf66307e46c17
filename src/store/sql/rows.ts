/** Rows of the database as the types of `domain/`. A turn's row has its settings beside it: see `turnRows` in `turns.ts`. */
import { defaultSettings, type ResponseSettings } from '../../domain/response/response-settings.ts';
import { isFailureCode } from '../../domain/failure.ts';
import type { ResponseStatus } from '../../domain/response/response.ts';
import type { JournalRow } from '../../domain/response/response-event.ts';
import type { SessionRow } from '../../domain/turn/session.ts';
import type { TurnRow } from '../../domain/turn/turn.ts';
import type { Row } from './work.ts';

export function turnOf(row: Row): TurnRow {
  const errorCode = row['error_code'];
  return {
    id: text(row['id']),
    publicId: text(row['public_id'] ?? row['id']),
    tenant: text(row['tenant']),
    kind: row['kind'] as TurnRow['kind'],
    session: textOrNull(row['session']),
    previous: textOrNull(row['previous']),
    replaces: textOrNull(row['replaces']),
    parent: typeof row['parent'] === 'string' ? { turn: row['parent'], number: Number(row['parent_call']) } : null,
    status: row['status'] as ResponseStatus,
    settings: settingsOf(row['settings']),
    inputCount: Number(row['input_count']),
    bringsOutputs: row['brings_outputs'] === 1,
    bodyHash: text(row['body_hash']),
    createdAtMs: Number(row['created_at']),
    isStored: row['stored'] === 1,
    readyAtMs: numberOrNull(row['ready_at']),
    isDispatched: row['dispatched'] === 1,
    isRecorded: row['branch'] !== null,
    cancelRequestedAtMs: numberOrNull(row['cancel_requested_at']),
    settledAtMs: numberOrNull(row['settled_at']),
    erasedBy: erasedByOf(row['erased_by']),
    errorCode: isFailureCode(errorCode) ? errorCode : null,
    retryAtMs: numberOrNull(row['retry_at']),
    usage: row['usage'] === null ? null : parsed(row['usage']),
    workflowId: textOrNull(row['workflow_id']),
    runId: textOrNull(row['run_id']),
    ownerRunId: textOrNull(row['owner_run']),
  };
}

/** An earlier version wrote fewer of them, an erased turn has none. */
function settingsOf(value: Row[string] | undefined): ResponseSettings {
  const defaults = defaultSettings('');
  return typeof value === 'string' ? { ...defaults, ...parsed<Partial<ResponseSettings>>(value) } : defaults;
}

export function sessionOf(row: Row): SessionRow {
  return {
    id: text(row['id']),
    tenant: text(row['tenant']),
    leaf: textOrNull(row['leaf']),
    metadata: parsed(row['metadata']),
    createdAtMs: Number(row['created_at']),
  };
}

/** Of the columns `seq, type, data`. */
export function journalRow(row: Row): JournalRow {
  return { seq: Number(row['seq']), type: text(row['type']), data: text(row['data']) };
}

export function erasedByOf(value: Row[string] | undefined): TurnRow['erasedBy'] {
  return value === 'owner' || value === 'retention' ? value : null;
}

/** The driver wrote it, so its shape is known. */
export function parsed<T>(value: Row[string] | undefined): T {
  return JSON.parse(text(value)) as T;
}

export function text(value: Row[string] | undefined): string {
  if (typeof value !== 'string') throw new TypeError('the database has no text where text belongs');
  return value;
}

export function textOrNull(value: Row[string] | undefined): string | null {
  return typeof value === 'string' ? value : null;
}

export function numberOrNull(value: Row[string] | undefined): number | null {
  return value === null || value === undefined ? null : Number(value);
}
