/**
 * A turn as a bundle (`bundle.ts`), piece by piece: of its journal, its calls' results and its past a slice is in memory at a
 * time, and the event loop is free in between (T14). All but Temporal's part comes out of the database alone.
 */
import { setImmediate as nextTurnOfTheLoop } from 'node:timers/promises';
import { readTimeline } from '../client/read-timeline.ts';
import { readToolResult } from '../store/tool-result.ts';
import type { Turnkeep } from '../client/turnkeep.ts';
import type { AttemptRow } from '../domain/turn/attempt.ts';
import type { ToolCallRow } from '../domain/agents/tool-call.ts';
import type { TranscriptTurn } from '../domain/prompt/prompt.ts';
import type { RecordingPart } from '../domain/turn/recording.ts';
import type { JournalRow } from '../domain/response/response-event.ts';
import { timelineOf } from '../domain/turn/timeline.ts';
import type { TurnRow } from '../domain/turn/turn.ts';
import type { Store } from '../store/ports/store.ts';
import { bundleFormat, bundleVersion } from './bundle.ts';
import { jsonPieces } from './json-pieces.ts';
import type { JsonEvent } from './history-json.ts';
import type { Histories, HistoryReader } from './read-histories.ts';
import { Redactor } from './redact.ts';
import { redactEvent } from './redact-history.ts';
import { eventWithoutSecrets, type Secrets, secretsOf, textWithoutSecrets, withoutSecrets } from './secrets.ts';

export interface ExportDeps {
  readonly store: Store;
  readonly turnkeep: Turnkeep;
  readonly readHistories: HistoryReader;
  /** turnkeep's own. */
  readonly version: string;
  /** See `TimelineFacts`. */
  readonly temporalUi?: string | undefined;
}

export interface ExportOptions {
  /** Without content: see `redact.ts`. */
  readonly isRedacted: boolean;
}

/** The JSON text of a bundle, in pieces. Throws where the turn is deleted meanwhile. */
export type TurnExporter = (turn: TurnRow, options: ExportOptions) => AsyncGenerator<string, void, undefined>;

const journalRowsAtOnce = 256;
/** A megabyte of them at the most, but for those of long answers that were recorded without their bytes. */
const recordingPartsAtOnce = 16;

/** What is handed on at once, in characters. */
const pieceChars = 65_536;

export function createExporter(deps: ExportDeps): TurnExporter {
  return (turn, options) => inLargePieces(bundleText(deps, turn, options));
}

async function* bundleText(deps: ExportDeps, turn: TurnRow, { isRedacted }: ExportOptions): AsyncGenerator<string> {
  const { store, turnkeep, readHistories, version, temporalUi } = deps;
  const redactor = isRedacted ? await redactorFor(store, turn) : undefined;
  const secrets = secretsOf(turn.settings);
  const shown = async (value: unknown, mode?: 'items'): Promise<unknown> =>
    redactor === undefined ? withoutSecrets(value, secrets) : redactor.value(value, mode);
  const head = { format: bundleFormat, version: bundleVersion, exported_at: new Date().toISOString(), turnkeep: version };
  const facts = await readTimeline(turnkeep, turn);
  yield JSON.stringify({ ...head, redacted: isRedacted }).slice(0, -1);
  yield* member('timeline', await shown(timelineOf({ ...facts, temporalUi })));
  yield* member('turn', await shown(turnMember(turn)));
  yield* list('transcript', (await store.readTranscript(turn.id)).values(), (earlier) => shown(earlierTurn(earlier)));
  yield* list('input', (await store.readInput(turn.id)).values(), (item) => shown(item, 'items'));
  yield* list('attempts', facts.attempts.values(), (attempt) => shown(attemptMember(attempt)));
  yield* list('calls', callsWithResults(store, facts.toolCalls), shown);
  yield* list(
    'journal',
    journalRows(store, turn.id),
    (row) => redactor?.journalRow(row) ?? { ...row, data: textWithoutSecrets(row.data, secrets) },
  );
  if (isRedacted) yield* recordingsLeftOut(store, turn.id);
  else yield* list('recordings', recordingParts(store, turn.id), recordingMember);
  const histories = await readHistories(turn);
  yield* temporalMember(histories, redactor, secrets);
  const [left, journal] = [await store.readTurn(turn.id), await store.readHead(turn.id)];
  // What went meanwhile is missing, and the file is not to look whole.
  if (left?.erasedBy !== turn.erasedBy || (journal === undefined) !== (facts.journal === undefined)) {
    throw new Error(`${turn.publicId} was deleted while it was exported`);
  }
  yield '\n}\n';
}

async function redactorFor(store: Store, { id, publicId }: TurnRow): Promise<Redactor> {
  const redactor = new Redactor(publicId === id ? [] : [publicId]);
  for await (const row of journalRows(store, id)) redactor.deltas.add(row);
  await redactor.deltas.end();
  return redactor;
}

/** An event at a time: the history of a workflow of somebody's own may have very many. */
function* temporalMember(histories: Histories, redactor: Redactor | undefined, secrets: Secrets): Generator<string> {
  if ('missing' in histories) {
    // Behind the colon are words of the server.
    yield* member('temporal', redactor === undefined ? histories : { missing: histories.missing.split(':', 1)[0] });
    return;
  }
  const { workflowId, runs, runsLeftOut } = histories;
  const shown = (event: JsonEvent): unknown =>
    redactor === undefined ? eventWithoutSecrets(event, secrets) : redactEvent(event, redactor.texts);
  const about = { workflow_id: redactor?.texts.id(workflowId) ?? workflowId, run_ids: runs.map(({ runId }) => runId) };
  yield `,\n"temporal":${JSON.stringify(about).slice(0, -1)},"histories":[`;
  for (const [run, { events }] of runs.entries()) {
    yield run === 0 ? '{"events":[' : ',{"events":[';
    for (const [index, event] of events.entries()) {
      if (index > 0) yield ',';
      yield* jsonPieces(shown(event));
    }
    yield ']}';
  }
  yield runsLeftOut === 0 ? ']}' : `],"runs_left_out":${runsLeftOut}}`;
}

function* member(name: string, value: unknown): Generator<string> {
  yield `,\n${JSON.stringify(name)}:`;
  yield* jsonPieces(value);
}

/** A row a line. */
async function* list<T>(
  name: string,
  rows: Iterator<T> | AsyncIterator<T>,
  toJson: (row: T) => unknown = (row) => row,
): AsyncGenerator<string> {
  yield `,\n${JSON.stringify(name)}:[`;
  let before = '\n';
  for (let next = await rows.next(); next.done !== true; next = await rows.next()) {
    yield before;
    yield* jsonPieces(await toJson(next.value));
    before = ',\n';
  }
  yield ']';
}

async function* journalRows(store: Store, turn: string): AsyncGenerator<JournalRow> {
  let after = -1;
  for (;;) {
    const rows = await store.readJournal(turn, { after, limit: journalRowsAtOnce });
    for (const { seq, type, data } of rows) yield { seq, type, data };
    const last = rows.at(-1);
    if (last === undefined || rows.length < journalRowsAtOnce) return;
    after = last.seq;
  }
}

async function* recordingParts(store: Store, turn: string): AsyncGenerator<RecordingPart> {
  let after: RecordingPart | undefined;
  for (;;) {
    const parts = await store.readRecordings(turn, { after, limit: recordingPartsAtOnce });
    yield* parts;
    after = parts.at(-1);
    if (after === undefined) return;
    await nextTurnOfTheLoop();
  }
}

async function* recordingsLeftOut(store: Store, turn: string): AsyncGenerator<string> {
  let leftOut = 0;
  for await (const _part of recordingParts(store, turn)) leftOut += 1;
  yield* list('recordings', [].values());
  if (leftOut > 0) yield* member('recordings_left_out', leftOut);
}

async function* callsWithResults(store: Store, rows: readonly ToolCallRow[]): AsyncGenerator<object> {
  for (const row of rows) {
    const stream = await readToolResult(store, row);
    let result: string | null = null;
    if (stream !== undefined) {
      const decoder = new TextDecoder();
      result = '';
      for await (const bytes of stream.pieces) result += decoder.decode(bytes, { stream: true });
    }
    yield { ...callMember(row), result };
  }
}

function turnMember(turn: TurnRow): object {
  return {
    id: turn.id,
    public_id: turn.publicId,
    kind: turn.kind,
    session: turn.session,
    previous: turn.previous,
    replaces: turn.replaces,
    parent: turn.parent,
    status: turn.status,
    settings: turn.settings,
    input_count: turn.inputCount,
    brings_outputs: turn.bringsOutputs,
    is_stored: turn.isStored,
    created_at_ms: turn.createdAtMs,
    ready_at_ms: turn.readyAtMs,
    cancel_requested_at_ms: turn.cancelRequestedAtMs,
    settled_at_ms: turn.settledAtMs,
    error_code: turn.errorCode,
    retry_at_ms: turn.retryAtMs,
    usage: turn.usage,
    workflow_id: turn.workflowId,
    run_id: turn.runId,
    owner_run_id: turn.ownerRunId,
    erased_by: turn.erasedBy,
  };
}

function earlierTurn({ status, errorCode, model, inputCount, isRefused, items }: TranscriptTurn): object {
  return { status, error_code: errorCode, model, input_count: inputCount, ...(isRefused === true ? { is_refused: true } : {}), items };
}

function attemptMember({ turn: _turn, spent, facts, keptResponse, reattachments, ...row }: AttemptRow): object {
  return {
    ...snakeCased(row),
    ...(facts === undefined ? {} : { facts: snakeCased(facts) }),
    ...(spent === undefined ? {} : { spent: snakeCased(spent) }),
    ...(keptResponse === undefined ? {} : { kept_response: keptResponse }),
    ...(reattachments === undefined ? {} : { reattachments: reattachments.map(snakeCased) }),
  };
}

function recordingMember({ data, ...part }: RecordingPart): object {
  return { ...part, data: Buffer.from(data).toString('base64') };
}

function callMember({ turn: _turn, attempts, ...row }: ToolCallRow): object {
  return { ...snakeCased(row), ...(attempts === undefined ? {} : { attempts: attempts.map(snakeCased) }) };
}

/** The members themselves; what is in them stays as it is. */
function snakeCased(row: object): object {
  return Object.fromEntries(
    Object.entries(row).map(([key, value]) => [key.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`), value]),
  );
}

async function* inLargePieces(pieces: AsyncIterable<string>): AsyncGenerator<string, void, undefined> {
  let text = '';
  for await (const piece of pieces) {
    text += piece;
    if (text.length < pieceChars) continue;
    yield text;
    text = '';
    await nextTurnOfTheLoop();
  }
  if (text !== '') yield text;
}
