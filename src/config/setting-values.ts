/** The kinds of values that settings have. A message says what is wanted, and stands behind the name of the setting. */
import { createHash } from 'node:crypto';
import { z } from 'zod';

export const text = z.string();
export const fileOrText = z.string();

export function wholeNumber(min: number, max: number, unit = '') {
  const error = `must be a whole number${unit && ` of ${unit}`} from ${min} to ${max}`;
  return z.string().regex(/^\d+$/, { error }).transform(Number).pipe(z.number().min(min, { error }).max(max, { error }));
}

/** `setTimeout` fires at once on anything longer. */
const longestTimerMs = 2 ** 31 - 1;
export const milliseconds = (min = 1) => wholeNumber(min, longestTimerMs, 'milliseconds');

export const webAddress = z.string().refine(
  (value) => {
    const url = URL.parse(value);
    return url !== null && /^https?:$/.test(url.protocol) && !url.username && !url.password && !url.search && !url.hash;
  },
  { error: 'must be an http:// or https:// address, without user, password or query (such as http://127.0.0.1:11434/v1)' },
);

export const grpcAddress = z.string().regex(/^(\[[0-9a-f:.]+\]|[^\s:/[\]]+)(:\d{1,5})?$/i, {
  error: 'must be host:port, without a scheme or a path (such as 127.0.0.1:7233)',
});

export const hostName = z.string().regex(/^[\w.:-]+$/, { error: 'must be an IP address or a host name, without a port' });

export const database = z.string().superRefine((value, context) => {
  if (isPostgres(value)) {
    if (!isPostgresUrl(value)) context.addIssue('must name a server and a database, as in postgres://user:password@host:5432/turnkeep');
  } else if (!/^sqlite:(\/\/)?[^:/]*[^:]*$/.test(value) || sqlitePath(value) === '') {
    context.addIssue('must be sqlite:PATH, the path of a file, or postgres://…; leave it unset for a file in the data dir');
  }
});

/** `name:value,…`; a wrong entry is reported by its position, since any part of it may hold the secret. */
function pairs<Pair>(form: string, read: (name: string, value: string) => Pair | undefined) {
  return z.string().transform((value, context) => {
    const found: Pair[] = [];
    for (const [index, entry] of value.split(',').entries()) {
      const [, name = '', rest = ''] = /^\s*([\w.-]{1,64}):(.*?)\s*$/.exec(entry) ?? [];
      const pair = rest === '' ? undefined : read(name, rest);
      if (pair === undefined) context.addIssue(`must be ${form}; entry ${index + 1} is not`);
      else found.push(pair);
    }
    return found;
  });
}

/** Only hashes are kept: nothing that reads this process's memory, or prints its configuration, finds a key. */
export const apiKeys = pairs('name:secret,… (names of letters, digits, ".", "_" and "-")', (name, secret) => ({
  name,
  hash: createHash('sha256').update(secret).digest('hex'),
})).refine((keys) => new Set(keys.map((key) => key.hash)).size === keys.length, {
  error: 'has one secret twice, so that its tenant cannot be told: give each name its own',
});

export const codecKeys = pairs('id:base64 of 32 bytes,… (make one with `openssl rand -base64 32`)', (id, encoded) => {
  const key = Buffer.from(encoded, 'base64');
  return key.length === 32 && key.toString('base64') === encoded ? { id, key: new Uint8Array(key) } : undefined;
}).refine((keys) => new Set(keys.map((key) => key.id)).size === keys.length, {
  error: 'has one id twice, so that the key of what is stored cannot be told: give each its own',
});

/** `*` alone, or origins as browsers send them: scheme, host and port. */
export const origins = z.string().transform((value, context) => {
  const all = value.split(',').map((entry) => entry.trim());
  const isRight = all.every((entry) => /^https?:[^*]*$/.test(entry) && URL.parse(entry)?.origin === entry);
  if (!isRight && value.trim() !== '*') {
    context.addIssue('must be * or origins as browsers send them, comma separated (such as http://localhost:3000,https://app.example)');
  }
  return all;
});

/** `on` or `off`. */
export const onOff = z.enum(['on', 'off'], { error: 'must be on or off' });

export const flag = z.enum(['0', '1', 'true', 'false'], { error: 'must be 1, 0, true or false' });

export const postgresServer = z.string().refine(isPostgresUrl, {
  error: 'must be the address of the Postgres server itself, as in postgres://user:password@host:5432/turnkeep',
});

export function isPostgres(databaseUrl: string): boolean {
  return /^postgres(ql)?:/.test(databaseUrl);
}

function isPostgresUrl(value: string): boolean {
  const url = URL.parse(value);
  return isPostgres(value) && url !== null && url.pathname.length > 1 && (url.hostname !== '' || url.searchParams.has('host'));
}

/** The file of a `sqlite:` URL; undefined for any other. */
export function sqlitePath(databaseUrl: string): string | undefined {
  return isPostgres(databaseUrl) ? undefined : databaseUrl.replace(/^sqlite:(\/\/(?=\/))?/, '');
}

/** Of an answer over Chat Completions. */
export const cannotReattach = 'needs the Responses API in background mode; over Chat Completions no answer can be read on';

/** OpenAI's own host speaks Responses; of the others, nearly all speak Chat Completions only. */
export function apiOf(baseUrl: string | undefined): 'chat' | 'responses' {
  const host = baseUrl === undefined ? 'api.openai.com' : new URL(baseUrl).hostname;
  return host === 'api.openai.com' || host.endsWith('.api.openai.com') ? 'responses' : 'chat';
}
