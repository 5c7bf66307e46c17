/**
 * The trace of a turn, made of what the database has of it once it has its end: the turn, its run in Temporal, each step's
 * activity, each request to the model and each run of a tool. Names by OpenTelemetry's conventions for generative AI. Pure.
 */
import { type AttemptRow, isLost } from '../../domain/turn/attempt.ts';
import type { ToolCallRow } from '../../domain/agents/tool-call.ts';
import { failureRules } from '../../domain/failure.ts';
import { isCompactionStep } from '../../domain/prompt/overflow.ts';
import { askedModelOf } from '../../domain/response/response-settings.ts';
import type { TurnRow } from '../../domain/turn/turn.ts';
import { placeOf, type SpanAttributes, type SpanEvent, spanIdOf, type SpanPlace, type TraceSpan } from './span.ts';

export interface TurnFacts {
  readonly turn: TurnRow;
  readonly attempts: readonly AttemptRow[];
  readonly calls: readonly ToolCallRow[];
  /** Of a turn that carries out a call of another one. */
  readonly parent?: { readonly publicId: string } | undefined;
  /** The turn before it, in its session or by `previous_response_id`. */
  readonly previous?: { readonly publicId: string } | undefined;
  /** What was said, as JSON; absent: nobody has asked for content in traces. */
  readonly content?: TurnContent | undefined;
}

export interface TurnContent {
  readonly input: string;
  readonly output: string;
  /** Of the calls of tools that came to something, by their numbers. */
  readonly results: ReadonlyMap<number, string>;
}

/** @param facts.turn it has its end */
export function spansOf({ turn, attempts, calls, parent, previous, content }: TurnFacts): readonly TraceSpan[] {
  const { tenant, settings } = turn;
  const place = placeOf(turn);
  const end = turn.settledAtMs ?? turn.createdAtMs;
  const model = askedModelOf(settings);
  const of = (publicId: string): SpanPlace => placeOf({ tenant, publicId });
  const child = parent === undefined ? undefined : of(parent.publicId);
  const whole = {
    'gen_ai.operation.name': 'invoke_agent',
    'gen_ai.provider.name': settings.agent?.provider ?? 'default',
    'gen_ai.request.model': model,
    'gen_ai.response.id': turn.publicId,
    'gen_ai.agent.name': settings.agent?.name,
    'gen_ai.conversation.id': turn.session ?? undefined,
    'gen_ai.usage.input_tokens': turn.usage?.input_tokens,
    'gen_ai.usage.output_tokens': turn.usage?.output_tokens,
    'gen_ai.input.messages': content?.input,
    'gen_ai.output.messages': content?.output,
    'turnkeep.status': turn.status,
    'turnkeep.tenant': tenant,
    'error.type': turn.errorCode ?? undefined,
  } satisfies SpanAttributes;
  const events: readonly SpanEvent[] = [
    ...(turn.readyAtMs === null || turn.readyAtMs === turn.createdAtMs ? [] : [{ name: 'ready', atMs: turn.readyAtMs }]),
    ...(turn.cancelRequestedAtMs === null ? [] : [{ name: 'cancel requested', atMs: turn.cancelRequestedAtMs }]),
  ];
  const root: TraceSpan = {
    ...place,
    name: `invoke_agent ${settings.agent?.name ?? settings.model}`,
    kind: 'internal',
    startMs: turn.createdAtMs,
    endMs: end,
    attributes: whole,
    events,
    links: [...(child === undefined ? [] : [child]), ...(previous === undefined ? [] : [of(previous.publicId)])],
    error: turn.errorCode === null ? undefined : failureRules[turn.errorCode].message,
  };
  const steps = [...new Set([...attempts, ...calls].map(({ step }) => step))].toSorted((one, other) => one - other);
  const workflow: TraceSpan = {
    traceId: place.traceId,
    spanId: spanIdOf(turn, 'workflow'),
    parentId: place.spanId,
    name: 'RunWorkflow agentTurn',
    kind: 'internal',
    startMs: turn.readyAtMs ?? turn.createdAtMs,
    endMs: end,
    attributes: { 'temporal.workflow.id': turn.workflowId ?? undefined, 'temporal.run.id': turn.runId ?? undefined },
  };
  return [root, workflow, ...steps.flatMap((step) => stepSpans({ turn, attempts, calls, content, end }, step, workflow))];
}

type StepFacts = Pick<TurnFacts, 'turn' | 'attempts' | 'calls' | 'content'> & { readonly end: number };

function stepSpans({ turn, attempts, calls, content, end }: StepFacts, step: number, workflow: TraceSpan): readonly TraceSpan[] {
  const own = attempts.filter((attempt) => attempt.step === step);
  const round = calls.filter((call) => call.step === step && call.startedAtMs !== undefined);
  const activity: SpanPlace = { traceId: workflow.traceId, spanId: spanIdOf(turn, `step ${step}`) };
  const parts = [
    ...round.flatMap((call) =>
      toolSpans(turn, call, { activity, end, result: content?.results.get(call.number), hasContent: content !== undefined }),
    ),
    ...own.map((attempt) => requestSpan(turn, attempt, { activity, end })),
  ];
  if (parts.length === 0) return [];
  const span: TraceSpan = {
    ...activity,
    parentId: workflow.spanId,
    name: 'RunActivity streamModel',
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
    spanId: spanIdOf(turn, `step ${attempt.step} request ${attempt.attempt}`),
    parentId: activity.spanId,
    name: `chat ${askedModelOf(settings)}`,
    kind: 'client',
    startMs: requestedAtMs,
    endMs: endedAtMs,
    attributes: {
      'gen_ai.operation.name': 'chat',
      'gen_ai.provider.name': settings.agent?.provider ?? 'default',
      'gen_ai.request.model': askedModelOf(settings),
      'gen_ai.request.max_tokens': settings.max_output_tokens ?? undefined,
      'gen_ai.request.temperature': settings.temperature ?? undefined,
      'gen_ai.request.top_p': settings.top_p ?? undefined,
      'gen_ai.response.finish_reasons': outcome === undefined ? undefined : [outcome],
      'gen_ai.usage.input_tokens': usage?.input_tokens,
      'gen_ai.usage.output_tokens': usage?.output_tokens,
      'gen_ai.conversation.id': turn.session ?? undefined,
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
function toolSpans(
  turn: TurnRow,
  call: ToolCallRow,
  { activity, end, result, hasContent }: Within & { readonly result: string | undefined; readonly hasContent: boolean },
): readonly TraceSpan[] {
  const runs = call.attempts ?? [];
  return runs.map(({ startedAtMs, endedAtMs = end, outcome, holder }, index): TraceSpan => {
    const isLast = index === runs.length - 1;
    const failed = outcome === 'completed' ? undefined : (outcome ?? 'unknown');
    return {
      traceId: activity.traceId,
      spanId: spanIdOf(turn, `call ${call.number} run ${index + 1}`),
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
        'gen_ai.tool.call.arguments': hasContent ? call.arguments : undefined,
        'gen_ai.tool.call.result': isLast ? result : undefined,
        'turnkeep.tool.server': call.serverLabel,
        'turnkeep.tool.run': index + 1,
        'turnkeep.worker': holder,
        'error.type': failed,
      },
      error: failed,
    };
  });
}
