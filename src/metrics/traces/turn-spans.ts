/**
 * The trace of a turn, made of what the database has of it once it has its end: the turn, its run in Temporal, each step's
 * activity, each request to the model and each run of a tool. Names by OpenTelemetry's conventions for generative AI. Pure.
 */
import { type AttemptRow, isLost } from '../../domain/turn/attempt.ts';
import { agentServerLabel } from '../../domain/agents/function-names.ts';
import type { ToolCallRow } from '../../domain/agents/tool-call.ts';
import { failureRules } from '../../domain/failure.ts';
import { isCompactionStep } from '../../domain/prompt/overflow.ts';
import { askedModelOf } from '../../domain/response/response-settings.ts';
import type { Usage } from '../../domain/response/response.ts';
import type { ParentCall, TurnRow } from '../../domain/turn/turn.ts';
import { boundedText } from './messages.ts';
import {
  placeOf,
  type SpanAttributes,
  type SpanEvent,
  spanIdOf,
  spanIdOfPart,
  type SpanLink,
  type SpanPlace,
  type TraceSpan,
} from './span.ts';

export interface TurnFacts {
  readonly turn: TurnRow;
  readonly attempts: readonly AttemptRow[];
  readonly calls: readonly ToolCallRow[];
  /** Of a turn that carries out a call of another one: that one. */
  readonly parent?: Pick<TurnRow, 'id' | 'publicId'>;
  /** The turn before it, in its session or by `previous_response_id`: of one that answers a request for an approval, the one that asked. */
  readonly previous?: Pick<TurnRow, 'publicId'>;
  /** Of the turn that carries out a call of an agent. */
  readonly childIdOf: (call: ParentCall) => string;
  /** What was said; absent: it is not to be in traces. */
  readonly content?: TurnContent;
}

export interface TurnContent {
  readonly instructions?: string;
  /** Messages as JSON. */
  readonly input: string;
  readonly output: string;
  /** Of the calls of tools that came to something, by their numbers. */
  readonly results: ReadonlyMap<number, string>;
}

/** @returns none of a turn that has no end yet */
export function spansOf(facts: TurnFacts): readonly TraceSpan[] {
  const { turn, attempts, calls } = facts;
  if (turn.settledAtMs === null) return [];
  const place = placeOf(turn);
  const end = turn.settledAtMs;
  const root = rootSpan(facts, place, end);
  const steps = [...new Set([...attempts, ...calls].map(({ step }) => step))].toSorted((one, other) => one - other);
  // It was cancelled before anybody had it.
  if (steps.length === 0 && turn.workflowId === null) return [root];
  const workflow: TraceSpan = {
    traceId: place.traceId,
    spanId: spanIdOf(turn, 'workflow'),
    parentId: place.spanId,
    // A turn that a workflow of somebody's own carries out is part of that one.
    name: turn.ownerRunId === null ? 'RunWorkflow:agentTurn' : 'agentTurn',
    kind: 'internal',
    startMs: turn.readyAtMs ?? turn.createdAtMs,
    endMs: end,
    attributes: { temporalWorkflowID: turn.workflowId ?? undefined, temporalRunID: turn.runId ?? undefined },
  };
  return [root, workflow, ...steps.flatMap((step) => stepSpans({ ...facts, end }, step, workflow))];
}

function rootSpan({ turn, parent, previous, content }: TurnFacts, place: SpanPlace, endMs: number): TraceSpan {
  const { tenant, settings, createdAtMs, readyAtMs, cancelRequestedAtMs } = turn;
  const links: SpanLink[] = [];
  if (parent !== undefined) links.push({ ...placeOf({ tenant, publicId: parent.publicId }), relation: 'parent' });
  if (previous !== undefined) links.push({ ...placeOf({ tenant, publicId: previous.publicId }), relation: 'previous' });
  const events: SpanEvent[] = [];
  if (readyAtMs !== null && readyAtMs !== createdAtMs) events.push({ name: 'ready', atMs: readyAtMs });
  if (cancelRequestedAtMs !== null) events.push({ name: 'cancel requested', atMs: cancelRequestedAtMs });
  return {
    ...place,
    name: `invoke_agent ${settings.agent?.name ?? settings.model}`,
    kind: 'internal',
    startMs: createdAtMs,
    endMs,
    attributes: {
      'gen_ai.operation.name': 'invoke_agent',
      ...modelAttributes(turn),
      'gen_ai.response.id': turn.publicId,
      'gen_ai.agent.name': settings.agent?.name,
      ...usageAttributes(turn.usage),
      'gen_ai.system_instructions': content?.instructions && JSON.stringify([{ type: 'text', content: content.instructions }]),
      'gen_ai.input.messages': content?.input,
      'gen_ai.output.messages': content?.output,
      'turnkeep.status': turn.status,
      'turnkeep.tenant': tenant,
      'error.type': turn.errorCode ?? undefined,
    },
    events,
    links,
    error: turn.errorCode === null ? undefined : failureRules[turn.errorCode].message,
  };
}

function modelAttributes({ settings, session }: TurnRow): SpanAttributes {
  return {
    // Whoever serves it, it is asked by OpenAI's API: what the conventions call `openai`.
    'gen_ai.provider.name': 'openai',
    'turnkeep.provider': settings.agent?.provider ?? 'default',
    'gen_ai.request.model': askedModelOf(settings),
    'gen_ai.conversation.id': session ?? undefined,
  };
}

function usageAttributes(usage: Usage | null | undefined): SpanAttributes {
  return {
    'gen_ai.usage.input_tokens': usage?.input_tokens,
    'gen_ai.usage.cache_read.input_tokens': usage?.input_tokens_details.cached_tokens,
    'gen_ai.usage.output_tokens': usage?.output_tokens,
    'gen_ai.usage.reasoning.output_tokens': usage?.output_tokens_details.reasoning_tokens,
  };
}

type StepFacts = TurnFacts & Pick<Within, 'end'>;

function stepSpans(facts: StepFacts, step: number, workflow: TraceSpan): readonly TraceSpan[] {
  const { turn, attempts, calls, end } = facts;
  const own = attempts.filter((attempt) => attempt.step === step);
  const round = calls.filter((call) => call.step === step && call.startedAtMs !== undefined);
  const activity: SpanPlace = { traceId: workflow.traceId, spanId: spanIdOf(turn, `step ${step}`) };
  const parts = [
    ...round.flatMap((call) => toolSpans(facts, call, { activity, end })),
    ...own.map((attempt) => requestSpan(turn, attempt, { activity, end })),
  ];
  if (parts.length === 0) return [];
  const span: TraceSpan = {
    ...activity,
    parentId: workflow.spanId,
    name: 'RunActivity:streamModel',
    kind: 'internal',
    startMs: Math.min(...parts.map(({ startMs }) => startMs)),
    endMs: Math.max(...parts.map(({ endMs }) => endMs)),
    attributes: {
      'turnkeep.step': step,
      'turnkeep.step.kind': isCompactionStep(attempts, step) ? 'compaction' : 'model',
      'turnkeep.requests': own.length,
    },
  };
  return [span, ...parts];
}

interface Within {
  readonly activity: SpanPlace;
  /** Of the turn: what has no end of its own ended with it. */
  readonly end: number;
}

function requestSpan(turn: TurnRow, attempt: AttemptRow, { activity, end }: Within): TraceSpan {
  const { settings } = turn;
  const { requestedAtMs, firstEventAtMs, endedAtMs = end, outcome, code, waitMs, usage } = attempt;
  const failed = isLost(attempt) ? (code ?? 'worker_lost') : undefined;
  return {
    traceId: activity.traceId,
    spanId: spanIdOfPart(turn, attempt),
    parentId: activity.spanId,
    name: `chat ${askedModelOf(settings)}`,
    kind: 'client',
    startMs: requestedAtMs,
    endMs: endedAtMs,
    attributes: {
      'gen_ai.operation.name': 'chat',
      ...modelAttributes(turn),
      'gen_ai.request.stream': true,
      'gen_ai.request.max_tokens': settings.max_output_tokens ?? undefined,
      'gen_ai.request.temperature': settings.temperature ?? undefined,
      'gen_ai.request.top_p': settings.top_p ?? undefined,
      'gen_ai.response.time_to_first_chunk': firstEventAtMs === undefined ? undefined : (firstEventAtMs - requestedAtMs) / 1_000,
      ...usageAttributes(usage),
      'turnkeep.outcome': outcome,
      'turnkeep.step': attempt.step,
      'turnkeep.attempt': attempt.attempt,
      'turnkeep.worker': attempt.holder,
      'turnkeep.failure.detail': attempt.detail,
      'turnkeep.provider_request_id': attempt.providerRequestId,
      'error.type': failed,
    },
    events: [
      ...(firstEventAtMs === undefined ? [] : [{ name: 'first token', atMs: firstEventAtMs }]),
      ...(waitMs === undefined ? [] : [{ name: 'asked again', atMs: endedAtMs + waitMs, attributes: { 'turnkeep.wait_ms': waitMs } }]),
    ],
    error: failed === undefined ? undefined : [failed, attempt.detail].filter((word) => word !== undefined).join(' '),
  };
}

/** Each run of a call. */
function toolSpans({ turn, content, childIdOf }: TurnFacts, call: ToolCallRow, { activity, end }: Within): readonly TraceSpan[] {
  const child = call.serverLabel === agentServerLabel ? childIdOf({ turn: turn.id, number: call.number }) : undefined;
  const links: SpanLink[] = child === undefined ? [] : [{ ...placeOf({ tenant: turn.tenant, publicId: child }), relation: 'child' }];
  const runs = call.attempts ?? [];
  return runs.map(({ startedAtMs, endedAtMs = end, outcome, holder }, index): TraceSpan => {
    const isLast = index === runs.length - 1;
    const failed = outcome === 'completed' ? undefined : (outcome ?? 'unknown');
    return {
      traceId: activity.traceId,
      spanId: spanIdOfPart(turn, { call: call.number, run: index + 1 }),
      parentId: activity.spanId,
      name: `execute_tool ${call.name}`,
      kind: 'internal',
      startMs: startedAtMs,
      endMs: endedAtMs,
      attributes: {
        'gen_ai.operation.name': 'execute_tool',
        'gen_ai.tool.name': call.name,
        'gen_ai.tool.call.id': call.origin.call_id,
        'gen_ai.tool.type': 'function',
        'gen_ai.tool.call.arguments': content && boundedText(call.arguments),
        'gen_ai.tool.call.result': isLast ? content?.results.get(call.number) : undefined,
        'turnkeep.tool.server': call.serverLabel,
        'turnkeep.tool.run': index + 1,
        'turnkeep.approval_request_id': call.approvalRequestId,
        'turnkeep.worker': holder,
        'error.type': failed,
      },
      links,
      error: failed,
    };
  });
}
