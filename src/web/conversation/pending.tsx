/** What was said and is not answered yet: turns that wait for another one, and messages that are on their way to the gateway. */
import type { ReactNode } from 'react';
import { useQuery } from '@tanstack/react-query';
import { useGateway } from '../api/client.tsx';
import type { Item, ListedTurn, Page } from '../api/types.ts';
import { shownItem } from './shown-item.ts';
import type { Sent } from './use-outbox.ts';

export interface QueuedTurnsProps {
  readonly turns: readonly ListedTurn[];
  /** What was sent from here is known without a request. */
  readonly sent: readonly Sent[];
  readonly onCancel: (turn: string) => void;
}

export function QueuedTurns({ turns, sent, onCancel }: QueuedTurnsProps): ReactNode {
  if (turns.length === 0) return null;
  return (
    <ul className="pending" aria-label="Waiting">
      {turns.map(({ id }) => (
        <li key={id}>
          <QueuedText turn={id} known={sent.find(({ turn }) => turn === id)} />
          <span className="aside">waits</span>
          <button type="button" className="plain" onClick={() => onCancel(id)}>
            Take back
          </button>
        </li>
      ))}
    </ul>
  );
}

function QueuedText({ turn, known }: { readonly turn: string; readonly known: Sent | undefined }): ReactNode {
  const { client } = useGateway();
  const { data } = useQuery({
    queryKey: ['input', turn],
    queryFn: async ({ signal }) => {
      const page = (await client.json('GET', `/responses/${encodeURIComponent(turn)}/input_items?order=asc`, { signal })) as Page<Item>;
      return page.data.map((item) => shownItem(item).text).join(' ');
    },
    enabled: known === undefined,
    staleTime: Number.POSITIVE_INFINITY,
  });
  return <span className="pending-text">{known === undefined ? (data ?? '') : textOf(known)}</span>;
}

export interface SentMessagesProps {
  readonly sent: readonly Sent[];
  readonly onSendAgain: (key: string) => void;
  readonly onDrop: (key: string) => void;
}

export function SentMessages({ sent, onSendAgain, onDrop }: SentMessagesProps): ReactNode {
  if (sent.length === 0) return null;
  return (
    <ul className="pending" aria-label="On the way">
      {sent.map((each) => (
        <li key={each.key}>
          <span className="pending-text">{textOf(each)}</span>
          {each.refusal === undefined ? (
            <span className="aside">{each.turn === undefined ? 'is being sent' : 'accepted'}</span>
          ) : (
            <>
              <span className="error" role="alert">
                not sent: {each.refusal}
              </span>
              <button type="button" className="plain" onClick={() => onSendAgain(each.key)}>
                Send again
              </button>
              <button type="button" className="plain" onClick={() => onDrop(each.key)}>
                Drop
              </button>
            </>
          )}
        </li>
      ))}
    </ul>
  );
}

function textOf({ input }: Sent): string {
  if (typeof input === 'string') return input;
  return input.map(({ approve }) => (approve ? 'approved' : 'refused')).join(', ');
}
