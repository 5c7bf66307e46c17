/** What an end of a turn means, and what can be done about it, for a person. */
import type { FailureCode } from '../../domain/failure.ts';
import type { ShownTimeline } from './timeline.ts';

/** Beside the words of the error, which say what happened. */
const byCode = {
  transport_failed: 'No answer had begun, so it was asked again, as often as the law of retries allows. The causes are below.',
  stream_interrupted:
    'The connection broke in the middle of the answer. What had started is never asked again; send the input as a new turn.',
  stream_truncated: 'The stream ended like a whole one, without the proof that it was. A proxy may cut long streams; what came is kept.',
  worker_lost: 'Its process was killed, or stood still for longer than its lease. What had started is never asked again.',
  provider_rejected: 'The provider would answer the same request the same way: it was not asked again. Its words say what to mend.',
  provider_busy: 'The provider wanted to be asked later. It was, as far as the law of retries allows, and as long as the turn had time.',
  model_timeout: 'The model was silent for longer than TURNKEEP_FIRST_EVENT_TIMEOUT_MS or _IDLE_TIMEOUT_MS. A deadline is never retried.',
  empty_response: 'The provider proved an end, and had said nothing before it.',
  provider_protocol: 'What came is not the API that was asked for: look at OPENAI_BASE_URL and TURNKEEP_MODEL_API.',
  output_too_large: 'It is past TURNKEEP_MAX_OUTPUT_BYTES. What was shown is kept.',
  context_length_exceeded: 'Shorten the conversation, begin a new one, or let the agent compact it (compaction: auto).',
  turn_timeout: 'It is past TURNKEEP_TURN_TIMEOUT_MS, or the wall time of its limits. What was shown is kept.',
  tool_failed: 'The tool broke in a way that the model could not be told. The log of the worker has the error.',
  budget_exceeded: 'A limit of the agent, the turn or the session is used up. All that was done is kept.',
  internal_error: 'This is a fault of turnkeep itself. The log of the worker has the error.',
} as const satisfies Record<FailureCode, string>;

const byReason: { readonly [reason: string]: string } = {
  max_output_tokens: 'The provider stopped at the limit of the output: raise max_output_tokens, or ask for the rest.',
  content_filter: "The provider's filter ended the answer.",
  cancelled: 'It was asked to stop. What was shown is kept.',
  steered: 'The user said more: the answer ended where nothing is torn, and the next turn goes on.',
};

const byStatus: { readonly [status: string]: string } = {
  queued: 'It waits: its session is busy, or no worker has begun it yet.',
  in_progress: 'It runs.',
  completed: 'The provider proved the end of its answer.',
  incomplete: 'The answer is not whole.',
  cancelled: 'It was asked to stop. What was shown is kept.',
  failed: 'It failed.',
};

export function explanationOf({ status, error, incomplete_details: details }: ShownTimeline): string {
  const code = error?.code;
  if (code !== undefined && Object.hasOwn(byCode, code)) return byCode[code as FailureCode];
  return byReason[details?.reason ?? ''] ?? byStatus[status] ?? '';
}

const retryReasons: { readonly [reason: string]: string } = {
  retry_delay: 'nothing of the answer had begun',
  retry_after: 'the provider asked for that (Retry-After)',
  hand_over: 'its worker shut down, and handed it on',
  worker_lost: 'its worker was lost before anything had begun',
  shorter_prompt: 'with a shorter prompt',
  without_reasoning: 'without its own reasoning, which the provider refused',
  compaction: 'after a summary of what was said before',
  started: 'the step had started, and is never asked twice',
  requests_spent: 'the three requests of the step are used up',
  not_retryable: 'this failure would come again',
  provider_refuses: 'the provider said not to (quota, or x-should-retry: false)',
  wait_too_long: 'the provider wanted a longer wait than is waited',
  turn_over: 'the turn was over first',
  cancelled: 'it was cancelled first',
};

export function retryReason(reason: string): string {
  return retryReasons[reason] ?? reason;
}

const phases: { readonly [phase: string]: string } = {
  requested: 'its process told no more of it',
  connecting: 'it was not sent yet',
  sent: 'it was sent, and nothing came back',
  headers: 'the headers of the answer had come',
  started: 'the answer had started',
  finished: 'the provider had stated the end',
};

export function phaseWords(phase: string): string {
  return phases[phase] ?? phase;
}

const viewerEnds: { readonly [end: string]: string } = {
  saw_end: 'saw the end',
  left: 'left',
  reset: 'its connection was reset',
  cut: 'was cut off by the gateway',
  open: 'is there yet, or its gateway died',
};

export function viewerEnd(end: string): string {
  return viewerEnds[end] ?? end;
}

const protocols: { readonly [protocol: string]: string } = {
  sse: 'SSE',
  websocket: 'WebSocket',
  chat_completions: 'Chat Completions',
  ai_sdk: 'AI SDK',
  json: 'JSON',
};

export function protocolName(protocol: string): string {
  return protocols[protocol] ?? protocol;
}
