/** `GET /turns/{id}`: what happened in a turn, attempt by attempt. Times in ISO 8601, keys in snake_case as in OpenAI's objects. */
import { type AttemptRow, isLost } from './attempt.ts';
import { isCompactionStep, notSent } from '../prompt/overflow.ts';
import { failureRules } from '../failure.ts';
import { type ResponseObject, sumOf, unknownUsage, type Usage } from '../response/response.ts';
import { sumOfPriced, usageOfCalls, withCost } from './spent.ts';
import type { ToolCallRow } from '../agents/tool-call.ts';
import type { ToolRun } from '../agents/tool-run.ts';
import type { TurnRow } from './turn.ts';
import { eventIdOf, type WebhookRow } from './webhook.ts';

export interface TimelineFacts {
  readonly turn: TurnRow;
  readonly attempts: readonly AttemptRow[];
  /** Calls of tools that workers run. */
  readonly toolCalls: readonly ToolCallRow[];
  /** Of a turn that carries out a call of another one, by the id that its tenant knows. */
  readonly parent?: { readonly id: string; readonly callId: string } | undefined;
  /** The turns that carry out its calls, by the numbers of the calls. */
  readonly children?: readonly { readonly number: number; readonly publicId: string }[];
  /** Absent for an erased turn: it has lost its words, those of its error too. */
  readonly response?: Pick<ResponseObject, 'error' | 'output'> | undefined;
  /** Of a turn that owes an event. */
  readonly webhook?: WebhookRow | undefined;
  /** Where people look at Temporal's runs, up to the namespace, such as `http://127.0.0.1:8233/namespaces/default`. */
  readonly temporalUi?: string | undefined;
}

export function timelineOf({ turn, attempts, toolCalls, parent, children = [], response, webhook, temporalUi }: TimelineFacts): object {
  return {
    id: turn.publicId,
    session: turn.session,
    ...(parent === undefined ? {} : { parent: { id: parent.id, call_id: parent.callId } }),
    status: turn.status,
    model: turn.settings.model,
    error: errorOf(turn, response?.error?.message),
    workflow_id: turn.workflowId,
    run_id: turn.runId,
    ...(turn.ownerRunId === null ? {} : { owner: turn.workflowId }),
    created_at: iso(turn.createdAtMs),
    settled_at: turn.settledAtMs === null ? null : iso(turn.settledAtMs),
    steps: stepsOf(turn, attempts, toolCalls, new Map(children.map(({ number, publicId }) => [number, publicId]))),
    usage: sumOfPriced(withCost(turn, turn.usage), usageOfCalls(toolCalls)),
    lost_usage: withCost(turn, lostUsageOf(attempts)),
    ...(turn.settings.omitted_fields === undefined ? {} : { omitted_fields: turn.settings.omitted_fields }),
    ...(turn.settings.omitted_tools === undefined ? {} : { omitted_tools: turn.settings.omitted_tools }),
    ...(turn.retryAtMs === null ? {} : { retry_at: iso(turn.retryAtMs) }),
    ...(webhook === undefined ? {} : { webhook: webhookReport(webhook) }),
    output: response?.output ?? null,
    links: {
      response: `/v1/responses/${turn.publicId}`,
      ...(temporalUi === undefined || turn.workflowId === null ? {} : { temporal: linkToRun(temporalUi, turn.workflowId, turn.runId) }),
    },
  };
}

/** Requests to the model, and the calls that came before each. */
function stepsOf(
  { publicId }: TurnRow,
  attempts: readonly AttemptRow[],
  toolCalls: readonly ToolCallRow[],
  turns: ReadonlyMap<number, string>,
): readonly object[] {
  const ofModel = Map.groupBy(attempts, ({ step }) => step);
  const ofTools = Map.groupBy(toolCalls, ({ step }) => step);
  const numbers = [...new Set([...ofModel.keys(), ...ofTools.keys()])].toSorted((one, other) => one - other);
  return numbers.flatMap((number) => {
    const [calls, requests] = [ofTools.get(number), ofModel.get(number)];
    return [
      ...(calls === undefined
        ? []
        : [
            {
              kind: 'tools',
              started: calls.some(({ startedAtMs }) => startedAtMs !== undefined),
              calls: calls.map((call) => callReport(call, publicId, turns.get(call.number))),
            },
          ]),
      ...(requests === undefined
        ? []
        : [
            {
              kind: isCompactionStep(attempts, number) ? 'compaction' : 'model',
              started: requests.some((attempt) => attempt.firstEventAtMs !== undefined),
              attempts: requests.map(attemptReport),
            },
          ]),
    ];
  });
}

/** @param turn that carries it out, where an agent was called */
function callReport(call: ToolCallRow, of: string, turn: string | undefined): object {
  const { number, name, serverLabel, origin, runs, attempts = [], startedAtMs, endedAtMs, outcome, progress, usage } = call;
  return {
    name,
    server_label: serverLabel,
    call_id: origin.call_id,
    runs,
    started_at: startedAtMs === undefined ? null : iso(startedAtMs),
    ended_at: endedAtMs === undefined ? null : iso(endedAtMs),
    outcome: outcome ?? (runs === 0 ? 'waiting' : 'running'),
    attempts: attempts.map(runReport),
    ...(outcome === undefined || outcome === 'cut_off' ? {} : { result: `/turns/${of}/calls/${number}` }),
    ...(progress === undefined ? {} : { progress }),
    ...(turn === undefined ? {} : { turn }),
    ...(usage === undefined ? {} : { usage }),
  };
}

function runReport({ startedAtMs, endedAtMs, outcome, holder }: ToolRun, index: number): object {
  return {
    attempt: index + 1,
    started_at: iso(startedAtMs),
    ended_at: endedAtMs === undefined ? null : iso(endedAtMs),
    outcome: outcome ?? 'running',
    ...(holder === undefined ? {} : { worker: holder }),
  };
}

function linkToRun(ui: string, workflowId: string, runId: string | null): string {
  const workflow = `${ui}/workflows/${encodeURIComponent(workflowId)}`;
  return runId === null ? workflow : `${workflow}/${runId}/history`;
}

function errorOf({ errorCode: code }: TurnRow, message: string | undefined): { readonly code: string; readonly message: string } | null {
  return code === null ? null : { code, message: message ?? failureRules[code].message };
}

/** What the attempts that failed cost, all in all; null when the provider did not say of one of them: unknown, not zero. */
function lostUsageOf(attempts: readonly AttemptRow[]): Usage | null {
  const lost = attempts.filter((attempt) => isLost(attempt) && attempt.detail !== notSent).map(({ usage }) => usage);
  return lost.reduce<Usage | null>((sum, usage) => (sum === null || usage === undefined ? null : sumOf(sum, usage)), unknownUsage);
}

function webhookReport({ turn, event, status, attempts, lastError }: WebhookRow): object {
  return { event_id: eventIdOf(turn), event, status, attempts, last_error: lastError };
}

function attemptReport(attempt: AttemptRow): object {
  const { code, detail, waitMs, providerRequestId, firstEventAtMs, endedAtMs, holder, keptResponse, reattachments } = attempt;
  return {
    attempt: attempt.attempt,
    requested_at: iso(attempt.requestedAtMs),
    ...(firstEventAtMs === undefined ? {} : { first_event_at: iso(firstEventAtMs) }),
    ended_at: endedAtMs === undefined ? null : iso(endedAtMs),
    outcome: attempt.outcome ?? 'running',
    ...(code === undefined ? {} : { code }),
    ...(detail === undefined ? {} : { detail }),
    ...(waitMs === undefined ? {} : { wait_ms: waitMs }),
    ...(providerRequestId === undefined ? {} : { provider_request_id: providerRequestId }),
    ...(keptResponse === undefined ? {} : { provider_response_id: keptResponse.id }),
    ...(reattachments === undefined ? {} : { reattached: reattachments.map(({ atMs, ...rest }) => ({ at: iso(atMs), ...rest })) }),
    ...(holder === undefined ? {} : { worker: holder }),
  };
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
