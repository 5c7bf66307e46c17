/**
 * What was said here and is not yet accepted: kept in the tab until the gateway has it, and sent again, under the same key, after a
 * reload or a restart. The key makes one turn of it, however often it is sent.
 */
import { useCallback, useEffect, useEffectEvent, useRef, useState } from 'react';
import { CallError, describeFailure } from '../../http-client/call-error.ts';
import type { GatewayClient } from '../../http-client/calls.ts';
import { withRetries } from '../../http-client/retry.ts';
import { useGateway } from '../api/client.tsx';

export interface ApprovalAnswer {
  readonly type: 'mcp_approval_response';
  readonly approval_request_id: string;
  readonly approve: boolean;
  /** Of a refusal: it is told to the model. */
  readonly reason?: string;
}

export interface Draft {
  readonly session: string;
  readonly input: string | readonly ApprovalAnswer[];
  readonly model?: string | undefined;
  readonly whenBusy: 'enqueue' | 'interrupt';
}

export interface Sent extends Draft {
  readonly key: string;
  /** Once it is accepted. */
  readonly turn?: string | undefined;
  /** Why it was refused. */
  readonly refusal?: string | undefined;
}

const name = 'turnkeep.outbox';

export interface Outbox {
  readonly sent: readonly Sent[];
  readonly send: (draft: Draft) => void;
  readonly sendAgain: (key: string) => void;
  readonly drop: (key: string) => void;
}

/** @param onAccepted is called with the session and the turn */
export function useOutbox(onAccepted: (session: string, turn: string) => void): Outbox {
  const { client, noticeFailure } = useGateway();
  const [sent, setSent] = useState(readKept);
  const underWay = useRef(new Set<string>());
  const tellAccepted = useEffectEvent(onAccepted);

  const change = useCallback((key: string, more: Partial<Sent>) => {
    setSent((before) => before.map((each) => (each.key === key ? { ...each, ...more } : each)));
  }, []);

  useEffect(() => {
    keep(sent.filter(({ turn }) => turn === undefined));
    for (const each of sent) {
      if (each.turn !== undefined || each.refusal !== undefined || underWay.current.has(each.key)) continue;
      underWay.current.add(each.key);
      withRetries(() => submit(client, each))
        .then((turn) => {
          change(each.key, { turn });
          tellAccepted(each.session, turn);
        })
        .catch((error: unknown) => {
          if (!(error instanceof CallError)) throw error;
          noticeFailure(error);
          change(each.key, { refusal: describeFailure(error.failure) });
        })
        .finally(() => underWay.current.delete(each.key));
    }
  }, [sent, client, change, noticeFailure]);

  return {
    sent,
    send: useCallback((draft) => setSent((before) => [...before, { ...draft, key: randomKey() }]), []),
    sendAgain: useCallback((key) => change(key, { refusal: undefined }), [change]),
    drop: useCallback((key) => setSent((before) => before.filter((each) => each.key !== key)), []),
  };
}

/** @returns the turn's id, once it can no longer be lost; its answer is followed by another request */
async function submit(client: GatewayClient, { key, session, input, model, whenBusy }: Sent): Promise<string> {
  const body = { conversation: session, input, ...(model === undefined ? {} : { model }) };
  for await (const item of client.createResponse(body, key, undefined, { 'x-turnkeep-when-busy': whenBusy })) {
    if (item.type === 'id') return item.id;
  }
  throw new CallError({ type: 'unreachable', detail: 'the answer has no id' });
}

function readKept(): readonly Sent[] {
  try {
    return JSON.parse(sessionStorage.getItem(name) ?? '[]') as readonly Sent[];
  } catch {
    return [];
  }
}

function keep(sent: readonly Sent[]): void {
  sessionStorage.setItem(name, JSON.stringify(sent));
}

/** Not `crypto.randomUUID`, which only secure pages have. */
function randomKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}
