/** `GET /turns/{id}`: what happened in a turn, attempt by attempt. Times in ISO 8601, keys in snake_case as in OpenAI's objects. */
import type { ToolCallRow } from '../agents/tool-call.ts';
import { type AttemptRow, isLost } from './attempt.ts';
import { isCompactionStep, notSent } from '../prompt/overflow.ts';
import { failureRules } from '../failure.ts';
import { type ResponseObject, sumOf, unknownUsage, type Usage } from '../response/response.ts';
import { sumOfPriced, usageOfCalls, withCost } from './spent.ts';
import { type AskedApproval, approvalReports } from './timeline-approvals.ts';
import { attemptReport } from './timeline-attempts.ts';
import { callReport, type ResultPreview } from './timeline-calls.ts';
import { iso } from './timeline-text.ts';
import { viewerReports } from './timeline-viewers.ts';
import { askedModelOf } from '../response/response-settings.ts';
import type { TurnRow } from './turn.ts';
import type { ViewerRow } from './viewer.ts';
import { eventIdOf, type WebhookRow } from './webhook.ts';

export interface TimelineFacts {
  readonly turn: TurnRow;
  readonly attempts: readonly AttemptRow[];
  /** Calls of tools that workers run. */
  readonly toolCalls: readonly ToolCallRow[];
  /** What they came to, by their numbers. */
  readonly results?: ReadonlyMap<number, ResultPreview>;
  /** Answered ones: that it asked for, or that its calls needed. */
  readonly approvals?: readonly AskedApproval[];
  /** Of a turn that carries out a call of another one, by the id that its tenant knows. */
  readonly parent?: { readonly id: string; readonly callId: string } | undefined;
  /** The turns that carry out its calls, by the numbers of the calls. */
  readonly children?: readonly { readonly number: number; readonly publicId: string }[];
  /** Absent for an erased turn: it has lost its words, those of its error too. */
  readonly response?: (Pick<ResponseObject, 'error' | 'output'> & Partial<Pick<ResponseObject, 'incomplete_details'>>) | undefined;
  /** Of a turn that owes an event. */
  readonly webhook?: WebhookRow | undefined;
  /** `last`: the number of its last event. Absent: it is past retention, or the turn is erased. */
  readonly journal?: { readonly epoch: number; readonly last: number } | undefined;
  /** In the order in which they came; the last ones of very many. */
  readonly viewers?: readonly ViewerRow[];
  /** Where people look at Temporal's runs, up to the namespace, such as `http://127.0.0.1:8233/namespaces/default`. */
  readonly temporalUi?: string | undefined;
}

export function timelineOf(facts: TimelineFacts): object {
  const { turn, attempts, toolCalls, approvals = [], parent, response, webhook, temporalUi, journal, viewers = [] } = facts;
  const asked = approvalReports(response?.output ?? [], approvals, turn.settledAtMs);
  return {
    id: turn.publicId,
    session: turn.session,
    ...(parent === undefined ? {} : { parent: { id: parent.id, call_id: parent.callId } }),
    status: turn.status,
    model: turn.settings.model,
    ...(askedModelOf(turn.settings) === turn.settings.model ? {} : { asked_model: askedModelOf(turn.settings) }),
    error: errorOf(turn, response?.error?.message),
    ...(response?.incomplete_details == null ? {} : { incomplete_details: response.incomplete_details }),
    workflow_id: turn.workflowId,
    run_id: turn.runId,
    ...(turn.ownerRunId === null ? {} : { owner: turn.workflowId }),
    created_at: iso(turn.createdAtMs),
    ...(turn.readyAtMs === null ? {} : { ready_at: iso(turn.readyAtMs) }),
    ...(turn.cancelRequestedAtMs === null ? {} : { cancel_requested_at: iso(turn.cancelRequestedAtMs) }),
    settled_at: turn.settledAtMs === null ? null : iso(turn.settledAtMs),
    steps: stepsOf(facts),
    ...(asked.length === 0 ? {} : { approvals: asked }),
    journal: journal === undefined ? null : { epoch: journal.epoch, last_event: journal.last },
    viewers: viewerReports(viewers),
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

/** Requests to the model, and the calls that came before each: those of one step have its number. */
function stepsOf({ turn, attempts, toolCalls, children = [], results, approvals = [], viewers = [] }: TimelineFacts): readonly object[] {
  const ofModel = Map.groupBy(attempts, ({ step }) => step);
  const ofTools = Map.groupBy(toolCalls, ({ step }) => step);
  const turns = new Map(children.map(({ number, publicId }) => [number, publicId]));
  const numbers = [...new Set([...ofModel.keys(), ...ofTools.keys()])].toSorted((one, other) => one - other);
  return numbers.flatMap((number) => {
    const [calls, requests] = [ofTools.get(number), ofModel.get(number)];
    return [
      ...(calls === undefined
        ? []
        : [
            {
              step: number,
              kind: 'tools',
              started: calls.some(({ startedAtMs }) => startedAtMs !== undefined),
              calls: calls.map((call) =>
                callReport(call, { of: turn.publicId, child: turns.get(call.number), result: results?.get(call.number), approvals }),
              ),
            },
          ]),
      ...(requests === undefined
        ? []
        : [
            {
              step: number,
              kind: isCompactionStep(attempts, number) ? 'compaction' : 'model',
              started: requests.some((attempt) => attempt.firstEventAtMs !== undefined),
              attempts: requests.map((attempt) => attemptReport(attempt, { turn, attempts, viewers })),
            },
          ]),
    ];
  });
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
