/** The turns of a list as a person sees them. */
import { styleText } from 'node:util';
import { z } from 'zod';
import type { GatewayClient } from '../../http-client/calls.ts';
import { ago } from '../chat/sessions.ts';
import { readAnswer } from '../gateway/open.ts';
import { turnWords } from '../turn-line.ts';

const turnSchema = z.object({
  id: z.string(),
  status: z.string(),
  model: z.string().nullable(),
  error: z.object({ code: z.string(), detail: z.string().optional() }).nullable(),
  created_at: z.string(),
  settled_at: z.string().nullable(),
  requests: z.number(),
  usage: z.object({ total_tokens: z.number() }).nullish(),
});
const pageSchema = z.object({ data: z.array(turnSchema), has_more: z.boolean() });

type ListedTurn = z.infer<typeof turnSchema>;

/** @throws {CallError} when it is none */
export function readTurnPage(page: unknown, client: GatewayClient): z.infer<typeof pageSchema> {
  return readAnswer(pageSchema, page, client);
}

/** In a terminal the id, which is long, has a line of its own; elsewhere it comes first, in the one line. */
export function turnText(turn: ListedTurn, nowMs: number, stream: NodeJS.WritableStream & { readonly isTTY?: boolean }): string {
  const beganMs = Date.parse(turn.created_at);
  const endedMs = turn.settled_at === null ? nowMs : Date.parse(turn.settled_at);
  const { id, status, model, error, requests, usage } = turn;
  const detail = error?.detail === undefined ? {} : { detail: error.detail };
  const shown = {
    status,
    code: error?.code ?? null,
    ...detail,
    model,
    durationMs: endedMs - beganMs,
    tokens: usage?.total_tokens ?? null,
    requests,
  };
  const line = `${turnWords(shown, stream)}, ${ago((nowMs - beganMs) / 1_000)}`;
  return stream.isTTY === true ? `${line}\n  ${styleText('dim', id, { stream })}` : `${id}  ${line}`;
}
