/**
 * A turn as a bundle (`bundle.ts`), piece by piece: of its journal, its calls' results and its past a slice is in memory at a
 * time, and the event loop is free in between (T14). All but Temporal's part comes out of the database alone.
 */
import { setImmediate as nextTurnOfTheLoop } from 'node:timers/promises';
import { readTimeline } from '../client/read-timeline.ts';
import { readToolResult } from '../client/tool-result.ts';
import type { Turnkeep } from '../client/turnkeep.ts';
import type { AttemptRow } from '../domain/turn/attempt.ts';
import type { ToolCallRow } from '../domain/agents/tool-call.ts';
import type { TranscriptTurn } from '../domain/prompt/prompt.ts';
import type { RecordingPart } from '../domain/turn/recording.ts';
import { timelineOf } from '../domain/turn/timeline.ts';
import type { TurnRow } from '../domain/turn/turn.ts';
import type { Store } from '../store/ports/store.ts';
import { bundleFormat, bundleVersion } from './bundle.ts';
import { jsonPieces } from './json-pieces.ts';
import type { HistoryReader } from './read-histories.ts';

export interface ExportDeps {
  readonly store: Store;
  readonly turnkeep: Turnkeep;
  readonly readHistories: HistoryReader;
  /** turnkeep's own. */
  readonly version: string;
  /** See `TimelineFacts`. */
  readonly temporalUi?: string | undefined;
}

/** The JSON text of a bundle, in pieces. Throws where the turn is deleted meanwhile. */
export type TurnExporter = (turn: TurnRow) => AsyncGenerator<string, void, undefined>;

const journalRowsAtOnce = 256;

/** What is handed on at once, in characters. */
const pieceChars = 65_536;

export function createExporter(deps: ExportDeps): TurnExporter {
  return (turn) => inLargePieces(bundleText(deps, turn));
}

async function* bundleText(deps: ExportDeps, turn: TurnRow): AsyncGenerator<string> {
  const { store, turnkeep, readHistories, version, temporalUi } = deps;
  const head = { format: bundleFormat, version: bundleVersion, exported_at: new Date().toISOString(), turnkeep: version, redacted: false };
  const facts = await readTimeline(turnkeep, turn);
  yield JSON.stringify(head).slice(0, -1);
  yield* member('timeline', timelineOf({ ...facts, temporalUi }));
  yield* member('turn', turnMember(turn));
  yield* list('transcript', (await store.readTranscript(turn.id)).values(), earlierTurn);
  yield* list('input', (await store.readInput(turn.id)).values());
  yield* list('attempts', facts.attempts.values(), attemptMember);
  yield* calls(store, facts.toolCalls);
  yield* list('journal', journalRows(store, turn.id));
  yield* list('recordings', (await store.readRecordings(turn.id)).values(), recordingMember);
  const histories = await readHistories(turn);
  if ('missing' in histories) yield* member('temporal', histories);
  else {
    const { workflowId, runs, runsLeftOut } = histories;
    yield* member('temporal', {
      workflow_id: workflowId,
      run_ids: runs.map(({ runId }) => runId),
      histories: runs.map(({ events }) => ({ events })),
      ...(runsLeftOut === 0 ? {} : { runs_left_out: runsLeftOut }),
    });
  }
  yield '\n}\n';
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
    yield* jsonPieces(toJson(next.value));
    before = ',\n';
  }
  yield ']';
}

async function* journalRows(store: Store, turn: string): AsyncGenerator<object> {
  let after = -1;
  for (;;) {
    const rows = await store.readJournal(turn, { after, limit: journalRowsAtOnce });
    for (const { seq, type, data } of rows) yield { seq, type, data };
    const last = rows.at(-1);
    if (last === undefined || rows.length < journalRowsAtOnce) return;
    after = last.seq;
  }
}

/** Their results are written as they are read. */
async function* calls(store: Store, rows: readonly ToolCallRow[]): AsyncGenerator<string> {
  yield ',\n"calls":[';
  for (const [index, row] of rows.entries()) {
    yield `${index === 0 ? '\n' : ',\n'}${JSON.stringify(callMember(row)).slice(0, -1)},"result":`;
    const result = await readToolResult(store, row);
    if (result === undefined) yield 'null}';
    else {
      yield '"';
      const decoder = new TextDecoder();
      for await (const bytes of result.pieces) yield JSON.stringify(decoder.decode(bytes, { stream: true })).slice(1, -1);
      yield '"}';
    }
  }
  yield ']';
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

function attemptMember({ turn: _turn, spent, keptResponse, reattachments, ...row }: AttemptRow): object {
  return {
    ...snakeCased(row),
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
