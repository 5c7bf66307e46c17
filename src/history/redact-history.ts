/**
 * The events of a history without content: they replay to the same commands. Types, ids, times and options stay, and of a payload its
 * structure, its numbers and what turnkeep's workflows decide by; every other text is replaced (`redact-text.ts`). A workflow of
 * somebody's own that decides by the words of a payload may take another way.
 */
import { failureRules } from '../domain/failure.ts';
import type { JsonEvent } from './history-json.ts';
import type { TextRedactor } from './redact-text.ts';

/** Members of events whose text says what the code asked for, never what it was asked with. */
const kept = new Set(
  `eventId eventTime eventType taskId activityId timerId name kind markerName signalName parentClosePolicy workflowIdReusePolicy retryState
  initiator cause attempt workflowExecutionTimeout workflowRunTimeout workflowTaskTimeout firstWorkflowTaskBackoff
  scheduleToCloseTimeout scheduleToStartTimeout startToCloseTimeout heartbeatTimeout startToFireTimeout initialInterval maximumInterval
  backoffCoefficient scheduledEventId startedEventId workflowTaskCompletedEventId initiatedEventId newExecutionRunId continuedExecutionRunId
  originalExecutionRunId firstExecutionRunId prevAutoResetPoints runId requestId historySizeBytes timeoutType nonRetryableErrorTypes
  sdkName sdkVersion buildId source encoding nextRetryDelay category suggestContinueAsNewReasons versioningBehavior
  coreUsedFlags langUsedFlags parentInitiatedEventId workflowExecutionExpirationTime backoffStartInterval`.split(/\s+/),
);

const workflowIds = new Set(['workflowId', 'parentWorkflowId', 'rootWorkflowId']);

/** What the workflows of turnkeep are told, and decide by. */
const vocabulary = new Set([
  ...Object.keys(failureRules),
  ...`completed incomplete failed cancelled final toolCalls tools in_progress queued turn_refused result_too_large wrong_database delivered
  refused given_up gone user assistant message input_text output_text`.split(/\s+/),
]);

const databaseId = /^[0-9a-f]{16}$/;
const identifier = /^[A-Za-z_][A-Za-z0-9_]{0,63}$/;

export function redactEvent(event: JsonEvent, texts: TextRedactor): JsonEvent {
  return redactMember(event, '', texts) as JsonEvent;
}

function redactMember(value: unknown, key: string, texts: TextRedactor): unknown {
  if (typeof value === 'string') return redactString(value, key, texts);
  if (Array.isArray(value)) return value.map((each) => redactMember(each, key, texts));
  if (typeof value !== 'object' || value === null) return value;
  if (isPayload(value)) return redactPayload(value, texts);
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => {
      // What Core itself notes of a local activity, or a patch.
      if (key === 'details' && /^(?:data|patch-data|version)$/.test(name)) return [name, member];
      // Of a failure, whose type the code decides by.
      if (name === 'type' && typeof member === 'string') return [name, member];
      return [name, redactMember(member, name, texts)];
    }),
  );
}

function redactString(text: string, key: string, texts: TextRedactor): string {
  if (kept.has(key) || /(?:Time|Timeout|EventId)$/.test(key)) return text;
  return workflowIds.has(key) ? texts.id(text) : texts.text(text);
}

interface JsonPayload {
  readonly metadata?: { readonly [name: string]: string };
  readonly data?: string;
}

function isPayload(value: object): value is JsonPayload {
  const { metadata } = value as { readonly metadata?: unknown };
  return typeof metadata === 'object' && metadata !== null && 'encoding' in metadata;
}

function redactPayload(payload: JsonPayload, texts: TextRedactor): JsonPayload {
  const { metadata, data } = payload;
  if (data === undefined) return payload;
  const bytes = Buffer.from(data, 'base64');
  const encoding = Buffer.from(metadata?.['encoding'] ?? '', 'base64').toString();
  if (!encoding.startsWith('json/'))
    return { metadata: metadata ?? {}, data: Buffer.from(texts.text(data).slice(0, bytes.length)).toString('base64') };
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString('utf8'));
  } catch {
    value = bytes.toString('utf8');
  }
  return { metadata: metadata ?? {}, data: Buffer.from(JSON.stringify(redactContent(value, texts))).toString('base64') };
}

/** Names stay where they are those of a program: code reads by them. */
function redactContent(value: unknown, texts: TextRedactor): unknown {
  if (typeof value === 'string') return vocabulary.has(value) || databaseId.test(value) ? value : texts.id(value);
  if (Array.isArray(value)) return value.map((each) => redactContent(each, texts));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => [identifier.test(name) ? name : texts.text(name), redactContent(member, texts)]),
  );
}
