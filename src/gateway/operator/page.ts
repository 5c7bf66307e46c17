/** The page at `/` and its files, as Vite has built them: read once, served from memory, allowed to load nothing from elsewhere. */
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { extname, join } from 'node:path';
import type { Context } from 'hono';
import { z } from 'zod';
import { notFound } from '../http/errors.ts';
import { errorResponses } from '../http/response-schemas.ts';
import { type GatewayEnv, headerOf, type Routes } from '../http/route.ts';

export interface PageDeps {
  /**
   * The folder of the built page. Pending: it is being built; rejected: it cannot be, with the reason for an operator. Absent: this
   * gateway has none.
   */
  readonly page?: Promise<string> | undefined;
  readonly version: string;
}

interface PageFile {
  readonly type: string;
  readonly etag: string;
  readonly bytes: Buffer<ArrayBuffer>;
  /** Its compressed forms, the smallest first. */
  readonly encoded: readonly { readonly encoding: 'br' | 'gzip'; readonly bytes: Buffer<ArrayBuffer> }[];
}

const types: { readonly [extension: string]: string } = {
  '.css': 'text/css; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
};

/** `form-action` does not stop forms that scripts read; nothing of the page is ever sent as one. */
const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "img-src 'self' data:",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join('; ');

const safety = {
  'content-security-policy': policy,
  'cross-origin-opener-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
};

const fresh = 'no-cache';
/** Their names are of their content. */
const lasting = 'public, max-age=31536000, immutable';

const tag = 'Operation';

export function pageRoutes(routes: Routes, { page, version }: PageDeps): void {
  let files: Promise<ReadonlyMap<string, PageFile>> | undefined;
  const filesOf = (folder: string): Promise<ReadonlyMap<string, PageFile>> =>
    (files ??= readFiles(folder).catch((error: unknown) => {
      files = undefined;
      throw error;
    }));

  routes.add(
    {
      method: 'get',
      path: '/',
      tag,
      summary: 'The page: sessions, turns and figures; for programs, what is where',
      responses: { 200: { description: 'A page, or a text.', schema: z.string(), mediaTypes: ['text/html', 'text/plain'] } },
    },
    async (c) => {
      if (headerOf(c, 'accept')?.includes('text/html') !== true) return c.body(overview(c, version), 200, textHeaders);
      const state = await stateOf(page);
      if (state.type === 'built') {
        const index = (await filesOf(state.folder)).get('index.html');
        if (index !== undefined) return fileResponse(c, index, fresh);
      }
      return c.body(stopgap(state), 200, { ...safety, ...stopgapHeaders, ...(state.type === 'building' ? { refresh: '1' } : {}) });
    },
  );

  routes.add(
    {
      method: 'get',
      path: '/assets/{file}',
      tag,
      summary: 'A file of the page',
      responses: {
        200: { description: 'The file.', mediaTypes: ['text/javascript', 'text/css', 'image/svg+xml'] },
        ...errorResponses(404),
      },
    },
    async (c) => {
      const name = c.req.param('file') ?? '';
      const state = await stateOf(page);
      const file = state.type === 'built' ? (await filesOf(state.folder)).get(`assets/${name}`) : undefined;
      if (file === undefined) throw notFound('File', name);
      return fileResponse(c, file, lasting);
    },
  );
}

type PageState =
  | { readonly type: 'built'; readonly folder: string }
  | { readonly type: 'building' | 'absent' }
  | { readonly type: 'failed'; readonly reason: string };

/** Does not wait for a build. */
async function stateOf(page: Promise<string> | undefined): Promise<PageState> {
  if (page === undefined) return { type: 'absent' };
  const built = page.then(
    (folder): PageState => ({ type: 'built', folder }),
    (error: unknown): PageState => ({ type: 'failed', reason: error instanceof Error ? error.message : String(error) }),
  );
  return Promise.race([built, new Promise<PageState>((resolve) => setImmediate(resolve, { type: 'building' }))]);
}

function fileResponse(c: Context<GatewayEnv>, { type, etag, bytes, encoded }: PageFile, caching: string): Response {
  const headers = { ...safety, 'cache-control': caching, etag, vary: 'accept, accept-encoding' };
  if (headerOf(c, 'if-none-match') === etag) return new Response(null, { status: 304, headers });
  const accepted = headerOf(c, 'accept-encoding') ?? '';
  const smaller = encoded.find(({ encoding }) => accepted.includes(encoding));
  return new Response(smaller?.bytes ?? bytes, {
    headers: { ...headers, 'content-type': type, ...(smaller === undefined ? {} : { 'content-encoding': smaller.encoding }) },
  });
}

/** By their paths below the folder. */
async function readFiles(folder: string): Promise<ReadonlyMap<string, PageFile>> {
  const names = (await readdir(folder, { recursive: true, encoding: 'utf8' })).map((name) => name.replaceAll('\\', '/'));
  const known = new Set(names);
  const files = new Map<string, PageFile>();
  for (const name of names) {
    const type = types[extname(name)];
    if (type === undefined) continue;
    const bytes = await readFile(join(folder, name));
    const encoded: PageFile['encoded'][number][] = [];
    for (const [extension, encoding] of [
      ['.br', 'br'],
      ['.gz', 'gzip'],
    ] as const) {
      if (known.has(name + extension)) encoded.push({ encoding, bytes: await readFile(join(folder, name + extension)) });
    }
    files.set(name, { type, bytes, encoded, etag: `"${createHash('sha256').update(bytes).digest('base64url').slice(0, 22)}"` });
  }
  return files;
}

const textHeaders = { 'content-type': 'text/plain; charset=utf-8', 'x-content-type-options': 'nosniff', vary: 'accept' };
const stopgapHeaders = { 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store', vary: 'accept' };

/** For `curl` and other programs. */
function overview(c: Context<GatewayEnv>, version: string): string {
  const host = headerOf(c, 'host') ?? 'localhost:8484';
  return `turnkeep ${version}: a durable OpenAI Responses API. Point any OpenAI client at http://${host}/v1:

  curl -N http://${host}/v1/responses -H 'content-type: application/json' -d '{"input": "Hello", "stream": true}'

  /                        in a browser: sessions, turns and figures
  /docs                    the API, to read; for programs /openapi.json
  /v1/models               the provider's models, and the agents
  /v1/chat/completions     Chat Completions; /api/chat for the AI SDK's useChat
  /turns, /turns/{id}      what turns there are, and what happened in one
  /stats                   how turns ended, and what they cost
  /readyz, /metrics        is everything up, and how is it?
`;
}

/** Where there is no page, or not yet. */
function stopgap(state: PageState): string {
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>turnkeep</title>
<h1>turnkeep</h1>
<p>${sentenceOf(state)}</p>
<p>The API is at <code>/v1</code>, and described at <a href="/docs">/docs</a>. <a href="/readyz">/readyz</a> says whether everything is up, <a href="/metrics">/metrics</a> how it is.</p>
</html>
`;
}

function sentenceOf(state: PageState): string {
  switch (state.type) {
    case 'building':
      return 'The page is being built, which takes some seconds: it appears by itself.';
    case 'failed':
      return `The page could not be built: ${state.reason.replaceAll(/[&<>"]/g, (found) => `&#${found.charCodeAt(0)};`)}`;
    case 'built':
    case 'absent':
      return 'This gateway was started without its page: <code>npm run build</code> makes it.';
  }
}
