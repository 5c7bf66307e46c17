/** Errors in OpenAI's form: `{"error": {"message", "type", "param", "code"}}`. */
import type { z } from 'zod';
import { wordsOf } from './issue-words.ts';

export interface ApiErrorFields {
  readonly status: 400 | 401 | 403 | 404 | 405 | 408 | 409 | 410 | 413 | 415 | 422 | 424 | 426 | 429 | 500 | 502 | 503;
  readonly message: string;
  /** The field of the request that is wrong. */
  readonly param?: string;
  readonly code?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly fields: ApiErrorFields;
  constructor(fields: ApiErrorFields) {
    super(fields.message);
    this.fields = fields;
  }

  /** As it stands in a body, and in an event. */
  get body(): { readonly message: string; readonly type: string; readonly param: string | null; readonly code: string | null } {
    const { status, message, param, code } = this.fields;
    return { message, type: typeOf(status), param: param ?? null, code: code ?? null };
  }

  toResponse(): Response {
    const { status, headers } = this.fields;
    return Response.json({ error: this.body }, { status, headers: { ...headers } });
  }
}

function typeOf(status: ApiErrorFields['status']): string {
  if (status === 401) return 'authentication_error';
  if (status === 403) return 'permission_error';
  if (status === 429) return 'rate_limit_error';
  return status < 500 ? 'invalid_request_error' : 'server_error';
}

/** What the client is told of any error. @param requestId under which the log has those that are no answer to the request */
export function asApiError(error: unknown, requestId = ''): ApiError {
  if (error instanceof ApiError) return error;
  if (error instanceof Error && error.name === 'StoreBusyError') {
    return new ApiError({
      status: 503,
      code: 'database_busy',
      message: 'The database takes no writes just now: it is locked, or its disk is full. Try again.',
      headers: { 'retry-after': '1' },
    });
  }
  return new ApiError({ status: 500, code: 'internal_error', message: `turnkeep failed; its log has the details under ${requestId}.` });
}

/**
 * A 400 for the first field of the request that is not valid.
 * @param pathOf where in the request the path of an issue is
 */
export function validationError(error: z.ZodError, pathOf = (path: readonly PropertyKey[]) => path): ApiError {
  const nearest = error.issues[0] === undefined ? undefined : nearestIssue(error.issues[0]);
  const issue = nearest && { ...nearest, path: [...pathOf(nearest.path)] };
  if (issue === undefined) return new ApiError({ status: 400, message: 'The request is not valid.' });
  if (issue.code === 'unrecognized_keys') {
    const param = [...issue.path, issue.keys[0] ?? ''].reduce(joinPath, '');
    return new ApiError({
      status: 400,
      param,
      code: 'unknown_parameter',
      message: `Unknown or unsupported parameter: '${param}'. Leave it out.`,
    });
  }
  const param = issue.path.reduce(joinPath, '');
  const stated = issue.code === 'custom' && typeof issue.params?.['code'] === 'string' ? issue.params['code'] : undefined;
  const isMissing = param !== '' && issue.message.endsWith('received undefined');
  return new ApiError({
    status: 400,
    ...(param === '' ? {} : { param }),
    code: isMissing ? 'missing_required_parameter' : (stated ?? 'invalid_value'),
    message: isMissing
      ? `Missing required parameter: '${param}'.`
      : param === ''
        ? `The body is not valid: ${wordsOf(issue)}.`
        : `Invalid '${param}': ${wordsOf(issue)}.`,
  });
}

/** Of a union: the issue of the branch that matched furthest into the value. */
function nearestIssue(issue: z.core.$ZodIssue): z.core.$ZodIssue {
  if (issue.code !== 'invalid_union') return issue;
  const inner = issue.errors
    .flatMap((branch) => branch.slice(0, 1))
    .map((each) => nearestIssue({ ...each, path: [...issue.path, ...each.path] }))
    // That no type fits says less than what is wrong with one of any type.
    .toSorted((one, other) => other.path.length - one.path.length || Number(isOfType(one)) - Number(isOfType(other)));
  return inner[0] ?? issue;
}

function isOfType({ code }: z.core.$ZodIssue): boolean {
  return code === 'invalid_union';
}

function joinPath(path: string, key: PropertyKey): string {
  if (typeof key === 'number') return `${path}[${key}]`;
  return path === '' ? String(key) : `${path}.${String(key)}`;
}

/** A request whose target or host is no valid URL. */
export function invalidRequest(reason: string): ApiError {
  return new ApiError({
    status: 400,
    code: 'invalid_http',
    message: `This is not a valid request: ${reason}.`,
    headers: { connection: 'close' },
  });
}

export function notFound(what: string, id: string, param?: string): ApiError {
  return new ApiError({
    status: 404,
    message: `${what} with id '${id}' not found.`,
    code: 'not_found',
    ...(param === undefined ? {} : { param }),
  });
}
