/** From a submission to an accepted turn: one commit, behind which it cannot be lost; all else follows by itself. */
import type { InputItem } from '../domain/item.ts';
import { journalRowOf } from '../domain/response/response-event.ts';
import { ResponseStream } from '../domain/response/response-stream.ts';
import { newResponse } from '../domain/response/response.ts';
import type { TurnRow } from '../domain/turn/turn.ts';
import type { WebhookEvent } from '../domain/turn/webhook.ts';
import type { Asker } from '../settle/claim-unless-away.ts';
import type { Store } from '../store/ports/store.ts';
import type { InsertTurn, NewTurn } from '../store/ports/turns.ts';
import { workflowIdOf } from '../contract/workflows.ts';
import type { TurnCanceller } from './cancel-turn.ts';
import type { Dispatcher } from './dispatcher.ts';
import type { EndRates } from './end-rates.ts';
import { childIdOf, newId } from './ids.ts';
import { whileCallerWaits } from './patience.ts';
import { type Approvals, readApprovals, type ToollessApproval, type TwofoldApproval, type UnknownApproval } from './approvals.ts';
import { outputsWithoutCall, resolveInput, type Submission, type Unresolved } from './submission.ts';
import { serialize } from './serialize.ts';
import { startTitle } from './titles.ts';

export type SubmitResult =
  | { readonly type: 'accepted'; readonly turn: TurnRow }
  | Exclude<InsertTurn, { type: 'inserted' | 'joined' | 'too_many' }>
  /** The tenant has as many as it may have. `retryAfterMs`: when it may have room for this one, as its turns end. */
  | { readonly type: 'too_many'; readonly retryAfterMs: number }
  | Unresolved
  /** `input[index]` brings the output of a call that was never made. */
  | { readonly type: 'unknown_call'; readonly index: number; readonly id: string }
  | UnknownApproval
  | TwofoldApproval
  | ToollessApproval;

export interface Quotas {
  /** Turns of one session that may wait behind the one that runs. */
  readonly maxWaitingTurns: number;
  /** Unsettled turns of one tenant. */
  readonly maxRunningTurns: number;
}

export interface SubmitDeps {
  readonly store: Store;
  readonly dispatcher: Dispatcher;
  readonly canceller: TurnCanceller;
  readonly quotas: Quotas;
  readonly endRates: EndRates;
  /** Of their provider, which fails turn after turn and long since: a new turn would not wait for it. */
  readonly providerRefusedForMs?: ((asker: Asker) => number | undefined) | undefined;
  readonly hasTitles: boolean;
  readonly webhookEventsOf: (tenant: string) => readonly WebhookEvent[];
}

/**
 * @throws `StoreBusyError` when the database did not take it in 5 s; the reason of `submission.signal` once that aborts and
 * the turn is not in yet
 */
export async function submitTurn(deps: SubmitDeps, submission: Submission): Promise<SubmitResult> {
  const { store } = deps;
  const input = await resolveInput(store, submission);
  if ('type' in input) return input;
  const unknownCall = await findUnknownCall(store, submission, input);
  if (unknownCall !== undefined) return unknownCall;

  const approvals = await readApprovals(store, submission, input);
  if ('type' in approvals) return approvals;

  const result = await insert(deps, submission, input, approvals);
  if (result.type === 'joined') return { type: 'accepted', turn: result.turn };
  if (result.type === 'too_many') return { type: 'too_many', retryAfterMs: await deps.endRates.refuse(submission.tenant) };
  if (result.type !== 'inserted') return result;
  begin(deps, result);
  return { type: 'accepted', turn: result.turn };
}

async function insert(
  { store, dispatcher, quotas, providerRefusedForMs, hasTitles, webhookEventsOf }: SubmitDeps,
  submission: Submission,
  input: readonly InputItem[],
  approvals: Approvals,
): Promise<InsertTurn> {
  const {
    tenant,
    settings,
    session,
    previous,
    idempotencyKey,
    replaces,
    parent,
    completion,
    isResend,
    owner,
    whenBusy = 'enqueue',
    receivedAtMs,
    signal,
  } = submission;
  const { json, bodyHash } = await serialize(submission, input);
  const own = owner === undefined ? undefined : submission.id;
  const id = parent === undefined ? (own ?? newId('resp')) : childIdOf(parent);
  const createdAtMs = Date.now();
  const opening = ResponseStream.open(
    newResponse({ id: submission.id ?? id, createdAtMs, settings, session, previous: submission.continues ?? previous }),
  );
  const stream = ResponseStream.replay(opening);
  const [inProgress] = stream.begin();
  const { headStart } = dispatcher;
  // Approved calls come before the first request; one that its provider is not to get now is left to `claimAndRun`.
  const startsAhead = approvals.calls.length === 0 && (headStart?.breakers?.state({ tenant, settings }).type ?? 'closed') === 'closed';
  using room = startsAhead ? headStart?.reserve(tenant) : undefined;
  const refusedForMs = providerRefusedForMs?.({ tenant, settings });
  const turn: NewTurn = {
    id,
    tenant,
    session,
    previous,
    settings,
    input,
    json,
    bodyHash,
    idempotencyKey,
    createdAtMs,
    receivedAtMs,
    whenBusy,
    isResend,
    workflowId: owner?.workflowId ?? workflowIdOf(id),
    ...(owner === undefined ? {} : { ownerRunId: owner.firstRunId }),
    events: opening.map(journalRowOf),
    joinsTwin: idempotencyKey === null && submission.id === undefined,
    limits: quotas,
    ...(signal === undefined ? {} : { signal }),
    ...(submission.id === undefined ? {} : { chosenId: submission.id }),
    ...(replaces === undefined ? {} : { replaces }),
    ...(parent === undefined ? {} : { parent }),
    ...(refusedForMs === undefined ? {} : { refusedForMs }),
    ...(completion === undefined ? {} : { completion }),
    ...(approvals.answered.length === 0 ? {} : { approvals }),
    ...(hasTitles && settings.store ? { wantsTitle: true } : {}),
    ...(settings.background ? { webhookEvents: webhookEventsOf(tenant) } : {}),
    ...(headStart !== undefined && room !== undefined && inProgress !== undefined
      ? { headStart: { lease: headStart.lease, row: journalRowOf(inProgress) } }
      : {}),
  };
  const result = await whileCallerWaits(() => store.insertTurn(turn), signal);
  if (result.type === 'inserted' && result.begun !== undefined && headStart !== undefined && inProgress !== undefined) {
    const { turn: row, begun } = result;
    const events = [...opening, inProgress];
    headStart.run({ type: 'granted', ...begun, attempt: 1, lostAttempts: 0, turn: row, readySinceMs: 0, events }, 1);
  }
  return result;
}

/** What follows from a new turn: its dispatch, the cancel of the one it interrupts, its own early cancel, its session's title. */
function begin(
  { store, dispatcher, canceller }: SubmitDeps,
  { turn, interrupted, begun, givesTitle }: InsertTurn & { type: 'inserted' },
): void {
  // What fails here was booked by the same commit, and the sweep of any process does it.
  const ignore = (): undefined => undefined;
  if (interrupted !== undefined) canceller.carryOut(interrupted).catch(ignore);
  // Its cancel came before it: it ends without a model call.
  if (turn.cancelRequestedAtMs !== null) canceller.carryOut(turn.id).catch(ignore);
  else if (turn.ownerRunId !== null) ignore();
  else if (begun !== undefined) dispatcher.startSoon(turn.id, turn);
  else if (turn.readyAtMs !== null) void dispatcher.runReady(turn.id, turn);
  if (givesTitle === true && turn.session !== null) {
    startTitle(store, dispatcher, { session: turn.session, turn: turn.id }).catch(ignore);
  }
}

async function findUnknownCall(store: Store, submission: Submission, input: readonly InputItem[]): Promise<SubmitResult | undefined> {
  const { tenant, session, previous, replaces } = submission;
  const outputs = outputsWithoutCall(input);
  if (outputs.length === 0 || replaces !== undefined) return undefined;
  // While turns of the session run, their calls are still to come.
  if (session !== null && (await store.listUnsettledOf(tenant, session)).length > 0) return undefined;
  const leaf = session === null ? await idOf(store, tenant, previous) : (await store.readSession(tenant, session))?.leaf;
  const callIds = outputs.map(({ callId }) => callId);
  const unknown = leaf == null ? callIds[0] : await store.findUnknownCall(tenant, leaf, callIds);
  const output = outputs.find(({ callId }) => callId === unknown);
  return output && { type: 'unknown_call', index: output.index, id: output.callId };
}

async function idOf(store: Store, tenant: string, publicId: string | null): Promise<string | undefined> {
  return publicId === null ? undefined : (await store.findTurn(tenant, publicId))?.id;
}
