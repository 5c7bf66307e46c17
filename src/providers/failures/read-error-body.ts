/** Reads the error that a provider describes as JSON, in whatever form it has. Pure. */
import { asArray, asRecord, asText, type JsonRecord, parseJson } from '../json.ts';
import { statedRetryAfterMs } from './retry-after.ts';

export interface ErrorBody {
  readonly message: string | undefined;
  readonly code: string | undefined;
  readonly type: string | undefined;
  /** When to ask again, where a field says so: in ms from then. What the words say is `statedWaitMs`. */
  readonly retryAfterMs?: number;
}

/** Names under which servers tell what is wrong, each known from one that does. */
const messageNames = [
  'message',
  'msg',
  'error_message',
  'errorMessage',
  'error_msg',
  'err_msg',
  'errmsg',
  'status_msg',
  'error_description',
  'detail',
  'reason',
  'description',
  'faultstring',
];
const codeNames = ['code', 'error_code', 'errorCode', 'err_code', 'errcode', 'status_code', 'statusCode', 'errno'];
/** Of these, those that mean an error wherever they stand and say something. */
const tellingNames = new Set(['error_message', 'errorMessage', 'error_msg', 'err_msg', 'errmsg', 'error_code', 'errorCode', 'err_code']);

const fine = /^(?:0|2\d\d|ok|success)$/i;
const heartbeat = /^(?:ping|pong|heartbeat|keep[-_]?alive)$/i;

/** Whether an event that is no chunk and no event of an API states an error: nested, flat, or in words. */
export function statesError(body: JsonRecord): boolean {
  const { error, choices, type } = body;
  if (typeof type === 'string' && type.startsWith('response.')) return false;
  if (isTold(error)) return true;
  if (Array.isArray(choices) && choices.length > 0) return false;
  const kind = asText(type) ?? asText(body['object']);
  if (kind === 'error') return true;
  if (kind !== undefined && heartbeat.test(kind)) return false;
  if (isTold(asArray(body['errors'])[0])) return true;
  const nested = asRecord(body['base_resp']);
  const code = codeOf(body) ?? (nested === undefined ? undefined : codeOf(nested));
  if (code !== undefined) return !fine.test(code);
  if ([...tellingNames].some((name) => isTold(body[name]))) return true;
  // A message alone is an error where nothing says that it is something else.
  return choices === undefined && kind === undefined && !isTold(body['usage']) && messageOf(body) !== undefined;
}

/** Reads `{error: {…}}`, `{error: '…'}`, the flat forms, FastAPI's `detail`, lists, Google's list of one, MiniMax's `base_resp`. */
export function readErrorBody(body: unknown): ErrorBody {
  const outer = asRecord(body) ?? asRecord(asArray(body)[0]) ?? {};
  const inner = innerOf(outer);
  const from = inner ?? outer;
  const { type, status } = from;
  const more = asRecord(from['metadata']);
  const retryAfter = statedRetryAfterMs([
    from,
    outer,
    more,
    asRecord(more?.['headers']),
    ...asArray(from['details']).slice(0, 20).map(asRecord),
  ]);
  return {
    message: withCause(messageOf(from) ?? asText(outer['error']) ?? messageOf(outer), from),
    // Google puts a number into `code` and a word into `status`.
    code:
      codeOf(from) ?? (typeof status === 'number' ? String(status) : asText(status)) ?? (inner === undefined ? undefined : codeOf(outer)),
    // In OpenAI's flat `error` event `type` is the name of the event, not the kind of error.
    type: type === 'error' ? undefined : (asText(type) ?? asText(from['error_type']) ?? asText(status)),
    ...(retryAfter === undefined ? {} : { retryAfterMs: retryAfter }),
  };
}

/** What the error is about, without what the client calls it: `input[2]`, `tools[0]`, `messages[1]`. */
export function readPlace(body: unknown): string | undefined {
  const outer = asRecord(body) ?? asRecord(asArray(body)[0]) ?? {};
  const { param } = innerOf(outer) ?? outer;
  return /^[a-z_]{1,32}(?:\.?\[\d{1,6}\])?(?![\w-])/.exec(asText(param) ?? '')?.[0];
}

function innerOf(outer: JsonRecord): JsonRecord | undefined {
  const { error } = outer;
  // Some gateways put the whole error of the server behind them into a string.
  const parsed = typeof error === 'string' && error.trimStart().startsWith('{') ? asRecord(parseJson(error)) : undefined;
  const found =
    asRecord(error) ?? parsed ?? asRecord(asArray(outer['errors'])[0]) ?? asRecord(outer['base_resp']) ?? asRecord(outer['fault']);
  // Once more: `{"error":{"error":{…}}}`.
  return asRecord(found?.['error']) ?? found;
}

function messageOf(from: JsonRecord): string | undefined {
  for (const name of messageNames) {
    const value = from[name];
    const text = asText(value) ?? messageOfParts(value);
    if (text !== undefined) return text;
  }
  return undefined;
}

/** FastAPI's `detail` may be a list of what is wrong, and others put an object there. */
function messageOfParts(value: unknown): string | undefined {
  const parts = asArray(value).flatMap(
    (each) => asText(each) ?? asText(asRecord(each)?.['msg']) ?? asText(asRecord(each)?.['message']) ?? [],
  );
  if (parts.length > 0) return parts.join('; ');
  const record = asRecord(value);
  return asText(record?.['message']) ?? asText(record?.['msg']) ?? asText(asRecord(record?.['error'])?.['message']);
}

/** OpenRouter says "Provider returned error", and beside it what the provider returned. */
function withCause(message: string | undefined, from: JsonRecord): string | undefined {
  const raw = asText(asRecord(from['metadata'])?.['raw']);
  return raw === undefined ? message : `${message ?? ''} ${raw}`.trim();
}

function codeOf(from: JsonRecord): string | undefined {
  for (const name of codeNames) {
    const value = from[name];
    const code = typeof value === 'number' ? String(value) : asText(value);
    if (code !== undefined) return code;
  }
  return undefined;
}

/** Says something: neither left out, nor empty, nor false. */
function isTold(value: unknown): boolean {
  if (value === undefined || value === null || value === false || value === 0 || value === '') return false;
  return typeof value !== 'object' || Object.keys(value).length > 0;
}
