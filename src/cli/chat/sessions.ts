/** Sessions, which the API calls conversations: what the chat reads of them, and how it shows them. */
import { styleText } from 'node:util';
import { z } from 'zod';
import { CallError } from '../../http-client/call-error.ts';
import type { GatewayClient } from '../../http-client/calls.ts';
import { readAnswer } from '../gateway/open.ts';
import { oneLine } from './pieces.ts';
import { type ApprovalRequest, approvalRequestOf, toolName } from './tool-calls.ts';
import { printable } from './screen.ts';

const sessionSchema = z.object({
  id: z.string(),
  created_at: z.number(),
  // An older gateway has neither, nor has one session that is asked for by its id.
  last_used_at: z.number().optional(),
  preview: z.string().nullish(),
  metadata: z.record(z.string(), z.unknown()).nullish(),
});
const listSchema = z.object({ data: z.array(sessionSchema), has_more: z.boolean().catch(false) });

const partSchema = z.object({ text: z.string().optional(), refusal: z.string().optional() });
const itemSchema = z.object({
  type: z.string().optional(),
  role: z.string().optional(),
  status: z.string().optional(),
  name: z.string().optional(),
  id: z.string().optional(),
  server_label: z.string().optional(),
  arguments: z.string().optional(),
  approval_request_id: z.string().nullish(),
  content: z.array(partSchema).nullish().catch(undefined),
});
const itemsSchema = z.object({ data: z.array(itemSchema), has_more: z.boolean().catch(false) });

const turnsSchema = z.object({ data: z.array(z.object({ id: z.string(), model: z.string().nullish() })) });

export type Session = Readonly<z.infer<typeof sessionSchema>>;
export type Item = Readonly<z.infer<typeof itemSchema>>;

const pageSize = 20;
const shownItems = 10;
/** Of an API's page: what waits longer is answered by its id. */
const itemsWithApprovals = 100;

/** @throws {CallError} as do the other calls of this file */
export async function createSession(client: GatewayClient): Promise<string> {
  return readAnswer(z.object({ id: z.string() }), await client.json('POST', '/conversations', { body: {} }), client).id;
}

export async function readSession(client: GatewayClient, id: string): Promise<Session> {
  return readAnswer(sessionSchema, await client.json('GET', `/conversations/${encodeURIComponent(id)}`), client);
}

/** A page of them, the last active first. */
export async function listSessions(
  client: GatewayClient,
  after?: string,
): Promise<{ readonly sessions: readonly Session[]; readonly hasMore: boolean }> {
  const cursor = after === undefined ? '' : `&after=${encodeURIComponent(after)}`;
  return readSessionPage(await client.json('GET', `/conversations?limit=${pageSize}&order=desc${cursor}`), client);
}

export function readSessionPage(
  page: unknown,
  client: GatewayClient,
): { readonly sessions: readonly Session[]; readonly hasMore: boolean } {
  const { data, has_more: hasMore } = readAnswer(listSchema, page, client);
  return { sessions: data, hasMore };
}

/** The last items, oldest first. */
export async function lastItems(
  client: GatewayClient,
  id: string,
  limit = shownItems,
): Promise<{ readonly items: readonly Item[]; readonly hasMore: boolean }> {
  const path = `/conversations/${encodeURIComponent(id)}/items?order=desc&limit=${limit}`;
  const list = readAnswer(itemsSchema, await client.json('GET', path), client);
  return { items: list.data.toReversed(), hasMore: list.has_more };
}

/** What waits for an approval in a session, and who asked it. */
export async function openApprovals(
  client: GatewayClient,
  session: string,
): Promise<{ readonly asked: readonly ApprovalRequest[]; readonly model: string | undefined }> {
  const { items } = await lastItems(client, session, itemsWithApprovals);
  const answered = new Set(items.flatMap((item) => (item.type === 'mcp_approval_response' ? [item.approval_request_id] : [])));
  const asked = items.filter((item) => item.type === 'mcp_approval_request' && !answered.has(item.id)).map(approvalRequestOf);
  if (asked.length === 0) return { asked, model: undefined };
  const page = await client.json('GET', `/turns?limit=1&session=${encodeURIComponent(session)}`);
  return { asked, model: readAnswer(turnsSchema, page, client).data[0]?.model ?? undefined };
}

export function transcript(items: readonly Item[], hasMore: boolean): string {
  const messages = items.flatMap(({ type, role, status, name, server_label: server, content }) => {
    const text = (content ?? []).map((part) => part.text ?? part.refusal ?? '').join('');
    if (type === 'function_call') return [`· calls ${name ?? '?'}`];
    if (type === 'mcp_call') return [`· ${toolName(server, name)}: ${status ?? 'called'}`];
    if (type === 'mcp_approval_request') return [`· ${toolName(server, name)} was to be approved`];
    if (text === '' || (type !== undefined && type !== 'message')) return [];
    const cut = status === 'incomplete' ? '\n· cut off' : '';
    return [role === 'assistant' ? `${text}${cut}` : `${role === 'user' ? '›' : `${role ?? ''}:`} ${text}`];
  });
  if (messages.length === 0) return '· nothing was said yet';
  return [...(hasMore ? ['· earlier messages are not shown'] : []), ...messages].join('\n\n');
}

/** By its last use, with its title; without one, with its first words. */
export function sessionLine(session: Session, nowMs: number): string {
  return `${session.id}  ${lastUseOf(session, nowMs).padEnd(10)}  ${titleOf(session)}`;
}

const characters = new Intl.Segmenter();

/** In a terminal: what it is about, cut to the width, and the id, which is long, on a line of its own. */
export function sessionText(session: Session, nowMs: number, stream: NodeJS.WritableStream & { readonly columns?: number }): string {
  const usedAt = lastUseOf(session, nowMs);
  const room = (stream.columns ?? Number.POSITIVE_INFINITY) - usedAt.length - 2;
  const title = Array.from(characters.segment(printable(titleOf(session))), ({ segment }) => segment);
  const shown = title.length > room ? `${title.slice(0, room - 1).join('')}…` : title.join('');
  return `${shown}  ${usedAt}\n  ${styleText('dim', session.id, { stream })}`;
}

function lastUseOf({ created_at, last_used_at: usedAt = created_at }: Session, nowMs: number): string {
  return ago(nowMs / 1_000 - usedAt);
}

function titleOf({ metadata, preview }: Session): string {
  const title = typeof metadata?.['title'] === 'string' ? oneLine(metadata['title']) : '';
  const words = oneLine(preview ?? '');
  return title || (words === '' ? '(nothing said yet)' : `“${words}”`);
}

/** @returns how long ago it was, in words */
export function ago(seconds: number): string {
  if (seconds < 60) return 'just now';
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3_600)} h ago`;
  return `${Math.floor(seconds / 86_400)} d ago`;
}

/** An older gateway has no such list. */
export function isListMissing(error: unknown): boolean {
  return error instanceof CallError && error.failure.type === 'refused' && (error.failure.status === 404 || error.failure.status === 405);
}

export function isUnknownSession(error: unknown): boolean {
  return error instanceof CallError && error.failure.type === 'refused' && error.failure.status === 404;
}

/** The turn of a session that runs, or is the next to run; undefined where none does, or the gateway is too old to say. */
export async function runningTurn(client: GatewayClient, session: string): Promise<string | undefined> {
  for (const status of ['in_progress', 'queued']) {
    const page = await client
      .json('GET', `/turns?status=${status}&limit=100&session=${encodeURIComponent(session)}`)
      .catch((error: unknown) => {
        if (isListMissing(error)) return { data: [] };
        throw error;
      });
    // Newest first: the oldest runs.
    const oldest = readAnswer(turnsSchema, page, client).data.at(-1);
    if (oldest !== undefined) return oldest.id;
  }
  return undefined;
}
