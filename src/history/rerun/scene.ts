/** Where a turn is run again: a database of its own, in which it stands as it was taken in, and nothing else does. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { InputItem } from '../../domain/item.ts';
import type { TranscriptTurn } from '../../domain/prompt/prompt.ts';
import type { NewToolCall } from '../../domain/agents/tool-call.ts';
import { type JournalRow, journalRowOf, type ResponseEvent } from '../../domain/response/response-event.ts';
import type { ResponseSettings } from '../../domain/response/response-settings.ts';
import { ResponseStream } from '../../domain/response/response-stream.ts';
import { newResponse } from '../../domain/response/response.ts';
import type { Store } from '../../store/ports/store.ts';
import { openSqliteStore } from '../../store/sqlite/open-store.ts';
import type { Bundle } from '../bundle.ts';

const tenant = 'rerun';

/** A database that turns are run again in, one after the other. */
export class RerunDatabase implements AsyncDisposable {
  #folder: string | undefined;
  #store: Store | undefined;
  #turns = new Set<string>();
  #count = 0;

  /** @param turn that is to be run again in it: a second time in another one */
  async storeFor(turn: string): Promise<Store> {
    if (this.#store !== undefined && !this.#turns.has(turn)) {
      this.#turns.add(turn);
      return this.#store;
    }
    await this.#store?.close();
    this.#folder ??= await mkdtemp(join(tmpdir(), 'turnkeep-rerun-'));
    this.#count += 1;
    this.#turns = new Set([turn]);
    this.#store = openSqliteStore(join(this.#folder, `${this.#count}.db`));
    return this.#store;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#store?.close();
    if (this.#folder !== undefined) await rm(this.#folder, { recursive: true, force: true });
  }
}

/** Where a row of the journal came from. */
export interface RowOrigin {
  readonly step: number;
  readonly attempt: number;
  /** Of the answer, so many bytes had been read. */
  readonly byte: number;
}

/** What a scene is told by whoever plays in it. */
export interface SceneHooks {
  /** Rows are being written. */
  origin: () => RowOrigin | undefined;
  /** The end that is about to be written was refused then, since a cancel had been accepted. */
  wasCancelled: () => boolean;
  /** Something was written. */
  onWritten: () => void;
}

export interface Scene {
  readonly store: Store;
  readonly turn: string;
  readonly hooks: SceneHooks;
  readonly origins: ReadonlyMap<number, RowOrigin>;
  /** Places of the calls that have their end. */
  readonly endedCalls: ReadonlySet<number>;
}

/** The turn, taken in and not asked yet. */
export async function openScene(database: RerunDatabase, bundle: Bundle): Promise<Scene> {
  const turn = bundle.turn.id;
  const whole = await database.storeFor(turn);
  const hooks: SceneHooks = { origin: () => undefined, wasCancelled: () => false, onWritten: () => undefined };
  const origins = new Map<number, RowOrigin>();
  const endedCalls = new Set<number>();
  const noted = <T>(result: T, rows: readonly JournalRow[] = []): T => {
    const origin = hooks.origin();
    if (origin !== undefined) for (const { seq } of rows) origins.set(seq, origin);
    hooks.onWritten();
    return result;
  };
  const cancel = async (): Promise<void> => {
    await whole.requestCancel(tenant, bundle.turn.public_id, Date.now());
  };
  // A call that was never begun, of a turn that was to be cancelled: it was refused.
  const wasRefused = (number: number): boolean => {
    const call = bundle.calls.find((each) => each.number === number);
    return bundle.turn.cancel_requested_at_ms !== null && call?.runs === 0 && call.outcome === 'cut_off';
  };
  const store: Store = {
    ...whole,
    readTranscript: async () => bundle.transcript.map(transcriptTurnOf),
    readInput: async () => bundle.input as unknown as readonly InputItem[],
    // What was waited then is not waited again.
    endAttempt: async (key, epoch, end) => whole.endAttempt(key, epoch, end.waitMs === undefined ? end : { ...end, waitMs: 0 }),
    append: async (append) => noted(await whole.append(append), append.rows),
    seal: async (seal) => {
      if (hooks.wasCancelled()) await cancel();
      return noted(await whole.seal(seal), seal.rows);
    },
    endStep: async (step) => {
      if (hooks.wasCancelled()) await cancel();
      return noted(await whole.endStep(step), step.rows);
    },
    startToolCall: async (start) => {
      if (wasRefused(start.number)) await cancel();
      return noted(await whole.startToolCall(start), start.shown?.rows);
    },
    endToolCall: async (end) => {
      const isWritten = noted(await whole.endToolCall(end), end.rows);
      for (const { data } of end.rows) endedCalls.add((JSON.parse(data) as { readonly output_index: number }).output_index);
      hooks.onWritten();
      return isWritten;
    },
  };
  await insert(whole, bundle);
  return { store, turn, hooks, origins, endedCalls };
}

async function insert(store: Store, { turn, calls, journal }: Bundle): Promise<void> {
  // Its calls are answered with what they came to in this turn, also where that came from another one.
  const { recorded_calls_of: _elsewhere, ...settings } = turn.settings as unknown as ResponseSettings;
  // Of the session and the turn before it, the response names what its client named.
  const first = journal[0] === undefined ? undefined : (JSON.parse(journal[0].data) as ResponseEvent);
  const created = first?.type === 'response.created' ? first.response : undefined;
  const { conversation, previous_response_id: previous } = (created ?? {}) as {
    readonly conversation?: { readonly id: string } | null;
    readonly previous_response_id?: string | null;
  };
  const response = newResponse({
    id: turn.public_id,
    createdAtMs: turn.created_at_ms,
    settings,
    session: conversation?.id ?? null,
    previous: previous ?? null,
  });
  const approved = calls.filter(({ step }) => step === 1).map(newCallOf);
  const inserted = await store.insertTurn({
    id: turn.id,
    ...(turn.public_id === turn.id ? {} : { chosenId: turn.public_id }),
    tenant,
    session: null,
    previous: null,
    settings,
    input: [],
    json: { settings: JSON.stringify(settings), input: [] },
    idempotencyKey: null,
    bodyHash: turn.id,
    receivedAtMs: turn.created_at_ms,
    createdAtMs: turn.created_at_ms,
    isResend: false,
    joinsTwin: false,
    workflowId: `turn/${turn.id}`,
    events: ResponseStream.open(response).map(journalRowOf),
    whenBusy: 'enqueue',
    limits: { maxWaitingTurns: 1, maxRunningTurns: Number.MAX_SAFE_INTEGER },
    ...(approved.length === 0 ? {} : { approvals: { answered: [], calls: approved } }),
  });
  if (inserted.type !== 'inserted') throw new Error(`the turn cannot be taken in again: ${inserted.type}`);
}

function newCallOf({
  number,
  server_label,
  name,
  arguments: args,
  origin,
  approval_request_id: request,
}: Bundle['calls'][number]): NewToolCall {
  const call = { number, position: null, serverLabel: server_label, name, arguments: args, origin };
  return { ...call, ...(request === undefined ? {} : { approvalRequestId: request }) } as unknown as NewToolCall;
}

function transcriptTurnOf(turn: Bundle['transcript'][number]): TranscriptTurn {
  const { status, error_code: errorCode, model, input_count: inputCount, is_refused: isRefused, items } = turn;
  return { status, errorCode, model, inputCount, ...(isRefused === true ? { isRefused } : {}), items } as unknown as TranscriptTurn;
}
