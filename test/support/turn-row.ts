/** A turn as the database keeps it, for what decides about one without a database. */
import { defaultSettings } from '../../src/domain/response/response-settings.ts';
import type { TurnRow } from '../../src/domain/turn/turn.ts';

export function turnRow(fields: Partial<TurnRow> = {}): TurnRow {
  return {
    id: 'resp_a',
    publicId: fields.id ?? 'resp_a',
    tenant: 'default',
    kind: 'response',
    session: null,
    previous: null,
    replaces: null,
    parent: null,
    status: 'queued',
    settings: defaultSettings('scripted'),
    inputCount: 0,
    bringsOutputs: false,
    bodyHash: 'hash',
    createdAtMs: 1_000,
    isStored: true,
    readyAtMs: null,
    isDispatched: false,
    isRecorded: false,
    cancelRequestedAtMs: null,
    settledAtMs: null,
    erasedBy: null,
    errorCode: null,
    retryAtMs: null,
    usage: null,
    workflowId: null,
    runId: null,
    ownerRunId: null,
    ...fields,
  };
}

/** The facts as a driver gives them that gathers each when it is looked at; `seen` tells which were, in order. */
export function lazily<Facts extends object>(facts: Facts): { readonly facts: Facts; readonly seen: readonly string[] } {
  const seen: string[] = [];
  const lazy = { ...facts };
  for (const name of Object.keys(facts)) {
    Object.defineProperty(lazy, name, {
      get: () => {
        seen.push(name);
        return Reflect.get(facts, name) as unknown;
      },
    });
  }
  return { facts: lazy, seen };
}
